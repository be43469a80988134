// SPDX-License-Identifier: Apache-2.0
// Inspection against real traffic: what `explain` says is what then happens, its dry runs leave no trace, and every
// listing reads the pinned maps with the agent killed.

import { beforeAll, describe, expect, test } from "vitest";
import { linkPin, pinsUnder } from "../../src/datapath/ebpf/pins.ts";
import { openState } from "../../src/datapath/ebpf/state.ts";
import { inNetns, run } from "../../src/demo/lab/run.ts";
import { portolan, portolanLine } from "../../src/demo/portolan.ts";
import type { Answer } from "../../src/inspect/answer.ts";
import type { Finding } from "../../src/inspect/doctor-types.ts";
import type { BackendRow, DnsRow, EnvRow, FlowRow, ServiceRow } from "../../src/inspect/rows.ts";
import type { Status } from "../../src/inspect/status.ts";
import { openPinnedLink } from "../../src/libbpf/index.ts";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses, writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const WEB = 21;
const EMPTY = 22;
const AWAY = 23;
const TRAP = 24;
const NODE_PORT = 30_121;
const BACKENDS = ["p1b", "b1a", "p2a"];

const TRAPPED: Finding = {
  check: "source-ranges",
  severity: "warning",
  what: "Service test/trap: its source ranges hold over IPv4 alone, so over IPv6 everybody is served (LoadBalancer)",
  do: "add an IPv6 range to spec.loadBalancerSourceRanges, or the annotation portolan.dev/source-ranges-policy: strict to serve nobody; if everybody is meant, nothing",
};

const cluster = useCluster({
  services: (lab) => {
    const endpoint = (name: string) => ({ address: lab.pod(name).address, nodeName: lab.pod(name).nodeName });
    return [
      { name: "web", number: WEB, nodePort: NODE_PORT, external: true, endpoints: BACKENDS.map(endpoint) },
      { name: "empty", number: EMPTY, endpoints: [] },
      {
        name: "away",
        number: AWAY,
        nodePort: 30_123,
        external: true,
        externalTrafficPolicy: "Local",
        healthCheckNodePort: 30_223,
        endpoints: [endpoint("p2a")],
      },
    ];
  },
});

beforeAll(async () => {
  for (const name of BACKENDS) await cluster().lab.serve(cluster().lab.pod(name));
});

interface Line {
  readonly src: string;
  readonly sport?: number;
  readonly dst: string;
  readonly dport: number;
  readonly proto?: string;
}

