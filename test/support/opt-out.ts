// SPDX-License-Identifier: Apache-2.0
// Pods in a cluster whose sockets may be opted out of balancing: their objects, their cgroups as kubelet makes them, and
// what their processes put on the wire.

import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Host, PodHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import type { Cluster } from "./cluster.ts";
import { writeObjects } from "./manifests.ts";
import { until } from "./until.ts";

const ASK = fileURLToPath(new URL("./programs/udp-ask.mjs", import.meta.url));
const ANNOTATION = "portolan.dev/socket-balancing";

/** Beside what a Service has: 10.96.0.0/16 and fd00:10:96::/64 are VIPs, 10.9.0.0/16 and fd00:9::/32 pods. */
const COUNTERS = `table inet seen {
  counter v4vip {}
  counter v4pod {}
  counter v6vip {}
  counter v6pod {}
  chain out {
    type filter hook output priority 100;
    ip daddr 10.96.0.0/16 counter name v4vip
    ip daddr 10.9.0.0/16 counter name v4pod
    ip6 daddr fd00:10:96::/64 counter name v6vip
    ip6 daddr fd00:9::/32 meta l4proto { tcp, udp } counter name v6pod
  }
}`;

export interface PodObject {
  readonly uid: string;
  /** Of the Pod; absent: none. */
  readonly balancing?: string;
  readonly hostNetwork?: boolean;
}

/** Writes the Pod as it would be in the API. */
export function writePod(manifests: string, pod: PodHost, { uid, balancing, hostNetwork }: PodObject): void {
  const annotations = balancing === undefined ? {} : { [ANNOTATION]: balancing };
  const podIPs = [pod.address.v4, pod.address.v6].map((ip) => ({ ip }));
  const metadata = { name: pod.name, namespace: "test", uid, annotations };
  const spec = { nodeName: pod.nodeName, hostNetwork: hostNetwork ?? false };
  writeObjects(manifests, `pod-${pod.name}`, [{ apiVersion: "v1", kind: "Pod", metadata, spec, status: { podIPs } }]);
}

export function writeNamespace(manifests: string, balancing: string | undefined): void {
  const annotations = balancing === undefined ? {} : { [ANNOTATION]: balancing };
  writeObjects(manifests, "namespace", [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "test", annotations } },
  ]);
}

/** As kubelet's systemd driver names it, with one container's below; returns the container's. */
export function makeSystemdCgroup(cgroupRoot: string, uid: string): string {
  const slice = `kubepods-burstable-pod${uid.replaceAll("-", "_")}.slice`;
  const container = join(cgroupRoot, "kubepods.slice/kubepods-burstable.slice", slice, "cri-containerd-1.scope/init");
  mkdirSync(container, { recursive: true });
  return container;
}

/** In the directory of all pods, as kubelet's cgroupfs driver names one of class Guaranteed; returns its one container's. */
export function makeCgroupfsCgroup(root: string, uid: string): string {
  const container = join(root, `pod${uid}`, "0123456789abcdef");
  mkdirSync(container, { recursive: true });
  return container;
}

/** Takes a directory and its parents up to root away, once its processes have ended. */
export async function removeCgroups(container: string, root: string): Promise<void> {
  for (let path = container; path.startsWith(root); path = dirname(path)) {
    await until(`${path} is empty`, () => {
      try {
        rmdirSync(path);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
        throw error;
      }
    });
  }
}

export function enterCgroup(container: string, pid: number): void {
  writeFileSync(join(container, "cgroup.procs"), String(pid));
}

/** Counts from now on what leaves a pod's processes for its own device. */
export async function countPackets(cluster: Cluster, pod: Host): Promise<void> {
  await cluster.lab.exec(pod, ["nft", "-f", "-"], COUNTERS);
}

/** To which kind of address packets left since the last call, of one family. */
export async function packetsSent(cluster: Cluster, pod: Host, family: "v4" | "v6"): Promise<readonly string[]> {
  const listed = await cluster.lab.exec(pod, ["nft", "-j", "reset", "counters", "table", "inet", "seen"]);
  const { nftables }: { nftables: readonly { counter?: { name: string; packets: number } }[] } = JSON.parse(listed);
  const counted = nftables.flatMap(({ counter }) => (counter && counter.packets > 0 ? [counter.name] : []));
  return counted
    .filter((name) => name.startsWith(family))
    .map((name) => name.slice(2))
    .sort();
}

export interface UdpAnswer {
  readonly pod: string;
  readonly from: string;
  readonly peername: string | null;
}

/** UDP sockets in one process that stay open. */
export class UdpSockets {
  readonly #process: LabProcess;
  #asked = 0;

  private constructor(process: LabProcess) {
    this.#process = process;
  }

  static async open(
    cluster: Cluster,
    host: Host,
    address: string,
    count: number,
    kind: "connected" | "unconnected",
  ): Promise<UdpSockets> {
    const process = cluster.lab.spawn(host, ["node", ASK, address, "80", String(count), kind]);
    await process.waitForOutput(/^ready$/m);
    return new UdpSockets(process);
  }

  /** Each asks once more. */
  async ask(): Promise<readonly UdpAnswer[]> {
    this.#asked++;
    this.#process.write("\n");
    await this.#process.waitForOutput(new RegExp(`^ready\\n(?:.*\\n){${this.#asked}}`));
    return JSON.parse(this.#process.stdout.trimEnd().split("\n").at(-1) ?? "[]");
  }
}
