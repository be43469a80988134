// SPDX-License-Identifier: Apache-2.0
// A real kubelet on a node of a lab, beside its containerd: the node's network and mount namespaces, cgroups of its own.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { NodeHost } from "../../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../../src/demo/lab/process.ts";
import { binary } from "../../cluster/support/components.ts";
import type { ControlPlane } from "../../cluster/support/control-plane.ts";
import { kubeletRoot } from "./cgroups.ts";
import { type Containerd, nodeDirectory, RUNTIME_SOCKET } from "./containerd.ts";

const LAST_LINES = 40;

export class Kubelet {
  readonly host: NodeHost;
  readonly runtime: Containerd;
  readonly process: LabProcess;

  /** Starts it and does not wait. */
  constructor(lab: Lab, host: NodeHost, plane: ControlPlane, runtime: Containerd) {
    this.host = host;
    this.runtime = runtime;
    const file = join(nodeDirectory(host), "kubelet.json");
    writeFileSync(file, JSON.stringify(configuration(kubeletRoot(lab.plan, host.name))));
    const places = ["--config", file, "--kubeconfig", plane.kubeconfig("admin")];
    const node = ["--hostname-override", host.name, "--node-ip", `${host.address.v4},${host.address.v6}`];
    this.process = lab.spawn(host, [...runtime.entered, binary("kubelet"), ...places, ...node]);
  }

  /** What it and containerd have said last, for who looks for a fault. */
  get said(): string {
    const last = (process: LabProcess) => process.stderr.split("\n").slice(-LAST_LINES).join("\n");
    return `kubelet on ${this.host.name}:\n${last(this.process)}\ncontainerd:\n${last(this.runtime.process)}`;
  }
}

function configuration(cgroupRoot: string): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    containerRuntimeEndpoint: `unix://${RUNTIME_SOCKET}`,
    cgroupRoot,
    cgroupDriver: "cgroupfs",
    failCgroupV1: false,
    address: "127.0.0.1",
    authentication: { anonymous: { enabled: false }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    volumePluginDir: "/var/lib/kubelet/volume-plugins",
    oomScoreAdj: 0, // root may not lower it everywhere
    // Nothing is thrown away for want of room: images come from nowhere else.
    imageGCHighThresholdPercent: 100,
    evictionHard: { "memory.available": "50Mi" },
  };
}
