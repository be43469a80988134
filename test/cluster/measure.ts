// SPDX-License-Identifier: Apache-2.0
// npm run bench:cluster [-- SERVICES ENDPOINTS CHANGES [COMPETITOR,...]]: Portolan and the real kube-proxy (nftables mode), or those
// of COMPETITORS that are named, one after the other, each on a node of its own, behind one real API server. From process start to the first connection, from the API
// server's answer about a change to the first connection that reaches a new endpoint, and memory. Prints records
// (src/bench/record.ts) as JSON; what it is at goes to stderr.
import { readFileSync } from "node:fs";
import { stolenCpuMs } from "../../src/bench/machine.ts";
import { type BenchRecord, quantile, summarize } from "../../src/bench/record.ts";
import { Lab } from "../../src/demo/lab/lab.ts";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { installRoot } from "../../src/demo/portolan.ts";
import { compileProgram } from "../support/compile.ts";
import { startControlPlane } from "./support/api-cluster.ts";
import { Arrivals } from "./support/arrivals.ts";
import { BULK_PORT, type BulkSize, bulkAddress, bulkEndpoints, bulkSlice, loadBulk } from "./support/bulk.ts";
import type { ControlPlane } from "./support/control-plane.ts";
import { startKubeProxy } from "./support/kube-proxy.ts";

/** Services that have real endpoints, spread over the whole cluster; each has those of the node that measures. */
const PROBED = 20;
const IDLE_MS = 5000;
const [services = 10_000, endpoints = 10, changes = 100] = process.argv.slice(2, 5).map(Number);
const [, , , , , named = "portolan,kube-proxy nftables"] = process.argv;
const size: BulkSize = { services, endpoints };

interface Competitor {
  readonly name: string;
  start(lab: Lab, node: NodeHost, plane: ControlPlane): LabProcess;
}

const COMPETITORS: readonly Competitor[] = [
  { name: "portolan", start: startPortolan("ebpf") },
  { name: "portolan nftables", start: startPortolan("nftables") },
  { name: "portolan iptables", start: startPortolan("iptables") },
  {
    name: "kube-proxy nftables",
    start: (lab, node, plane) => startKubeProxy(lab, node, plane.kubeconfig("system:kube-proxy")),
  },
  {
    name: "kube-proxy iptables",
    start: (lab, node, plane) => startKubeProxy(lab, node, plane.kubeconfig("system:kube-proxy"), "iptables"),
  },
];

/** Each on a node of its own. */
const COMPETING = named.split(",").map((name, i) => {
  const competitor = COMPETITORS.find((known) => known.name === name);
  if (!competitor) throw new Error(`no competitor ${name}: there are ${COMPETITORS.map((one) => one.name).join(", ")}`);
  const n = i + 1;
  return { ...competitor, node: `n${n}`, pods: { client: `p${n}a`, server: `p${n}b` } };
});

/** The bundle, as a DaemonSet runs it. */
function startPortolan(mode: string): Competitor["start"] {
  return (lab, node, plane) =>
    lab.spawn(node, [
      ...[process.execPath, `${installRoot()}/dist/portolan.js`, "agent", "--devices", "eth0", "--mode", mode],
      ...["--kubeconfig", plane.kubeconfig("portolan"), "--node-name", node.name],
      ...["--cgroup-root", node.cgroupRoot, "--bpffs", node.bpffs, "--state-dir", node.stateDir],
    ]);
}

/** Addresses that the server pod of a node has beside its own: two sets for each Service that is probed. */
function realAddresses(node: NodeHost, set: 0 | 1): readonly string[] {
  return Array.from({ length: endpoints }, (_, n) => `10.9.${node.index}.${100 + endpoints * set + n}`);
}

const probed = (): readonly number[] =>
  Array.from({ length: PROBED }, (_, n) => Math.floor(((n + 0.5) * services) / PROBED));

