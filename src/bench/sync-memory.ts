// SPDX-License-Identifier: Apache-2.0
// The resident memory of an idle agent that serves a whole cluster from manifests: the bundle, as a DaemonSet runs it.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Lab } from "../demo/lab/lab.ts";
import { startAgent } from "../demo/portolan.ts";
import { type BenchRecord, summarize } from "./record.ts";
import { SyncModel } from "./sync-model.ts";

const SERVICES_PER_FILE = 500;
/** The agent is idle once it burns less than this share of a CPU over the pause below. */
const IDLE_TICKS = 2;
const PAUSE_MS = 1000;
const DEADLINE_MS = 60_000;

export async function benchMemory(services: number, endpoints: number): Promise<BenchRecord> {
  await using lab = await Lab.create({ nodes: [{ name: "n1" }], clientRoutes: [] });
  const manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  writeManifests(manifests, new SyncModel(services, endpoints));
  const agent = await startAgent(lab, lab.node("n1"), manifests);
  await idle(agent.pid);
  return summarize(
    {
      scenario: "sync",
      competitor: "portolan",
      params: { services, endpoints },
      metric: "agent_idle_resident",
      unit: "MB",
    },
    [residentMb(agent.pid)],
  );
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

function residentMb(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (!line) throw new Error(`/proc/${pid}/status has no VmRSS`);
  return Number(line[1]) / 1024;
}