async function explain(lines: readonly Line[], flags: readonly string[] = []): Promise<readonly Answer[]> {
  const node = cluster().lab.node("n1");
  const input = lines.map((line) => JSON.stringify(line)).join("\n");
  const output = await run(inNetns(node.netns, portolanLine(node, ["explain", "--batch", ...flags])), input);
  return output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

async function listing<Row>(command: string): Promise<readonly Row[]> {
  return JSON.parse(await portolan(cluster().lab.node("n1"), [command, "-o", "json"]));
}

/** Everything that traffic would change, as the maps have it. */
function traces(): { readonly counters: object; readonly flows: readonly object[] } {
  using state = openState(cluster().lab.node("n1").bpffs);
  const counters = { services: state.services(), backends: state.backends(), drops: state.drops() };
  return { counters, flows: [...state.flows()] };
}

describe.each(["v4", "v6"] as const)("%s", (family) => {
  const vip = serviceAddresses(WEB);

  test("explain names the backend that a client's very next connection with that port gets", async () => {
    const { lab } = cluster();
    const client = await cluster().wire(lab.client);
    const [src, dst] = [lab.client.address[family], vip.loadBalancer[family]];
    const ports = Array.from({ length: 12 }, (_, i) => 41_000 + i);
    const answers = await explain(ports.map((sport) => ({ src, sport, dst, dport: 80 })));
    const reached: string[] = [];
    for (const localPort of ports) {
      const result = await client.tcp({ address: dst, port: 80, localPort, localAddress: src, count: 1 });
      reached.push(lab.pod(result.answers[0]?.pod ?? "").address[family]);
    }
    expect(answers.map(({ chosen }) => chosen)).toEqual(
      reached.map((address) => (family === "v4" ? `${address}:8080` : `[${address}]:8080`)),
    );
    expect(new Set(reached).size).toBeGreaterThan(1);
    expect(answers.every(({ masquerade, verdict }) => masquerade && verdict === "dnat")).toBe(true);
  });

  test("explain tells node, pods and outside apart, and each Service's verdict", async () => {
    const { lab } = cluster();
    const ask = (src: string, number: number, external = false): Line => ({
      src,
      dst: external ? serviceAddresses(number).loadBalancer[family] : serviceAddresses(number).clusterIP[family],
      dport: 80,
    });
    const [routed, bridged] = [lab.pod("p1a").address[family], lab.pod("b1b").address[family]];
    const [outside, node] = [lab.client.address[family], lab.node("n1").address[family]];
    const answers = await explain([
      ask(routed, WEB),
      ask(bridged, WEB),
      ask(outside, WEB),
      ask(node, WEB),
      ask(routed, AWAY, true),
      ask(outside, AWAY, true),
      ask(outside, EMPTY),
      { src: outside, dst: lab.pod("p2a").address[family], dport: 8080 },
    ]);
    expect(answers.map(({ verdict, masquerade, service }) => [verdict, masquerade, service])).toEqual([
      ["dnat", false, "test/web:tcp"],
      ["dnat", false, "test/web:tcp"],
      ["dnat", true, "test/web:tcp"],
      ["dnat", true, "test/web:tcp"],
      ["dnat", false, "test/away:tcp"],
      ["drop", false, "test/away:tcp"],
      ["reject", false, "test/empty:tcp"],
      ["pass", false, null],
    ]);
    expect(answers[3]?.reason).toMatch(/^the source is this node: its packets pass no tc ingress/);
  });

  test("explain --via a device takes the packet from there, whatever its source", async () => {
    const { lab } = cluster();
    const question = { src: lab.pod("p1a").address[family], dst: vip.clusterIP[family], dport: 80 };
    const [outside] = await explain([question], ["--via", "eth0"]);
    const [pod] = await explain([question], ["--via", lab.pod("b1a").hostDevice]);
    expect([outside?.masquerade, pod?.masquerade]).toEqual([true, false]);
    await expect(explain([question], ["--via", "eth9"])).rejects.toThrow(
      /exit 2\nportolan: --via eth9: no device that Portolan serves; there are: .*eth0/,
    );
  });

  test("explain --socket offers what real sockets of a pod then reach", async () => {
    const { lab } = cluster();
    const pod = lab.pod("p1a");
    const questions = [WEB, EMPTY].map((number) => ({
      src: pod.address[family],
      dst: serviceAddresses(number).clusterIP[family],
      dport: 80,
    }));
    const [web, empty] = await explain(questions, ["--socket"]);
    const client = await cluster().socket(pod);
    const result = await client.tcp({ address: vip.clusterIP[family], port: 80, count: 60, concurrency: 4 });
    const reached = Object.keys(result.pods).map((name) => lab.pod(name).address[family]);
    expect(web?.endpoints.map((endpoint) => endpoint.replace(/^\[|\]?:8080$/g, "")).sort()).toEqual(reached.sort());
    expect(web?.masquerade).toBe(false);
    expect(empty?.verdict).toBe("reject");
    const refused = await client.tcp({ address: serviceAddresses(EMPTY).clusterIP[family], port: 80, count: 1 });
    expect(refused.failures).toEqual({ ECONNREFUSED: 1 });
  });
});

test("dry runs leave no trace in the maps, whatever they meet", async () => {
  const { lab } = cluster();
  const wire = await cluster().wire(lab.client);
  await wire.tcp({ address: serviceAddresses(WEB).loadBalancer.v4, port: 80, count: 1 });
  const flows = await listing<FlowRow>("flows");
  const before = traces();
  const [src, known] = [lab.client.address.v4, flows[0]];
  const [client = "", sport = ""] = known?.client.split(/:(?=\d+$)/) ?? [];
  const [dst = "", dport = ""] = known?.vip.split(/:(?=\d+$)/) ?? [];
  const strip = (address: string) => address.replace(/^\[|\]$/g, "");
  await explain([
    ...[WEB, EMPTY, AWAY].map((number) => ({ src, dst: serviceAddresses(number).loadBalancer.v4, dport: 80 })),
    { src, dst: serviceAddresses(EMPTY).clusterIP.v4, dport: 80 },
    { src: strip(client), sport: Number(sport), dst: strip(dst), dport: Number(dport), proto: "TCP" },
  ]);
  const after = traces();
  expect(after.counters).toEqual(before.counters);
  // No flow is new or changed; old ones may have expired meanwhile.
  expect(before.flows).toEqual(expect.arrayContaining([...after.flows]));
});

test("explain answers for an established connection with the backend it has", async () => {
  const { lab } = cluster();
  const client = await cluster().wire(lab.client);
  const [src, dst] = [lab.client.address.v4, serviceAddresses(WEB).externalIP.v4];
  const held = await client.hold({ address: dst, port: 80, localPort: 42_000, localAddress: src });
  await held.echo({ count: 1 });
  const [answer] = await explain([{ src, sport: 42_000, dst, dport: 80 }]);
  expect(answer?.chosen).toBe(`${lab.pod(held.answer.pod).address.v4}:8080`);
  expect(answer?.reason).toMatch(/the connection exists already and keeps its endpoint/);
  await held.close();
});

test("from another network namespace explain answers alike, and says what it does not see", async () => {
  const { lab } = cluster();
  const node = lab.node("n1");
  const line = portolanLine(node, ["explain", lab.client.address.v4, `${node.address.v4}:${NODE_PORT}`, "-o", "json"]);
  const [inside, elsewhere] = [await run(inNetns(node.netns, line)), await run(inNetns(lab.client.netns, line))];
  const { reason: _, ...answer } = JSON.parse(inside);
  expect(JSON.parse(elsewhere)).toMatchObject(answer);
  await expect(run(["sh", "-c", '"$@" 2>&1 >/dev/null', "sh", ...inNetns(lab.client.netns, line)])).resolves.toBe(
    "portolan: this is not the network namespace of the node: its routes and device names do not count in the answer\n",
  );
});

test("row 45: doctor finds nothing where all is well, and the family that source ranges leave open where one is", async () => {
  const { lab, manifests } = cluster();
  const node = lab.node("n1");
  expect(await portolan(node, ["doctor"])).toBe(
    "nothing found; checked: state, agent, objects, hooks, rights, service-proxies, source-ranges, maps, drops\n",
  );
  const { address, nodeName } = lab.pod("p1b");
  const trap = { name: "trap", number: TRAP, external: true, endpoints: [{ address, nodeName }] };
  await cluster().write({ ...trap, sourceRanges: ["192.0.2.0/24", "2001:db8:99::/48"] });
  expect(await listing<Finding>("doctor")).toEqual([]);
  writeService(manifests, { ...trap, sourceRanges: ["192.0.2.0/24"] });
  let found: readonly Finding[] = [];
  await until("n1 has no IPv6 range for it", async () => {
    found = await listing<Finding>("doctor");
    return found.length > 0;
  });
  expect(found).toEqual([TRAPPED]);
});

test("with the agent killed every listing still reads the pinned maps", async () => {
  const { lab } = cluster();
  const client = await cluster().wire(lab.client);
  const held = await client.hold({ address: lab.node("n1").address.v4, port: NODE_PORT });
  await held.echo({ count: 1 });
  await client.tcp({ address: serviceAddresses(WEB).loadBalancer.v4, port: 80, count: 12 });
  await cluster().agents.get("n1")?.stop("SIGKILL");

  const services = await listing<ServiceRow>("services");
  const web = services.find(
    ({ service, protocol, family }) => `${service} ${protocol} ${family}` === "test/web:tcp TCP IPv4",
  );
  expect(web?.connections).toBeGreaterThan(12);
  expect(web?.endpoints).toEqual({ local: 2, total: 3 });
  expect(web?.packets).toBeGreaterThan(0);

  const backends = await listing<BackendRow>("backends");
  const shares = backends.filter((row) => row.service === "test/web:tcp").map((row) => row.share ?? 0);
  expect(shares.slice(0, 3).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);

  const flows = await listing<FlowRow>("flows");
  const flow = flows.find(
    ({ vip, state }) => vip === `${lab.node("n1").address.v4}:${NODE_PORT}` && state === "established",
  );
  expect(flow).toMatchObject({ protocol: "TCP", service: "test/web:tcp" });
  expect(flow?.snat).toMatch(/^(192\.168\.50\.1|10\.9\.1\.\d+):\d+$/);

  const status: Status = JSON.parse(await portolan(lab.node("n1"), ["status", "-o", "json"]));
  expect(status).toMatchObject({ synced: true, node: "n1", agent: { running: false } });
  expect(status.devices.find(({ device }) => device === "eth0")).toMatchObject({ roles: ["uplink"] });
  await held.close();
});

test("with the agent killed env and dns say of the pinned maps what they say of the manifests", async () => {
  const { lab, manifests } = cluster();
  const ask = async (...args: readonly string[]) => JSON.parse(await portolan(lab.node("n1"), [...args, "-o", "json"]));
  const variables: readonly EnvRow[] = await ask("env", "test");
  expect(variables.filter(({ name }) => /^WEB_(SERVICE|PORT$|PORT_80_UDP)/.test(name))).toEqual([
    { name: "WEB_PORT", value: "tcp://10.96.0.21:80", service: "test/web" },
    { name: "WEB_PORT_80_UDP", value: "udp://10.96.0.21:80", service: "test/web" },
    { name: "WEB_PORT_80_UDP_ADDR", value: "10.96.0.21", service: "test/web" },
    { name: "WEB_PORT_80_UDP_PORT", value: "80", service: "test/web" },
    { name: "WEB_PORT_80_UDP_PROTO", value: "udp", service: "test/web" },
    { name: "WEB_SERVICE_HOST", value: "10.96.0.21", service: "test/web" },
    { name: "WEB_SERVICE_PORT", value: "80", service: "test/web" },
    { name: "WEB_SERVICE_PORT_TCP", value: "80", service: "test/web" },
    { name: "WEB_SERVICE_PORT_UDP", value: "80", service: "test/web" },
  ]);
  expect(await ask("env", "test", "--manifests", manifests)).toEqual(variables);
  expect(await ask("env", "default")).toEqual([]);
  const name = "web.test.svc.cluster.local.";
  expect(await ask("dns", "web", "-n", "test")).toEqual([
    { name, type: "A", value: "10.96.0.21", service: "test/web" },
    { name, type: "AAAA", value: "fd00:10:96::21", service: "test/web" },
  ]);
  expect(await ask("dns", "10.96.0.21")).toEqual([
    { name: "21.0.96.10.in-addr.arpa.", type: "PTR", value: name, service: "test/web" },
  ]);
  const lines = (rows: readonly DnsRow[]) => rows.map((row) => JSON.stringify(row)).sort();
  expect(lines(await ask("dns"))).toEqual(lines(await ask("dns", "--manifests", manifests)));
  await expect(ask("dns", "nobody.test")).rejects.toThrow("nobody.test: no such record");
});

test("row 45: with the agent killed doctor says so, finds the same, and a device that has lost a program", async () => {
  const node = cluster().lab.node("n1");
  const stopped = { check: "agent", severity: "warning" };
  expect(await listing<Finding>("doctor")).toMatchObject([stopped, TRAPPED]);
  const [eth0] = JSON.parse(await run(inNetns(node.netns, ["ip", "-json", "link", "show", "eth0"])));
  using link = openPinnedLink(linkPin(pinsUnder(node.bpffs), `tcx-${eth0.ifindex}-ingress`));
  link.detach();
  await expect(portolan(node, ["doctor"])).rejects.toThrow(
    /exit 1\nSEVERITY .*\nwarning +agent .*\nerror +hooks +device eth0 without our program at ingress: .*\nwarning +source-ranges .*\n$/,
  );
  // The same index is another device there, so of those nothing is said.
  const elsewhere = inNetns(cluster().lab.client.netns, portolanLine(node, ["doctor", "-o", "json"]));
  expect(JSON.parse(await run(elsewhere))).toMatchObject([stopped, TRAPPED]);
});

test("without a datapath a command says what is missing and exits with 3", async () => {
  const { lab } = cluster();
  const [node, other] = [lab.node("n1"), { ...lab.node("n1"), bpffs: "/nonexistent" }];
  for (const command of ["services", "flows", "status", "doctor"]) {
    await expect(portolan(other, [command])).rejects.toThrow(/exit 3\nportolan: --bpffs \/nonexistent does not exist/);
  }
  await expect(portolan(node, ["services", "-o", "xml"])).rejects.toThrow(/exit 2\n/);
});
