// SPDX-License-Identifier: Apache-2.0
// Each of doctor's checks finds what it is for, and nothing where there is nothing.

import { expect, test } from "vitest";
import { mapSizeTable } from "../../../src/agent/map-sizes.ts";
import { renderFindings } from "../../../src/cli/inspect-doctor.ts";
import type { FrontendKind, SourceFilter } from "../../../src/compile/state.ts";
import { SIZE_FLAGS } from "../../../src/datapath/ebpf/errors.ts";
import type { FrontendState } from "../../../src/datapath/ebpf/state-types.ts";
import { CHECKS, examine, examineOthers } from "../../../src/inspect/doctor.ts";
import type { NodeState } from "../../../src/inspect/doctor-types.ts";
import { type Ip, parseCidr } from "../../../src/model/ip.ts";

const RESTART = "start the agent anew, which attaches what is missing";
const SOCKETS = "connect4 connect6 sendmsg4 sendmsg6 recvmsg4 recvmsg6 getpeername4 getpeername6".split(" ");
const AGENT = {
  running: true,
  pid: 4711,
  version: "0.1.0",
  started: "2026-11-21T14:11:40.402Z",
  settings: { source: "manifests in /etc/portolan", cgroupRoot: "/sys/fs/cgroup/unified", lacks: [] },
};
/** Full where being full is no fault, close to the limits elsewhere. */
const WELL: NodeState = {
  synced: true,
  agent: AGENT,
  problems: 0,
  services: [],
  maps: [
    { map: "flows", used: 800, size: 1000, evicts: false },
    { map: "nascent", used: 125, size: 125, evicts: true },
    { map: "affinity", used: 125, size: 125, evicts: true },
    { map: "services", used: 0, size: 1023, evicts: false },
  ],
  sockets: SOCKETS,
  devices: [{ device: "eth0", hooks: ["ingress", "egress"] }],
  others: { kubeProxy: { rules: [], listening: true, unseen: [] }, programs: [] },
  drops: [
    { reason: "flow_table_full", count: 0, explanation: "the flow table is full" },
    { reason: "no_endpoints", count: 12, explanation: "refused" },
  ],
  pins: "/sys/fs/bpf/portolan/v1",
};

test("nothing is found on a node where all is well, and the checks are named", () => {
  expect(examine(WELL)).toEqual([]);
  const checked = CHECKS.map(({ name }) => name);
  expect(renderFindings([], checked, "table")).toBe(
    "nothing found; checked: state, agent, objects, hooks, rights, service-proxies, source-ranges, maps, drops\n",
  );
  expect(renderFindings([], checked, "json")).toBe("[]\n");
  expect(renderFindings([], checked, "yaml")).toBe("[]\n");
});

test("a finding is one line for people, and its JSON has the documented fields in their order", () => {
  const findings = examine({ ...WELL, problems: 2, agent: { ...AGENT, running: false } });
  expect(renderFindings(findings, [], "table")).toBe(
    `SEVERITY   CHECK     FINDING
warning    agent     the agent of /sys/fs/bpf/portolan/v1, process 4711 since 2026-11-21T14:11:40.402Z, is not running: what it knew is served on: start it: until then no change of a Service, an endpoint or a device counts, and ended flows keep their room
warning    objects   2 objects of manifests in /etc/portolan, of which something cannot be used or is missing: the agent's log names each, with its place and field
`,
  );
  expect(renderFindings(findings.slice(1), [], "json")).toBe(
    `[
  {
    "check": "objects",
    "severity": "warning",
    "what": "2 objects of manifests in /etc/portolan, of which something cannot be used or is missing",
    "do": "the agent's log names each, with its place and field"
  }
]
`,
  );
});

test("before the first state is in the kernel that is an error, and hooks are not missed yet", () => {
  expect(examine({ ...WELL, synced: false, agent: null, sockets: [], devices: [] })).toEqual([
    {
      check: "state",
      severity: "error",
      what: "the Services are not yet in the kernel, in the maps of /sys/fs/bpf/portolan/v1",
      do: "if an agent is just starting, ask again; else start it, its log says what is in its way",
    },
  ]);
});

