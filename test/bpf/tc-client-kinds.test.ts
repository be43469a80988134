// SPDX-License-Identifier: Apache-2.0
// Who is a local pod on the wire, by mode, and what follows for a new connection: whom the backend sees, and whether
// endpoints of other nodes may answer (behaviour rows 34-38). Each mode meets packets from a pod's veth, a bridge's port,
// an overlay and the uplink.

import { beforeAll, describe, expect, test } from "vitest";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { decode, encode } from "../../src/datapath/ebpf/codec.ts";
import { ipFromBytes } from "../../src/model/ip.ts";
import { buildPacket } from "./support/build-packet.ts";
import type { Datapath } from "./support/datapath.ts";
import { useDatapath } from "./support/scenario.ts";
import { services4, services6 } from "./support/services.ts";
import { type DeviceName, deviceIndex } from "./support/topology.ts";
import { address, nodeEntries, type Service, u32 } from "./support/world.ts";

const { DETECT_DEVICE, DETECT_CLUSTER_CIDR, DETECT_NODE_CIDR, DETECT_INTERFACE_NAME_PREFIX } = abi.DetectLocal;
const { CLIENT_POD, CLIENT_OUTSIDE, CLIENT_UNTOLD } = abi.ClientKind;
const { DEVICE_LOCAL } = abi.DeviceFlags;

/** Two endpoints of which clients from outside get the second: their table holds nothing else. */
const tabled = (frontend: string, first: string, second: string): Service => {
  return { name: "tabled", proto: "tcp", kind: "ClusterIP", frontend, endpoints: [first, second], table: [1, 1, 1] };
};
const SERVICES: readonly Service[] = [
  ...services4,
  ...services6,
  tabled("10.96.0.77:80", "10.0.0.20:8081", "10.0.0.20:8082"),
  tabled("[fd00:96::77]:80", "[fd00::20]:8081", "[fd00::20]:8082"),
];

/** Where the Services of services.ts answer: web, port (policy Cluster), away (policy Local, no endpoint here). */
const TARGETS = {
  4: { clusterIP: ["10.96.0.1", 80], nodePort: ["192.0.2.1", 30080], away: ["198.51.100.2", 80] },
  6: { clusterIP: ["fd00:96::1", 80], nodePort: ["2001:db8:2::1", 30080], away: ["2001:db8:51::2", 80] },
} as const;

/** Whom the backends see. "dropped": there is none. */
type Seen = Readonly<Record<"clusterIP" | "nodePort" | "away", string>>;

const NODE = { 4: "192.0.2.1", 6: "2001:db8:2::1" } as const;
const asPod = (source: string, family: 4 | 6): Seen => ({ clusterIP: source, nodePort: NODE[family], away: source });
const asOutsider = (family: 4 | 6): Seen => ({ clusterIP: NODE[family], nodePort: NODE[family], away: "dropped" });
const asUntold = (source: string, family: 4 | 6): Seen => ({
  clusterIP: source,
  nodePort: NODE[family],
  away: "dropped",
});

async function connect(datapath: Datapath, device: DeviceName, source: string, [vip, port]: readonly [string, number]) {
  const packet = buildPacket({
    device,
    family: source.includes(":") ? 6 : 4,
    proto: "tcp",
    source,
    destination: vip,
    sourcePort: 50000,
    destinationPort: port,
    flags: 2,
    payload: new Uint8Array(),
  });
  await datapath.forgetFlows();
  const { verdict } = await datapath.run("ingress", device, packet);
  const owner = (await datapath.records()).find(({ flow }) => flow.role === abi.FlowRole.FLOW_OWNER)?.flow;
  return { verdict, owner };
}

async function seen(datapath: Datapath, device: DeviceName, source: string, target: keyof Seen): Promise<string> {
  const family = source.includes(":") ? 6 : 4;
  const { verdict, owner } = await connect(datapath, device, source, TARGETS[family][target]);
  if (!owner) return verdict === "drop" ? "dropped" : verdict;
  return ipFromBytes(owner.flags & abi.FlowFlags.FLOW_SNAT ? owner.snat : owner.client);
}

type Case = readonly [device: DeviceName, source: string, seen: Seen];

/** Declares a test for each kind of frontend and each way in. */
function backendsSee(datapath: () => Datapath, cases: readonly Case[]): void {
  test.each(cases)("row 37: through the cluster IP, by %s from %s", async (device, source, expected) => {
    expect(await seen(datapath(), device, source, "clusterIP")).toBe(expected.clusterIP);
  });
  test.each(cases)("row 36: through a NodePort of policy Cluster, by %s from %s", async (device, source, expected) => {
    expect(await seen(datapath(), device, source, "nodePort")).toBe(expected.nodePort);
  });
  test.each(cases)("row 34: through policy Local, nobody here, by %s from %s", async (device, source, expected) => {
    expect(await seen(datapath(), device, source, "away")).toBe(expected.away);
  });
}

const kind = (addr: string, prefixLength: number, of: number) =>
  [encode(abi.clientRange, { prefixLength, addr: address(addr) }), encode(abi.clientRangeKind, { kind: of })] as const;

/** 10.0.0.0/16 and fd00::/32, which the pods of topology.ts are in. */
const RANGES = [
  kind("10.0.0.0", 96 + 16, CLIENT_POD),
  kind("0.0.0.0", 96, CLIENT_OUTSIDE),
  kind("fd00::", 32, CLIENT_POD),
  kind("fd00:1::", 32, CLIENT_POD),
  kind("::", 0, CLIENT_OUTSIDE),
];

