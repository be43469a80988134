// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { renderListing } from "../../../src/cli/format/listing.ts";
import {
  AFFINITY_LISTING,
  BACKEND_LISTING,
  DROP_LISTING,
  FLOW_LISTING,
  FRONTEND_LISTING,
  SERVICE_LISTING,
} from "../../../src/cli/inspect-listings.ts";
import type { ServiceKey } from "../../../src/compile/state.ts";
import type {
  AffinityState,
  BackendState,
  FlowState,
  FrontendState,
  ServiceState,
} from "../../../src/datapath/ebpf/state-types.ts";
import { affinityRows } from "../../../src/inspect/affinity-rows.ts";
import { dropRows, flowRows } from "../../../src/inspect/flow-rows.ts";
import { backendRows, frontendRows, serviceName, serviceRows } from "../../../src/inspect/service-rows.ts";
import { type Ip, parseIp } from "../../../src/model/ip.ts";

const WEB_KEY = "default/web:http/TCP/IPv4" as ServiceKey;
const LOCAL = backend({ id: 1, address: "10.244.1.5", local: true, nodeName: "n1", zone: "a", connections: 30n });
const REMOTE = backend({ id: 2, address: "10.244.2.5", nodeName: "n2", connections: 10n });
const DYING = backend({ id: 3, address: "10.244.1.6", local: true, nodeName: "n1", terminating: true });
const FRONTENDS: readonly FrontendState[] = [
  frontend("LoadBalancer", "198.51.100.1", 80),
  frontend("NodePort", "0.0.0.0", 30080),
  frontend("ClusterIP", "10.96.0.1", 80),
];
const WEB: ServiceState = {
  id: 7,
  key: WEB_KEY,
  namespace: "default",
  name: "web",
  portName: "http",
  protocol: "TCP",
  family: 4,
  type: "LoadBalancer",
  scheduler: "default",
  affinitySeconds: 0,
  affinityEpoch: 0,
  internalLocal: false,
  externalLocal: false,
  hasAnyEndpoints: true,
  endsConnections: false,
  cluster: [LOCAL, REMOTE],
  local: [],
  serving: [],
  tableSize: 251,
  frontends: FRONTENDS,
  sources: undefined,
  stats: { connections: 40n, packets: 400n, bytes: 51200n, rejects: 2n },
};
const DNS: ServiceState = {
  ...WEB,
  key: "kube-system/dns:/UDP/IPv6" as ServiceKey,
  protocol: "UDP",
  family: 6,
  type: "ClusterIP",
  externalLocal: true,
  local: [LOCAL, DYING],
  frontends: [{ ...frontend("ClusterIP", "fd00:10:96::a", 53), protocol: "UDP" }],
  stats: { connections: 0n, packets: 0n, bytes: 0n, rejects: 0n },
};
const STICKY: ServiceState = { ...WEB, affinitySeconds: 10800, affinityEpoch: 4 };
const MEMORY: AffinityState = {
  client: ip("203.0.113.2"),
  netns: 0n,
  serviceId: 7,
  epoch: 4,
  backend: ip("10.244.1.5"),
  backendPort: 8080,
  lastUsed: 990,
};

test("services: one line for each service port and family, frontends in the order of their kinds", () => {
  expect(renderListing(SERVICE_LISTING, serviceRows([WEB, DNS]), "table")).toBe(
    `SERVICE            PROTO   TYPE           FRONTENDS                                    SCHEDULER   POLICY          ENDPOINTS   CONNECTIONS   PACKETS   BYTES   REJECTS
default/web:http   TCP     LoadBalancer   10.96.0.1:80,0.0.0.0:30080,198.51.100.1:80   default     Cluster         1/2         40            400       51200   2
kube-system/dns    UDP     ClusterIP      [fd00:10:96::a]:53                           default     Cluster/Local   2/3         0             0         0       0
`,
  );
});

