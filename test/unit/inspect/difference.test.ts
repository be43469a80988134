// SPDX-License-Identifier: Apache-2.0
// Each kind of difference, planted: `portolan diff` names it and nothing else.
import { expect, test } from "vitest";
import { renderListing } from "../../../src/cli/format/listing.ts";
import { DIFFERENCE_LISTING } from "../../../src/cli/inspect-diff.ts";
import type { CompiledService, Frontend, Member, ServiceKey } from "../../../src/compile/state.ts";
import type { BackendState, FrontendState, ServiceState } from "../../../src/datapath/ebpf/state-types.ts";
import { differences, lasting } from "../../../src/inspect/difference.ts";
import type { DifferenceRow } from "../../../src/inspect/rows.ts";
import { cidr, ip } from "../../support/compiled.ts";

const HERE: Member = {
  address: ip("10.244.1.5"),
  port: 8080,
  nodeName: "n1",
  zone: "a",
  local: true,
  terminating: false,
  weight: 1,
};
const AWAY: Member = { ...HERE, address: ip("10.244.2.5"), nodeName: "n2", zone: undefined, local: false };
const VIP: Frontend = { kind: "ClusterIP", address: ip("10.96.0.1"), port: 80 };
const NODE_PORT: Frontend = { kind: "NodePort", address: undefined, port: 30_080 };
const RANGES: NonNullable<CompiledService["sources"]> = {
  kinds: ["NodePort", "LoadBalancer"],
  rules: [
    { range: cidr("203.0.113.0/24"), admit: true },
    { range: cidr("0.0.0.0/32"), admit: false },
  ],
};

/** Wanted, and in the kernel, unless a test says otherwise. */
const WEB: CompiledService = {
  key: "default/web:http/TCP/IPv4" as ServiceKey,
  namespace: "default",
  name: "web",
  portName: "http",
  protocol: "TCP",
  family: 4,
  type: "NodePort",
  frontends: [VIP, NODE_PORT],
  cluster: [HERE, AWAY],
  local: [HERE],
  serving: [],
  internalLocal: false,
  externalLocal: true,
  hasAnyEndpoints: true,
  scheduler: "default",
  affinitySeconds: 0,
  endsConnections: false,
  sources: RANGES,
};
/** Of IPv6, without a Maglev table: a lone ClusterIP. */
const DNS: CompiledService = {
  ...WEB,
  key: "kube-system/dns:/UDP/IPv6" as ServiceKey,
  namespace: "kube-system",
  name: "dns",
  portName: "",
  protocol: "UDP",
  family: 6,
  type: "ClusterIP",
  frontends: [{ kind: "ClusterIP", address: ip("fd00:10:96::a"), port: 53 }],
  cluster: [{ ...HERE, address: ip("fd00:244::5"), port: 53 }],
  local: [],
  serving: [{ ...HERE, address: ip("fd00:244::6"), port: 53, terminating: true }],
  externalLocal: false,
  sources: undefined,
};

const WEB_ID = 7;

/** As the maps would hold it, by ids and unset names. */
function inKernel(service: CompiledService, id: number, tableSize: number): ServiceState {
  const backend = ({ nodeName = "", zone = "", ...member }: Member): BackendState => {
    return { ...member, id: 1, protocol: service.protocol, nodeName, zone, connections: 5n };
  };
  const wildcard = ip(service.family === 4 ? "0.0.0.0" : "::");
  const frontends = service.frontends.map((frontend): FrontendState => {
    const { address = wildcard, ...rest } = frontend;
    return { ...rest, address, protocol: service.protocol, serviceId: id, service: service.key };
  });
  return {
    ...service,
    id,
    affinityEpoch: 3,
    tableSize,
    stats: { connections: 5n, packets: 0n, bytes: 0n, rejects: 0n },
    frontends,
    cluster: service.cluster.map(backend),
    local: service.local.map(backend),
    serving: service.serving.map(backend),
  };
}

const FOUND_WEB = inKernel(WEB, WEB_ID, 251);
const FOUND_DNS = inKernel(DNS, 8, 0);

function diff(
  wanted: readonly CompiledService[],
  services: readonly ServiceState[],
  stray: readonly FrontendState[] = [],
): readonly DifferenceRow[] {
  return differences(wanted, { services, frontends: [...services.flatMap(({ frontends }) => frontends), ...stray] });
}

/** Those of WEB when the kernel has it as found: `what name: wanted -> found`. */
function planted(found: Partial<ServiceState>): readonly string[] {
  const rows = diff([WEB, DNS], [{ ...FOUND_WEB, ...found }, FOUND_DNS]);
  for (const { service, protocol, family } of rows)
    expect([service, protocol, family]).toEqual(["default/web:http", "TCP", "IPv4"]);
  return rows.map((row) => `${row.what} ${row.name ?? "-"}: ${row.wanted ?? "-"} -> ${row.found ?? "-"}`);
}

