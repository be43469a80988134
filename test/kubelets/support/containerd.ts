// SPDX-License-Identifier: Apache-2.0
// containerd and runc on a node of a lab: its network namespace, a mount namespace and files of its own. Pods have routed veths
// (CNI's ptp and host-local) in the node's pod range.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { NodeHost } from "../../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../../src/demo/lab/process.ts";
import { run } from "../../../src/demo/lab/run.ts";
import { binary } from "../../cluster/support/components.ts";
import { kubeletCgroup } from "./cgroups.ts";

export const RUNTIME_SOCKET = "/run/containerd/containerd.sock";
/** Debian's containernetworking-plugins. */
const CNI_PLUGINS = "/usr/lib/cni";
const BOOT_TIMEOUT_MS = 60_000;

/** Where node.sh puts the node's cgroups of version 2, and of version 1 those that hold kubelet's. */
export const NODE_CGROUPS = { hostPath: "/run/node/cgroup", podsHostPath: "/run/node/pods" } as const;

/** Ends with the lab, and so do its containers. */
export class Containerd {
  readonly #lab: Lab;
  readonly #host: NodeHost;
  readonly process: LabProcess;

  private constructor(lab: Lab, host: NodeHost, process: LabProcess) {
    this.#lab = lab;
    this.#host = host;
    this.process = process;
  }

  /** sandboxImage: what holds a pod's namespaces. images: archives of all that there are. */
  static async start(lab: Lab, host: NodeHost, sandboxImage: string, images: readonly string[]): Promise<Containerd> {
    const file = join(nodeDirectory(host), "containerd.toml");
    const cni = join(nodeDirectory(host), "cni");
    mkdirSync(cni);
    writeFileSync(join(cni, "pods.conflist"), JSON.stringify(podNetwork(host)));
    writeFileSync(file, configuration(cni, sandboxImage));
    const argv = [...intoNode(lab, host), binary("containerd"), "--config", file];
    const PATH = `${dirname(binary("containerd-shim-runc-v2"))}:${process.env.PATH ?? ""}`;
    const containerd = new Containerd(lab, host, lab.spawn(host, argv, { environment: { PATH } }));
    await containerd.process.waitForOutput(/containerd successfully booted/, BOOT_TIMEOUT_MS);
    for (const archive of images) await run([...containerd.entered, ...ctr("images", "import", archive)]);
    return containerd;
  }

  /** Prefixes a command so that it runs in the node's namespaces. */
  get entered(): readonly string[] {
    const { pid } = this.process;
    return ["nsenter", `--mount=/proc/${pid}/ns/mnt`, `--net=/proc/${pid}/ns/net`];
  }

  /** Starts a command in a running container; name: unique there. */
  spawnIn(containerId: string, name: string, argv: readonly string[]): LabProcess {
    const exec = ctr("tasks", "exec", "--exec-id", name, containerId, ...argv);
    return this.#lab.spawn(this.#host, [...this.entered, ...exec]);
  }

  /** Of the container's first process. */
  async pid(containerId: string): Promise<number> {
    const tasks = await run([...this.entered, ...ctr("tasks", "list")]);
    const line = tasks.split("\n").find((text) => text.startsWith(containerId));
    const pid = Number(line?.split(/\s+/)[1]);
    if (!(pid > 0)) throw new Error(`no task of container ${containerId} on ${this.#host.name}:\n${tasks}`);
    return pid;
  }
}

/** For what of a node's is in files. */
export function nodeDirectory(host: NodeHost): string {
  return dirname(host.bpffs);
}

/** Gives a command a mount namespace with the places of a node. */
function intoNode(lab: Lab, host: NodeHost): readonly string[] {
  const script = join(import.meta.dirname, "programs/node.sh");
  const places = [nodeDirectory(host), host.bpffs, host.stateDir];
  const cgroups = [host.cgroupRoot, kubeletCgroup(lab.plan, host.name, "memory")];
  return ["unshare", "--mount", "--propagation=private", "sh", script, ...places, ...cgroups];
}

function ctr(...args: readonly string[]): readonly string[] {
  return [binary("ctr"), "--address", RUNTIME_SOCKET, "--namespace", "k8s.io", ...args];
}

function podNetwork(host: NodeHost): object {
  const ranges = [host.podRange.v4, host.podRange.v6].map((subnet) => [{ subnet }]);
  const routes = ["0.0.0.0/0", "::/0"].map((dst) => ({ dst }));
  const ipam = { type: "host-local", dataDir: "/run/cni", ranges, routes };
  return { cniVersion: "1.0.0", name: "pods", plugins: [{ type: "ptp", ipam }] };
}

function configuration(cni: string, sandboxImage: string): string {
  return `
version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${RUNTIME_SOCKET}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "${sandboxImage}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true # where root may not lower it
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["${CNI_PLUGINS}"]
  conf_dir = "${cni}"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false
`;
}