async function measure(
  lab: Lab,
  plane: ControlPlane,
  competitor: (typeof COMPETING)[number],
): Promise<readonly BenchRecord[]> {
  const { name, pods } = competitor;
  const node = lab.node(competitor.node);
  say(`${name}: first sync`);
  for (const n of probed())
    await plane.api.patch(bulkSlice(n, []), { endpoints: bulkEndpoints(realAddresses(node, 0)) });
  const program = compileProgram("arrive", lab.plan.directory);
  const server = lab.spawn(lab.pod(pods.server), [program, "serve", "8080"]);
  await server.waitForOutput(/^ready$/m);
  const record = (metric: string, unit: string, values: readonly number[]) =>
    summarize({ scenario: "api", competitor: name, params: { services, endpoints }, metric, unit }, values);

  const [last = 0] = probed().slice(-1);
  const first = new Arrivals(lab, lab.pod(pods.client), program, 20);
  const begun = process.hrtime.bigint();
  const started = competitor.start(lab, node, plane);
  const arrived = await first.wait(bulkAddress(last), BULK_PORT, realAddresses(node, 0));
  const firstMs = Number(arrived.at - begun) / 1e6;
  const firstCpuMs = cpuTicks(started.pid) * 10;
  await idle(started.pid);
  const loaded = memory(started.pid);

  say(`${name}: ${changes} changes`);
  const arrivals = new Arrivals(lab, lab.pod(pods.client), program, 1000);
  const stolenBefore = stolenCpuMs();
  const took: number[] = [];
  let failed = 0;
  for (let n = 0; n < changes; n++) {
    const service = probed()[n % PROBED] ?? 0;
    const wanted = realAddresses(node, Math.floor(n / PROBED) % 2 === 0 ? 1 : 0);
    const reached = arrivals.wait(bulkAddress(service), BULK_PORT, wanted);
    await plane.api.patch(bulkSlice(service, []), { endpoints: bulkEndpoints(wanted) });
    const answered = process.hrtime.bigint();
    const arrival = await reached;
    took.push(Number(arrival.at - answered) / 1e6);
    failed += arrival.failed;
  }
  const stolen = stolenCpuMs() - stolenBefore;
  await idle(started.pid);
  const after = memory(started.pid);
  await started.stop();
  took.sort((a, b) => a - b);
  return [
    record("first_traffic", "ms", [firstMs]),
    record("first_traffic_cpu", "ms", [firstCpuMs]),
    record("change_p50", "ms", [quantile(took, 0.5)]),
    record("change_p99", "ms", [quantile(took, 0.99)]),
    record("change", "ms", took),
    record("change_failed_connections", "connections", [failed]),
    record("change_cpu_stolen", "ms", [stolen]),
    record("resident_after_first_sync", "MB", [loaded.resident]),
    record("peak_after_first_sync", "MB", [loaded.peak]),
    record("resident", "MB", [after.resident]),
    record("peak", "MB", [after.peak]),
  ];
}

/** Waits until the process has burnt no more than a fiftieth of a CPU for a while. */
async function idle(pid: number): Promise<void> {
  for (let before = cpuTicks(pid); ; ) {
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const now = cpuTicks(pid);
    if (now - before <= IDLE_MS / 10 / 50) return;
    before = now;
  }
}

/** User and system time of the process alone in ticks of 10 ms (proc(5), fields 14 and 15 of stat). */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** In MB, of the process alone: nft, which kube-proxy starts for each sync, comes on top. */
function memory(pid: number): { resident: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const megabytes = (line: string) => Number(new RegExp(`^${line}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024;
  return { resident: megabytes("VmRSS"), peak: megabytes("VmHWM") };
}

function say(text: string): void {
  process.stderr.write(`cluster: ${text}\n`);
}

async function main(): Promise<void> {
  await using lab = await Lab.create({
    nodes: [
      ...COMPETING.map(({ node, pods }) => ({ name: node, routedPods: [pods.client, pods.server] })),
      { name: "cp" },
    ],
  });
  for (const { node: name, pods } of COMPETING) {
    const node = lab.node(name);
    const server = lab.pod(pods.server);
    const addresses = [...realAddresses(node, 0), ...realAddresses(node, 1)];
    await lab.ip(server, ...addresses.map((address) => `addr add ${address}/32 dev eth0`));
    await lab.ip(node, ...addresses.map((address) => `route add ${address}/32 dev ${server.hostDevice}`));
  }
  const plane = await startControlPlane(lab);
  say(`loading ${services} Services of ${endpoints} endpoints`);
  const begun = performance.now();
  await loadBulk(plane, size);
  say(`loaded in ${Math.round(performance.now() - begun)} ms`);
  const records: BenchRecord[] = [];
  for (const competitor of COMPETING) records.push(...(await measure(lab, plane, competitor)));
  process.stdout.write(`${JSON.stringify(records, null, 2)}\n`);
}

await main();