test("sockets without hooks are an error that names the cgroup, or the hooks if some are there", () => {
  const [none] = examine({ ...WELL, sockets: [] });
  expect(none).toEqual({
    check: "hooks",
    severity: "error",
    what: "no socket hook on the cgroup /sys/fs/cgroup/unified, by the links in /sys/fs/bpf/portolan/v1: local processes reach no Service",
    do: `${RESTART}; its --cgroup-root must be there for as long as it serves`,
  });
  const [some] = examine({ ...WELL, sockets: SOCKETS.slice(0, 6), agent: { ...AGENT, settings: null } });
  expect(some?.what).toMatch(/^no getpeername4 getpeername6 on the node's cgroups, by the links in /);
});

test("a device without one of its hooks is an error, unless hooks leave no links", () => {
  const devices = [
    { device: "eth0", hooks: ["ingress", "egress"] },
    { device: "veth1", hooks: ["egress"] },
    { device: "veth2", hooks: [] },
  ];
  expect(examine({ ...WELL, devices }).map(({ severity, what }) => [severity, what])).toEqual([
    ["error", "device veth1 without our program at ingress: packets of Services pass it untranslated"],
    ["error", "device veth2 without our program at ingress and egress: packets of Services pass it untranslated"],
  ]);
  expect(examine({ ...WELL, devices: undefined })).toEqual([]);
});

test("rights that the agent lacks are a warning for each thing that is done without", () => {
  const lacking = (...lacks: string[]) =>
    examine({ ...WELL, agent: { ...AGENT, settings: { ...AGENT.settings, lacks } } });
  expect(lacking("CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "hostPID")).toEqual([
    {
      check: "rights",
      severity: "warning",
      what: "the agent lacks CAP_SYS_ADMIN, CAP_SYS_PTRACE, hostPID: a UDP socket of a pod that is connected to an endpoint which is no more stays on it until it is closed",
      do: "grant it (closeStaleSockets among the values of the chart); if pods have no such sockets, nothing",
    },
  ]);
  expect(lacking("CAP_SYS_PTRACE", "CAP_NET_RAW").map(({ what }) => what.split(":")[0])).toEqual([
    "the agent lacks CAP_SYS_PTRACE",
    "the agent lacks CAP_NET_RAW",
  ]);
});

test.each([
  [800, []],
  [801, ["warning"]],
  [950, ["warning"]],
  [951, ["error"]],
])("a map of 1000 with %i entries", (used, severities) => {
  const findings = examine({ ...WELL, maps: [{ map: "flows", used, size: 1000, evicts: false }] });
  expect(findings.map(({ severity }) => severity)).toEqual(severities);
});

test("a map that fills up is named with the flag that sizes it, or with the agent that would sweep it", () => {
  const flows = { map: "flows", used: 1000, size: 1000, evicts: false };
  const devices = { map: "devices", used: 8192, size: 8192, evicts: false };
  const advice = (node: Partial<NodeState>) =>
    examine({ ...WELL, ...node }).flatMap(({ check, do: what }) => (check === "maps" ? [what] : []));
  expect(examine({ ...WELL, maps: [flows] })[0]).toEqual({
    check: "maps",
    severity: "error",
    what: "map flows of /sys/fs/bpf/portolan/v1 is 100 % full: 1000 of 1000 entries",
    do: "start the agent with a larger --max-flows, and run `portolan cleanup` before, for a map that is there keeps its size (connections on the wire break with it)",
  });
  expect(advice({ maps: [flows], agent: { ...AGENT, running: false } })).toEqual([
    "start the agent: ended flows are swept only while it runs",
  ]);
  expect(advice({ maps: [devices] })).toEqual([
    "no flag of the agent sizes it: serve less by it, and tell the makers of Portolan",
  ]);
});

test("the flag that is named for a map makes it larger", () => {
  const sizes = { maxServices: 65_536, maxBackends: 262_144, maxFlows: 1_048_576 };
  const doubled: Readonly<Record<string, object>> = {
    "--max-services": { maxServices: 131_072 },
    "--max-backends": { maxBackends: 524_288 },
    "--max-flows": { maxFlows: 2_097_152 },
  };
  const before = mapSizeTable(sizes);
  for (const [map, flag] of Object.entries(SIZE_FLAGS)) {
    const after = mapSizeTable({ ...sizes, ...doubled[flag] });
    expect([map, (after[map] ?? 0) > (before[map] ?? 0)]).toEqual([map, true]);
  }
});

test("what was dropped for want of something is a warning with its count; answers are none", () => {
  const reasons = ["flow_table_full", "snat_exhausted", "remap_exhausted", "stale_service", "no_snat_address"];
  const others = ["no_endpoints", "no_local_endpoints", "source_range", "no_flow", "no_route"];
  const drops = [...reasons, ...others].map((reason) => ({ reason, count: 7, explanation: `why ${reason}` }));
  const findings = examine({ ...WELL, drops });
  expect(findings.map(({ check, severity, what }) => [check, severity, what])).toEqual(
    reasons.map((reason) => [
      "drops",
      "warning",
      `7 packets or connections dropped as ${reason} since /sys/fs/bpf/portolan/v1 was made: why ${reason}`,
    ]),
  );
  expect(findings[1]?.do).toBe(
    "give its Services more endpoints, or the agent a wider --snat-port-range; `portolan flows` shows who holds the ports. `portolan drops --watch` shows whether it goes on",
  );
});

/** A port of default/web with frontends of these kinds in one family. */
function port(family: 4 | 6, kinds: readonly FrontendKind[], sources?: SourceFilter): NodeState["services"][number] {
  const address = (family === 4 ? "198.51.100.1" : "2001:db8:51::1") as Ip;
  const frontends: readonly FrontendState[] = kinds.map((kind) => ({
    kind,
    address,
    port: 80,
    protocol: "TCP",
    serviceId: family,
    service: undefined,
  }));
  return { namespace: "default", name: "web", family, frontends, sources };
}

function filter(kinds: readonly FrontendKind[], ...rules: readonly [range: string, admit: boolean][]): SourceFilter {
  return {
    kinds,
    rules: rules.map(([text, admit]) => {
      const range = parseCidr(text);
      if (range === undefined) throw new Error(`${text} is no range`);
      return { range, admit };
    }),
  };
}

const ALL: readonly FrontendKind[] = ["ClusterIP", "NodePort", "LoadBalancer"];
const OFFICE = filter(["LoadBalancer"], ["203.0.113.0/24", true], ["0.0.0.0/32", false]);

test("row 45: ranges that close one family of a Service are a warning that names Service and open family, once", () => {
  expect(
    examine({ ...WELL, services: [port(4, ALL, OFFICE), port(6, ALL), port(4, ALL, OFFICE), port(6, ALL)] }),
  ).toEqual([
    {
      check: "source-ranges",
      severity: "warning",
      what: "Service default/web: its source ranges hold over IPv4 alone, so over IPv6 everybody is served (LoadBalancer)",
      do: "add an IPv6 range to spec.loadBalancerSourceRanges, or the annotation portolan.dev/source-ranges-policy: strict to serve nobody; if everybody is meant, nothing",
    },
  ]);
  const office6 = filter(["LoadBalancer", "NodePort"], ["2001:db8::/32", true]);
  expect(examine({ ...WELL, services: [port(6, ALL, office6), port(4, ALL)] })[0]?.what).toBe(
    "Service default/web: its source ranges hold over IPv6 alone, so over IPv4 everybody is served (LoadBalancer, NodePort)",
  );
});

test("row 45: an open family that only denies some is as open", () => {
  const denied = filter(["LoadBalancer"], ["::/0", true], ["2001:db8:bad::/48", false], ["::/128", true]);
  const [found] = examine({ ...WELL, services: [port(4, ALL, OFFICE), port(6, ALL, denied)] });
  expect(found?.what).toContain("over IPv6 everybody is served");
});

test.each([
  ["without ranges", [port(4, ALL), port(6, ALL)]],
  ["with ranges of both families", [port(4, ALL, OFFICE), port(6, ALL, filter(["LoadBalancer"], ["::1/128", true]))]],
  ["that is strict", [port(4, ALL, OFFICE), port(6, ALL, filter(["LoadBalancer"], ["::/128", false]))]],
  ["of one family", [port(4, ALL, OFFICE)]],
  ["whose addresses are of one family", [port(4, ALL, OFFICE), port(6, ["ClusterIP", "NodePort"])]],
  [
    "that denies some of one family",
    [port(4, ALL, filter(["LoadBalancer"], ["0.0.0.0/0", true], ["203.0.113.0/24", false])), port(6, ALL)],
  ],
  ["beside one of another namespace", [port(4, ALL, OFFICE), { ...port(6, ALL), namespace: "shop" }]],
])("row 45: a Service %s is no trap", (_, services) => {
  expect(examine({ ...WELL, services })).toEqual([]);
});

const NFT = { mode: "nftables", places: ["nftables table ip kube-proxy"] } as const;
const found = (listening: boolean) =>
  `a kube-proxy's rules are at work on this node (mode nftables: nftables table ip kube-proxy; ${listening ? "something" : "nothing"} listens on its ports)`;

test("service-proxies: a kube-proxy's rules are an error while nothing of ours serves, beside ours a warning", () => {
  const others = { kubeProxy: { rules: [NFT], listening: false, unseen: [] }, programs: [] };
  const [before] = examineOthers(others);
  expect(before).toMatchObject({ check: "service-proxies", severity: "error", what: found(false) });
  expect(before?.do).toContain("--take-over");
  const running = { ...others, kubeProxy: { ...others.kubeProxy, listening: true } };
  expect(examine({ ...WELL, others: running })).toMatchObject([{ severity: "warning", what: found(true) }]);
  expect(examineOthers(WELL.others)).toEqual([]);
  expect(examine({ ...WELL, others: undefined })).toEqual([]);
});

test("service-proxies: Cilium, and what could not be looked at", () => {
  const programs = [{ name: "Cilium", places: ["/sys/fs/bpf/cilium/x"], advice: "set it" }] as const;
  const others = { kubeProxy: { rules: [], listening: false, unseen: ["nftables: nft is not installed"] }, programs };
  expect(examineOthers(others)).toEqual([
    {
      check: "service-proxies",
      severity: "warning",
      what: "whether a kube-proxy serves this node cannot be seen whole: nftables: nft is not installed",
      do: "run this where iptables and nft are installed and may list rules",
    },
    {
      check: "service-proxies",
      severity: "error",
      what: "Cilium serves Services on this node (/sys/fs/bpf/cilium/x), and two cannot",
      do: "set it",
    },
  ]);
});