test("a service's JSON has the documented fields", () => {
  expect(serviceRows([WEB])).toEqual([
    {
      service: "default/web:http",
      protocol: "TCP",
      family: "IPv4",
      type: "LoadBalancer",
      frontends: ["10.96.0.1:80", "0.0.0.0:30080", "198.51.100.1:80"],
      scheduler: "default",
      affinitySeconds: null,
      internalTrafficPolicy: "Cluster",
      externalTrafficPolicy: "Cluster",
      endpoints: { local: 1, total: 2 },
      connections: 40,
      packets: 400,
      bytes: 51200,
      rejects: 2,
    },
  ]);
});

test("backends: shares measured against expected, none expected where two policies see different endpoints", () => {
  expect(renderListing(BACKEND_LISTING, backendRows([WEB, DNS]), "table")).toBe(
    `SERVICE            PROTO   ENDPOINT          NODE   ZONE   STATE         WEIGHT   CONNECTIONS   SHARE   EXPECTED
default/web:http   TCP     10.244.1.5:8080   n1     a      ready         1        30            75.0%   50.0%
default/web:http   TCP     10.244.2.5:8080   n2     -      ready         1        10            25.0%   50.0%
kube-system/dns    UDP     10.244.1.5:8080   n1     a      ready         1        30            75.0%   -
kube-system/dns    UDP     10.244.2.5:8080   n2     -      ready         1        10            25.0%   -
kube-system/dns    UDP     10.244.1.6:8080   n1     -      terminating   1        0             0.0%    -
`,
  );
});

test("with Maglev the expected share follows the weights", () => {
  const heavy = { ...REMOTE, weight: 3 };
  const rows = backendRows([{ ...WEB, scheduler: "mh", cluster: [LOCAL, heavy] }]);
  expect(rows.map((row) => row.expectedShare)).toEqual([0.25, 0.75]);
});

test("frontends: sorted by service, a moment without a service shows as a dash", () => {
  const orphan = { ...frontend("ExternalIP", "203.0.113.9", 443), service: undefined };
  expect(renderListing(FRONTEND_LISTING, frontendRows([...FRONTENDS, orphan]), "table")).toBe(
    `FRONTEND          PROTO   KIND           SERVICE
203.0.113.9:443   TCP     ExternalIP     -
0.0.0.0:30080     TCP     NodePort       default/web:http
10.96.0.1:80      TCP     ClusterIP      default/web:http
198.51.100.1:80   TCP     LoadBalancer   default/web:http
`,
  );
});

test("flows: one line for each connection, with what the backend sees instead of the client", () => {
  const flows: readonly FlowState[] = [
    flow({ answered: true, snat: { address: ip("192.0.2.11"), port: 1025 }, created: 100, lastSeen: 990 }),
    flow({ mappedPort: 1026, answered: true, state: 1 | 2, created: 900, lastSeen: 990 }),
    flow({ answered: true, state: 1 | 2 | 4, created: 995, lastSeen: 1000 }),
    flow({ service: undefined, direct: true, created: 1001, lastSeen: 1001 }),
  ];
  expect(renderListing(FLOW_LISTING, flowRows(flows, 1000), "wide")).toBe(
    `PROTO   CLIENT              VIP            BACKEND           SNAT               STATE         AGE    IDLE   SERVICE
TCP     203.0.113.2:40000   10.96.0.1:80   10.244.1.5:8080   192.0.2.11:1025    established   15m    10s    default/web:http
TCP     203.0.113.2:40000   10.96.0.1:80   10.244.1.5:8080   203.0.113.2:1026   closing       100s   10s    default/web:http
TCP     203.0.113.2:40000   10.96.0.1:80   10.244.1.5:8080   -                  closed        5s     0s     default/web:http
TCP     203.0.113.2:40000   10.96.0.1:80   10.244.1.5:8080   -                  new           0s     0s     -
`,
  );
});

