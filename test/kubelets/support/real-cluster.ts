// SPDX-License-Identifier: Apache-2.0
// A cluster as users have it: control plane with controllers and scheduler on node "cp" of a lab, kubelets on n1 and n2.
import { Lab } from "../../../src/demo/lab/lab.ts";
import { startControlPlane } from "../../cluster/support/api-cluster.ts";
import type { ControlPlane } from "../../cluster/support/control-plane.ts";
import type { KubeObject } from "../../support/manifests.ts";
import { until } from "../../support/until.ts";
import { makeCgroups, removeCgroups } from "./cgroups.ts";
import { Containerd } from "./containerd.ts";
import { startControllers } from "./controllers.ts";
import { makeTestImage, TEST_IMAGE } from "./images.ts";
import { Kubelet } from "./kubelet.ts";

const NODES = ["n1", "n2"] as const;
const TIMEOUT_MS = 120_000;
const PAUSE_MS = 200;

export interface Pod extends KubeObject {
  readonly metadata: KubeObject["metadata"] & { readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly phase?: string;
    readonly containerStatuses?: readonly {
      readonly containerID?: string;
      readonly image: string;
      readonly ready: boolean;
      readonly restartCount: number;
    }[];
  };
}

export class RealCluster implements AsyncDisposable {
  readonly lab: Lab;
  readonly plane: ControlPlane;
  readonly nodes: readonly Kubelet[];
  readonly #onExit = () => removeCgroups(this.lab.plan);

  private constructor(lab: Lab, plane: ControlPlane, nodes: readonly Kubelet[]) {
    this.lab = lab;
    this.plane = plane;
    this.nodes = nodes;
    process.on("exit", this.#onExit); // after the lab's own
  }

  /** images: archives for all nodes, made in the lab's directory. Resolves once the nodes are ready. */
  static async create(images: (directory: string) => readonly string[]): Promise<RealCluster> {
    const lab = await Lab.create({ nodes: [...NODES, "cp"].map((name) => ({ name })), firewall: "realistic" });
    try {
      const { directory } = lab.plan;
      const archives = [makeTestImage(directory), ...images(directory)];
      makeCgroups(lab.plan);
      const plane = await startControlPlane(lab);
      startControllers(lab, lab.node("cp"), plane);
      const start = async (name: string) => {
        const host = lab.node(name);
        return new Kubelet(lab, host, plane, await Containerd.start(lab, host, TEST_IMAGE, archives));
      };
      const cluster = new RealCluster(lab, plane, await Promise.all(NODES.map(start)));
      await cluster.until("both nodes are ready", async () => (await cluster.#readyNodes()) === NODES.length);
      return cluster;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      removeCgroups(lab.plan);
      throw error;
    }
  }

  node(name: string | undefined): Kubelet {
    const found = this.nodes.find(({ host }) => host.name === name);
    if (found === undefined) throw new Error(`no kubelet runs on ${name}`);
    return found;
  }

  /** Waits, and if in vain tells what the nodes have said. */
  async until(what: string, condition: () => Promise<boolean>): Promise<void> {
    try {
      const check = () => {
        for (const { host, process: kubelet } of this.nodes) {
          if (!kubelet.running) throw new Error(`kubelet on ${host.name} has ended`);
        }
        return condition();
      };
      await until(what, check, TIMEOUT_MS, PAUSE_MS);
    } catch (cause) {
      throw new Error(this.nodes.map(({ said }) => said).join("\n"), { cause });
    }
  }

  /** Of an application, those that are to go included. */
  async pods(namespace: string, label: string, value: string): Promise<readonly Pod[]> {
    const pods = (await this.plane.api.list(`/api/v1/namespaces/${namespace}/pods`)) as readonly Pod[];
    const wanted = pods.filter(({ metadata }) => metadata.labels?.[label] === value);
    return wanted.map((pod) => ({ ...pod, apiVersion: "v1", kind: "Pod" })); // lists leave that out
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
    removeCgroups(this.lab.plan);
    process.off("exit", this.#onExit);
  }

  /** By kubelet's word. */
  async #readyNodes(): Promise<number> {
    const nodes = (await this.plane.api.list("/api/v1/nodes")) as readonly (KubeObject & {
      readonly status: {
        readonly conditions?: readonly { readonly type: string; readonly status: string }[];
        readonly nodeInfo?: { readonly kubeletVersion: string };
      };
    })[];
    return nodes.filter(({ status }) => status.conditions?.some((is) => is.type === "Ready" && is.status === "True"))
      .length;
  }
}

/** Runs, and every container of it is ready, and it is to stay. */
export function isReady({ metadata, status }: Pod): boolean {
  const { containerStatuses = [] } = status;
  const ready = containerStatuses.length > 0 && containerStatuses.every((container) => container.ready);
  return status.phase === "Running" && ready && metadata.deletionTimestamp === undefined;
}

/** As containerd knows it: of the pod's first container. */
export function containerId({ metadata, status }: Pod): string {
  const id = status.containerStatuses?.[0]?.containerID?.replace("containerd://", "");
  if (id === undefined) throw new Error(`pod ${metadata.name} has no container yet`);
  return id;
}
