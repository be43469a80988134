// SPDX-License-Identifier: Apache-2.0
// The resident memory of an idle agent that serves a whole cluster from manifests: the bundle, as a DaemonSet runs it.
// In parts too: its own (the heap), and what it maps (BPF arrays, which count in full, and the code of Node.js). Then how
// long it takes to tell its metrics.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Lab } from "../demo/lab/lab.ts";
import { inNetns, run } from "../demo/lab/run.ts";
import { startAgent } from "../demo/portolan.ts";
import { type BenchRecord, summarize } from "./record.ts";
import { SyncModel } from "./sync-model.ts";

const SERVICES_PER_FILE = 500;
/** The agent is idle once it burns less than this share of a CPU over the pause below. */
const IDLE_TICKS = 2;
const PAUSE_MS = 1000;
const DEADLINE_MS = 60_000;

/** Asks for /metrics, single Services among them, ten times after one that warms up; prints what each took, in ms. */
const SCRAPES = [
  process.execPath,
  "--input-type=module",
  "-e",
  `const took = [];
for (let i = 0; i < 11; i++) {
  const begin = performance.now();
  await (await fetch("http://127.0.0.1:10249/metrics")).text();
  if (i > 0) took.push(performance.now() - begin);
}
console.log(JSON.stringify(took));`,
];

/** Metric and its line in /proc/PID/status (proc(5)). */
const PARTS = [
  ["agent_idle_resident", "VmRSS"],
  ["agent_idle_private", "RssAnon"],
  ["agent_idle_mapped", "RssFile"],
] as const;

export async function benchMemory(services: number, endpoints: number): Promise<readonly BenchRecord[]> {
  await using lab = await Lab.create({ nodes: [{ name: "n1" }], clientRoutes: [] });
  const manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  writeManifests(manifests, new SyncModel(services, endpoints));
  const node = lab.node("n1");
  const agent = await startAgent(lab, node, ["--manifests", manifests, "--service-metrics"]);
  await idle(agent.pid);
  const status = readFileSync(`/proc/${agent.pid}/status`, "utf8");
  const head = { scenario: "sync", competitor: "portolan", params: { services, endpoints }, unit: "MB" };
  return [
    ...PARTS.map(([metric, line]) => summarize({ ...head, metric }, [megabytes(status, line)])),
    summarize({ ...head, metric: "agent_scrape", unit: "ms" }, JSON.parse(await run(inNetns(node.netns, SCRAPES)))),
  ];
}

function writeManifests(directory: string, model: SyncModel): void {
  for (let from = 0; from < model.services.length; from += SERVICES_PER_FILE) {
    const services = model.services.slice(from, from + SERVICES_PER_FILE).map((service) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: service.name, namespace: service.namespace },
      spec: { clusterIP: service.clusterIps[0], clusterIPs: service.clusterIps, ports: portsOf(service.ports) },
    }));
    const slices = model.slices.slice(from, from + SERVICES_PER_FILE).map((slice) => ({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: slice.name,
        namespace: slice.namespace,
        labels: { "kubernetes.io/service-name": slice.serviceName },
      },
      addressType: "IPv4",
      ports: portsOf(slice.ports),
      endpoints: slice.endpoints.map(({ address, nodeName, ready }) => ({
        addresses: [address],
        nodeName,
        conditions: { ready },
      })),
    }));
    const list = { apiVersion: "v1", kind: "List", items: [...services, ...slices] };
    writeFileSync(join(directory, `services-${from}.json`), JSON.stringify(list));
  }
}

function portsOf(ports: readonly { name: string; protocol: string; port: number }[]): readonly object[] {
  return ports.map(({ name, protocol, port }) => ({ name, protocol, port }));
}

async function idle(pid: number): Promise<void> {
  let before = cpuTicks(pid);
  for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline; ) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const now = cpuTicks(pid);
    if (now - before <= IDLE_TICKS) return;
    before = now;
  }
  throw new Error(`the agent (pid ${pid}) is still busy ${DEADLINE_MS / 1000} s after it was ready`);
}

/** User and system time in clock ticks (proc(5), fields 14 and 15 of stat). */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function megabytes(status: string, line: string): number {
  const kilobytes = new RegExp(`^${line}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/PID/status of the agent has no ${line}`);
  return Number(kilobytes) / 1024;
}