test("drops: every reason with its meaning", () => {
  const rows = dropRows([{ reason: 1, name: "no_endpoints", count: 3n }]);
  expect(renderListing(DROP_LISTING, rows, "table")).toBe(
    `REASON         COUNT   MEANING
no_endpoints   3       the Service has no usable endpoint on any node: refused (REJECT)
`,
  );
});

test("affinity: who keeps which endpoint; what is void is left out", () => {
  const netns = (cookie: bigint) => ({ client: undefined, netns: cookie });
  const clients = [
    { address: ip("10.244.1.9"), netns: 55n },
    { address: ip("fd00:244:1::9"), netns: 55n },
  ];
  const entries: readonly AffinityState[] = [
    MEMORY,
    { ...MEMORY, ...netns(1n), backend: ip("10.244.2.5") },
    { ...MEMORY, ...netns(55n), lastUsed: -9800 },
    { ...MEMORY, ...netns(56n) },
    { ...MEMORY, client: ip("203.0.113.3"), lastUsed: -9801 },
    { ...MEMORY, client: ip("203.0.113.4"), epoch: 3 },
    { ...MEMORY, client: ip("203.0.113.5"), backend: ip("10.244.9.9") },
    { ...MEMORY, client: ip("203.0.113.6"), serviceId: 8 },
  ];
  const rows = affinityRows(entries, { services: [STICKY], clients, hostNetns: 1n, now: 1000 });
  expect(renderListing(AFFINITY_LISTING, rows, "table")).toBe(
    `CLIENT        SERVICE            PROTO   ENDPOINT          IDLE   EXPIRES
10.244.1.9    default/web:http   TCP     10.244.1.5:8080   3h     0s
203.0.113.2   default/web:http   TCP     10.244.1.5:8080   10s    2h59m
host          default/web:http   TCP     10.244.2.5:8080   10s    2h59m
netns:56      default/web:http   TCP     10.244.1.5:8080   10s    2h59m
`,
  );
});

test("docs/cli.md names every field of every row", () => {
  const docs = readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8");
  const rows: readonly object[] = [
    ...serviceRows([WEB]),
    ...backendRows([WEB]),
    ...frontendRows(FRONTENDS),
    ...flowRows([flow({})], 0),
    ...affinityRows([MEMORY], { services: [STICKY], clients: [], hostNetns: 1n, now: 1000 }),
    ...dropRows([{ reason: 1, name: "no_endpoints", count: 3n }]),
  ];
  const fields = new Set(rows.flatMap((row) => Object.keys(row)));
  expect([...fields].filter((field) => !docs.includes(`\`${field}\``))).toEqual([]);
});

test("a service without a port name has no colon", () => {
  expect(serviceName(WEB_KEY)).toBe("default/web:http");
  expect(serviceName("default/web:/TCP/IPv4")).toBe("default/web");
});

function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

function backend(fields: Partial<Omit<BackendState, "address">> & { id: number; address: string }): BackendState {
  return {
    port: 8080,
    protocol: "TCP",
    local: false,
    terminating: false,
    weight: 1,
    nodeName: "",
    zone: "",
    connections: 0n,
    ...fields,
    address: ip(fields.address),
  };
}

function frontend(kind: FrontendState["kind"], address: string, port: number): FrontendState {
  return { kind, address: ip(address), port, protocol: "TCP", serviceId: 7, service: WEB_KEY };
}

function flow(fields: Partial<FlowState>): FlowState {
  return {
    protocol: "TCP",
    client: ip("203.0.113.2"),
    clientPort: 40000,
    vip: ip("10.96.0.1"),
    vipPort: 80,
    backend: ip("10.244.1.5"),
    backendPort: 8080,
    mappedPort: 40000,
    snat: undefined,
    transit: false,
    direct: false,
    answered: false,
    state: 0,
    serviceId: 7,
    service: WEB_KEY,
    backendId: 1,
    created: 0,
    lastSeen: 0,
    ...fields,
  };
}