const [VIP_FOUND, NODE_PORT_FOUND] = FOUND_WEB.frontends as [FrontendState, FrontendState];
const [HERE_FOUND, AWAY_FOUND] = FOUND_WEB.cluster as [BackendState, BackendState];

test("a kernel that has what is wanted: nothing, whatever its ids and counters", () => {
  expect(diff([WEB, DNS], [FOUND_DNS, FOUND_WEB])).toEqual([]);
  expect(diff([], [])).toEqual([]);
});

test("where rules serve nobody misses Maglev tables, and rules that are not as they were written are rows", () => {
  const services = [inKernel(WEB, WEB_ID, 0)];
  const found = { services, frontends: services.flatMap(({ frontends }) => frontends) };
  expect(differences([WEB], found).map(({ what }) => what)).toEqual(["maglevTable"]);
  const rows = differences([WEB], { ...found, rules: { faults: ["iptables -t nat KUBE-SVC-A"] } });
  const rule = { service: null, protocol: "", family: null, what: "rule", name: "iptables -t nat KUBE-SVC-A" };
  expect(rows).toEqual([{ ...rule, wanted: "as written", found: "otherwise" }]);
});

test.each<readonly [string, Partial<ServiceState>, readonly string[]]>([
  ["a frontend is missing", { frontends: [VIP_FOUND] }, ["frontend 0.0.0.0:30080: NodePort -> -"]],
  [
    "a frontend is too much",
    { frontends: [...FOUND_WEB.frontends, { ...VIP_FOUND, kind: "ExternalIP", address: ip("192.0.2.9") }] },
    ["frontend 192.0.2.9:80: - -> ExternalIP"],
  ],
  [
    "a frontend has another port",
    { frontends: [VIP_FOUND, { ...NODE_PORT_FOUND, port: 30_081 }] },
    ["frontend 0.0.0.0:30080: NodePort -> -", "frontend 0.0.0.0:30081: - -> NodePort"],
  ],
  [
    "a frontend is of another kind",
    { frontends: [{ ...VIP_FOUND, kind: "ExternalIP" }, NODE_PORT_FOUND] },
    ["frontend 10.96.0.1:80: ClusterIP -> ExternalIP"],
  ],
  [
    "a cluster IP counts as the node's own",
    { frontends: [{ ...VIP_FOUND, onNode: true }, NODE_PORT_FOUND] },
    ["frontend 10.96.0.1:80: ClusterIP -> ClusterIP,onNode"],
  ],
  ["an endpoint is missing", { cluster: [HERE_FOUND] }, ["clusterEndpoint 10.244.2.5:8080: weight=1,node=n2 -> -"]],
  [
    "an endpoint is too much",
    { cluster: [HERE_FOUND, AWAY_FOUND, { ...AWAY_FOUND, port: 8081 }] },
    ["clusterEndpoint 10.244.2.5:8081: - -> weight=1,node=n2"],
  ],
  [
    "an endpoint stands twice",
    { cluster: [HERE_FOUND, AWAY_FOUND, AWAY_FOUND] },
    ["clusterEndpoint 10.244.2.5:8080: weight=1,node=n2 -> weight=1,node=n2;weight=1,node=n2"],
  ],
  [
    "an endpoint has another weight",
    { cluster: [HERE_FOUND, { ...AWAY_FOUND, weight: 3 }] },
    ["clusterEndpoint 10.244.2.5:8080: weight=1,node=n2 -> weight=3,node=n2"],
  ],
  [
    "an endpoint is another node's, in another zone, and terminates",
    { cluster: [HERE_FOUND, { ...AWAY_FOUND, nodeName: "n3", zone: "b", terminating: true }] },
    ["clusterEndpoint 10.244.2.5:8080: weight=1,node=n2 -> weight=1,node=n3,zone=b,terminating"],
  ],
  ["the Local set lacks one", { local: [] }, ["localEndpoint 10.244.1.5:8080: weight=1,node=n1,zone=a,local -> -"]],
  [
    "flows keep to one that does not serve",
    { serving: [AWAY_FOUND] },
    ["servingEndpoint 10.244.2.5:8080: - -> weight=1,node=n2"],
  ],
  [
    "other policies",
    { internalLocal: true, externalLocal: false },
    ["internalTrafficPolicy -: Cluster -> Local", "externalTrafficPolicy -: Local -> Cluster"],
  ],
  ["another affinity", { affinitySeconds: 10_800 }, ["affinitySeconds -: 0 -> 10800"]],
  ["another scheduler", { scheduler: "random" }, ["scheduler -: default -> random"]],
  ["no room for its Maglev table", { tableSize: 0 }, ["maglevTable -: true -> false"]],
  ["another type", { type: "LoadBalancer" }, ["type -: NodePort -> LoadBalancer"]],
  ["refuses where it is to be silent", { hasAnyEndpoints: false }, ["endpointsAnywhere -: true -> false"]],
  ["connections that are to stay", { endsConnections: true }, ["endsConnections -: false -> true"]],
  [
    "serves everybody",
    { sources: undefined },
    [
      "sourceRangesOf -: LoadBalancer,NodePort -> none",
      "sourceRange 203.0.113.0/24: admit -> -",
      "sourceRange node: deny -> -",
    ],
  ],
  [
    "other source ranges",
    {
      sources: {
        kinds: ["LoadBalancer", "NodePort"],
        rules: [
          { range: cidr("203.0.113.0/25"), admit: true },
          { range: cidr("0.0.0.0/32"), admit: true },
        ],
      },
    },
    [
      "sourceRange 203.0.113.0/24: admit -> -",
      "sourceRange node: deny -> admit",
      "sourceRange 203.0.113.0/25: - -> admit",
    ],
  ],
])("%s", (_, found, rows) => {
  expect(planted(found)).toEqual(rows);
});