/** A pod behind its veth and one behind a bridge's port, of another node, a foreign source, a client outside. */
const PLACES = {
  4: { pod: "10.0.0.10", bridged: "10.0.1.10", remote: "10.0.0.99", foreign: "172.16.0.9", outside: "203.0.113.5" },
  6: { pod: "fd00::10", bridged: "fd00:1::10", remote: "fd00::99", foreign: "2001:db8:9::9", outside: "2001:db8:7::5" },
} as const;

function load(mode: number, more: Readonly<Record<string, Uint8Array>> = {}): () => Datapath {
  return useDatapath(SERVICES, { rodata: { detect_local: u32(mode), ...more } });
}

describe.each([4, 6] as const)("IPv%s", (family) => {
  const at = PLACES[family];

  describe("told by devices", () => {
    const datapath = load(DETECT_DEVICE);
    // what the map says does not matter
    beforeAll(() => datapath().write("client_kinds", [kind("0.0.0.0", 96, CLIENT_POD), kind("::", 0, CLIENT_POD)]));

    backendsSee(datapath, [
      ["client", at.pod, asPod(at.pod, family)],
      ["portA", at.bridged, asPod(at.bridged, family)],
      ["client", at.foreign, asPod(at.foreign, family)],
      ["uplink", at.remote, asOutsider(family)],
      ["overlay", at.remote, asOutsider(family)],
      ["uplink", at.outside, asOutsider(family)],
    ]);
  });

  describe.each([
    ["ClusterCIDR", DETECT_CLUSTER_CIDR],
    ["NodeCIDR", DETECT_NODE_CIDR],
  ] as const)("told by addresses, %s", (_, mode) => {
    const datapath = load(mode);
    beforeAll(() => datapath().write("client_kinds", RANGES));

    backendsSee(datapath, [
      ["client", at.pod, asPod(at.pod, family)],
      ["portA", at.bridged, asPod(at.bridged, family)],
      ["client", at.foreign, asOutsider(family)],
      ["uplink", at.remote, asPod(at.remote, family)],
      ["overlay", at.remote, asPod(at.remote, family)],
      ["uplink", at.outside, asOutsider(family)],
    ]);

    test("row 38: the default scheduler takes the table for clients outside, chance for pods", async () => {
      const target = [family === 4 ? "10.96.0.77" : "fd00:96::77", 80] as const;
      const ports = async (device: DeviceName, source: string): Promise<ReadonlySet<number>> => {
        const found = new Set<number>();
        for (let i = 0; i < 30; i++) {
          found.add((await connect(datapath(), device, source, target)).owner?.backendPort ?? 0);
        }
        return found;
      };
      expect(await ports("client", at.foreign)).toEqual(new Set([8082]));
      expect(await ports("uplink", at.remote)).toEqual(new Set([8081, 8082]));
    });
  });

  describe("told by addresses, no range in this family", () => {
    const datapath = load(DETECT_CLUSTER_CIDR);

    const cases: readonly Case[] = [
      ["client", at.pod, asUntold(at.pod, family)],
      ["portA", at.bridged, asUntold(at.bridged, family)],
      ["uplink", at.outside, asUntold(at.outside, family)],
    ];
    const row35 = "row 35: nobody is a pod, and no cluster IP is masqueraded";

    describe(`${row35}: nothing written yet`, () => backendsSee(datapath, cases));

    describe(`${row35}: the other family has a range`, () => {
      beforeAll(() => {
        const kinds = family === 4 ? [CLIENT_UNTOLD, CLIENT_OUTSIDE] : [CLIENT_OUTSIDE, CLIENT_UNTOLD];
        return datapath().write("client_kinds", [kind("0.0.0.0", 96, kinds[0] ?? 0), kind("::", 0, kinds[1] ?? 0)]);
      });
      backendsSee(datapath, cases);
    });
  });

  describe("told by the names of interfaces", () => {
    const datapath = load(DETECT_INTERFACE_NAME_PREFIX);
    beforeAll(async () => {
      await datapath().write("client_kinds", RANGES); // does not matter
      for (const name of ["portA", "overlay"] as const) {
        const [key, value] = (nodeEntries.devices ?? []).find(([index]) => index[0] === deviceIndex[name]) ?? [];
        if (!key || !value) throw new Error(`no device ${name}`);
        const device = decode(abi.device, value);
        await datapath().write("devices", [
          [key, encode(abi.device, { ...device, flags: device.flags | DEVICE_LOCAL })],
        ]);
      }
    });

    backendsSee(datapath, [
      ["client", at.pod, asOutsider(family)],
      ["portA", at.bridged, asPod(at.bridged, family)],
      ["portA", at.foreign, asPod(at.foreign, family)],
      ["overlay", at.remote, asPod(at.remote, family)],
      ["uplink", at.remote, asOutsider(family)],
    ]);
  });

  describe("with masquerade_all", () => {
    const datapath = load(DETECT_CLUSTER_CIDR, { masquerade_all: u32(1) });
    beforeAll(() => datapath().write("client_kinds", RANGES));

    // policy Local keeps the client's address all the same (34)
    backendsSee(datapath, [
      ["client", at.pod, { ...asPod(at.pod, family), clusterIP: NODE[family] }],
      ["client", at.foreign, asOutsider(family)],
    ]);
  });
});