test("a service that is missing, one that is too much, a frontend that leads to nobody", () => {
  const stray: FrontendState = { ...VIP_FOUND, address: ip("fd00::9"), serviceId: 99, service: undefined };
  const rows = diff([DNS], [FOUND_WEB], [stray]);
  expect(renderListing(DIFFERENCE_LISTING, rows, "table")).toBe(
    `SERVICE            PROTO   FAMILY   WHAT              NAME                 WANTED                                      FOUND
default/web:http   TCP     IPv4     service           -                    -                                           there
default/web:http   TCP     IPv4     frontend          10.96.0.1:80         -                                           ClusterIP
default/web:http   TCP     IPv4     frontend          0.0.0.0:30080        -                                           NodePort
default/web:http   TCP     IPv4     sourceRange       203.0.113.0/24       -                                           admit
default/web:http   TCP     IPv4     sourceRange       node                 -                                           deny
default/web:http   TCP     IPv4     clusterEndpoint   10.244.1.5:8080      -                                           weight=1,node=n1,zone=a,local
default/web:http   TCP     IPv4     clusterEndpoint   10.244.2.5:8080      -                                           weight=1,node=n2
default/web:http   TCP     IPv4     localEndpoint     10.244.1.5:8080      -                                           weight=1,node=n1,zone=a,local
kube-system/dns    UDP     IPv6     service           -                    there                                       -
kube-system/dns    UDP     IPv6     frontend          [fd00:10:96::a]:53   ClusterIP                                   -
kube-system/dns    UDP     IPv6     clusterEndpoint   [fd00:244::5]:53     weight=1,node=n1,zone=a,local               -
kube-system/dns    UDP     IPv6     servingEndpoint   [fd00:244::6]:53     weight=1,node=n1,zone=a,local,terminating   -
-                  TCP     IPv6     frontend          [fd00::9]:80         -                                           ClusterIP
`,
  );
});

test("JSON: the rows, null for what one side does not have", () => {
  const rows = diff([WEB], [{ ...FOUND_WEB, affinitySeconds: 60, frontends: [VIP_FOUND] }]);
  expect(renderListing(DIFFERENCE_LISTING, rows, "json")).toBe(`[
  {
    "service": "default/web:http",
    "protocol": "TCP",
    "family": "IPv4",
    "what": "affinitySeconds",
    "name": null,
    "wanted": "0",
    "found": "60"
  },
  {
    "service": "default/web:http",
    "protocol": "TCP",
    "family": "IPv4",
    "what": "frontend",
    "name": "0.0.0.0:30080",
    "wanted": "NodePort",
    "found": null
  }
]
`);
  expect(renderListing(DIFFERENCE_LISTING, [], "json")).toBe("[]\n");
});

test("what was on its way at the first look, and what has moved since, does not count", () => {
  const [stays, moves, over] = diff(
    [WEB],
    [{ ...FOUND_WEB, type: "ClusterIP", affinitySeconds: 60, scheduler: "mh" }],
  ) as [DifferenceRow, DifferenceRow, DifferenceRow];
  expect(lasting([stays, moves, over], [{ ...moves, found: "random" }, stays])).toEqual([stays]);
});
