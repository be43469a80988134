// SPDX-License-Identifier: Apache-2.0
// From a table of Services to the map entries a datapath driver would have written: through the generated codec, not
// through the driver, whose tests are elsewhere.

import * as abi from "../../../src/datapath/ebpf/abi.gen.ts";
import { type Codec, encode } from "../../../src/datapath/ebpf/codec.ts";
import { ipToBytes, parseIp } from "../../../src/model/ip.ts";
import { bytes } from "./hex.ts";
import type { Entry } from "./machine.ts";
import { type DeviceName, deviceIndex, macOf } from "./topology.ts";

const { ADDRESS_NODE, ADDRESS_NODE_PORT, ADDRESS_CLUSTER_IP, ADDRESS_EXTERNAL } = abi.AddressFlags;

export type FrontendKind = "ClusterIP" | "NodePort" | "externalIP" | "LoadBalancer";

export interface Service {
  /** Counters are told by it. */
  readonly name: string;
  readonly proto: "tcp" | "udp" | "sctp";
  readonly kind: FrontendKind;
  /** "10.96.0.1:80", "[fd00:96::1]:80"; a NodePort's address is the family's wildcard */
  readonly frontend: string;
  /** Local ones first. */
  readonly endpoints: readonly string[];
  /** How many of them are on this node; all when not given. */
  readonly local?: number;
  /** enum block_flags besides BLOCK_HAS_ENDPOINTS */
  readonly flags?: number;
  /** Position of an endpoint for each slot of a Maglev table. */
  readonly table?: readonly number[];
  /** enum scheduler */
  readonly scheduler?: number;
  /** Timeout of its session affinity in seconds; none when not given. */
  readonly affinity?: number;
  /** Of the service word when that began; 1 when not given. */
  readonly affinityEpoch?: number;
  /** Kinds of frontends that serve only whom these ranges admit: "+203.0.113.0/24", "-203.0.113.5/32" */
  readonly sources?: {
    readonly kinds: readonly FrontendKind[];
    readonly set: number;
    readonly rules: readonly string[];
  };
  /** What its address is besides: enum address_flags. */
  readonly addressFlags?: number;
  /** The frontend names a service that has no block. */
  readonly stale?: boolean;
}

export type MapEntries = Readonly<Record<string, readonly Entry[]>>;

/** 16 bytes, IPv4 mapped. Throws on what is no address. */
export function address(text: string): Uint8Array {
  const ip = parseIp(text);
  if (ip === undefined) throw new Error(`not an IP address: ${text}`);
  return ipToBytes(ip);
}

export interface End {
  readonly addr: Uint8Array;
  readonly port: number;
}

/** "10.0.0.1:80" or "[fd00::1]:80" */
export function end(text: string): End {
  const [, v6, v4, port] = /^(?:\[(.+)\]|([\d.]+)):(\d+)$/.exec(text) ?? [];
  if (port === undefined) throw new Error(`not ADDRESS:PORT: ${text}`);
  return { addr: address(v6 ?? v4 ?? ""), port: Number(port) };
}

export function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

export const protocol = { tcp: 6, udp: 17, sctp: 132 } as const;
const kinds = { ClusterIP: 1, NodePort: 2, externalIP: 3, LoadBalancer: 4 } as const;

/** Entries of a service's source set. */
export function sourceEntries({
  sources,
}: Pick<Service, "sources">): readonly (readonly [Uint8Array, abi.SourceVerdict])[] {
  const rules = sources?.rules ?? [];
  return rules.map((rule) => {
    const [prefix = "", length = ""] = rule.slice(1).split("/");
    const bits = Number(length) + (prefix.includes(":") ? 32 : 32 + 96);
    const key = { prefixLength: bits, set: sources?.set ?? 0, addr: address(prefix) };
    return [encode(abi.sourceKey, key), { admit: rule.startsWith("+") ? 1 : 0, entries: rules.length }];
  });
}

export function encodeVerdict([key, verdict]: readonly [Uint8Array, abi.SourceVerdict]): Entry {
  return [key, encode(abi.sourceVerdict, verdict)];
}

/** Rows, ids and words, handed out in the order of the table. Ids begin at 1. */
class Layout {
  readonly entries: Record<string, Entry[]> = {
    frontends: [],
    addresses: [],
    services: [],
    members: [],
    tables: [],
    backends: [],
    source_ranges: [],
  };
  #member = 1;
  #table = 1;
  #backend = 1;

  add<T>(map: string, key: Uint8Array, codec: Codec<T>, value: T): void {
    this.entries[map]?.push([key, encode(codec, value)]);
  }

  service(id: number, service: Service): void {
    const front = end(service.frontend);
    const key = encode(abi.frontendKey, { ...front, proto: protocol[service.proto] });
    this.add("frontends", key, abi.frontend, {
      service: id,
      kind: kinds[service.kind],
      flags: 0,
    });
    if (service.kind !== "NodePort") {
      const flags = service.kind === "ClusterIP" ? ADDRESS_CLUSTER_IP : ADDRESS_EXTERNAL;
      this.add("addresses", front.addr, abi.address, { flags: flags | (service.addressFlags ?? 0) });
    }
    if (service.stale === true) return;
    for (const [key, verdict] of sourceEntries(service)) {
      this.add("source_ranges", key, abi.sourceVerdict, verdict);
    }
    const row = this.#member;
    const ids = service.endpoints.map((endpoint) => this.#endpoint(endpoint, service));
    const idRows = Math.ceil(ids.length / abi.Limits.IDS_PER_ROW);
    this.add("members", u32(row), abi.blockHeader, this.#header(id, service, idRows));
    for (let i = 0; i < idRows; i++) {
      const backend = ids.slice(i * abi.Limits.IDS_PER_ROW, (i + 1) * abi.Limits.IDS_PER_ROW);
      this.add("members", u32(row + 1 + i), abi.blockIds, { backend });
    }
    this.#member += 1 + idRows;
    this.add("services", u32(id), abi.serviceWord, { row, epoch: 1 });
  }

  #header(id: number, service: Service, idRows: number): abi.BlockHeader {
    const table = this.#lookupTable(service.table ?? []);
    const cluster = { count: service.endpoints.length, firstRow: 1, ...table };
    return {
      service: id,
      rows: 1 + idRows,
      cluster,
      local: { ...cluster, count: service.local ?? service.endpoints.length },
      servingCount: 0,
      endsEpoch: (service.flags ?? 0) & abi.BlockFlags.BLOCK_ENDS_CONNECTIONS ? 1 : 0,
      scheduler: service.scheduler ?? 0,
      affinityTimeout: service.affinity ?? 0,
      affinityEpoch: service.affinity === undefined ? 0 : (service.affinityEpoch ?? 1),
      sourceKinds: (service.sources?.kinds ?? []).reduce((bits, kind) => bits | (1 << kinds[kind]), 0),
      sourceSet: service.sources?.set ?? 0,
      flags: (service.flags ?? 0) | (service.endpoints.length > 0 ? abi.BlockFlags.BLOCK_HAS_ENDPOINTS : 0),
    };
  }

  #lookupTable(slots: readonly number[]): { tableRow: number; tableSize: number } {
    if (slots.length === 0) return { tableRow: 0, tableSize: 0 };
    const tableRow = this.#table;
    for (let i = 0; i < slots.length; i += abi.Limits.SLOTS_PER_ROW) {
      this.add("tables", u32(this.#table++), abi.tableRow, { slot: slots.slice(i, i + abi.Limits.SLOTS_PER_ROW) });
    }
    return { tableRow, tableSize: slots.length };
  }

  #endpoint(endpoint: string, service: Service): number {
    const id = this.#backend++;
    const value = { ...end(endpoint), proto: protocol[service.proto], weight: 1, node: 0, zone: 0 };
    this.add("backends", u32(id), abi.backend, { ...value, flags: abi.BackendFlags.BACKEND_LIVE });
    return id;
  }
}

/** Map entries of the Services; the first has id 1. */
export function serviceEntries(services: readonly Service[]): MapEntries {
  const layout = new Layout();
  for (const [index, service] of services.entries()) layout.service(index + 1, service);
  return layout.entries;
}

/** Name of every counted backend by its id: "web[0]". */
export function backendNames(services: readonly Service[]): readonly string[] {
  return services.flatMap((service) =>
    service.stale === true ? [] : service.endpoints.map((_, position) => `${service.name}[${position}]`),
  );
}

const { DEVICE_UPLINK, DEVICE_POD, DEVICE_BRIDGE_PORT, DEVICE_BRIDGE, DEVICE_L3, DEVICE_OVERLAY } = abi.DeviceFlags;
const node4 = "192.0.2.1";
const node6 = "2001:db8:2::1";

function device(name: DeviceName, flags: number, snat4 = node4, snat6 = node6, bridge: DeviceName | 0 = 0): Entry {
  const value: abi.Device = {
    flags,
    bridge: bridge === 0 ? 0 : deviceIndex[bridge],
    snat4: address(snat4),
    snat6: address(snat6),
    mac: bytes(macOf(bridge === 0 ? name : bridge)),
  };
  return [u32(deviceIndex[name]), encode(abi.device, value)];
}

const nodeAddress = (text: string, flags = 0): Entry => [
  address(text),
  encode(abi.address, { flags: ADDRESS_NODE | ADDRESS_NODE_PORT | flags }),
];

/** What the agent knows of the machine in topology.ts. */
export const nodeEntries: MapEntries = {
  devices: [
    device("uplink", DEVICE_UPLINK),
    device("overlay", DEVICE_OVERLAY, "10.200.0.1", "fd00:200::1"),
    device("client", DEVICE_POD),
    device("server", DEVICE_POD),
    device("bridge", DEVICE_BRIDGE, "10.0.1.1", "fd00:1::1"),
    device("portA", DEVICE_BRIDGE_PORT | DEVICE_POD, "10.0.1.1", "fd00:1::1", "bridge"),
    device("portB", DEVICE_BRIDGE_PORT | DEVICE_POD, "10.0.1.1", "fd00:1::1", "bridge"),
    device("tunnel", DEVICE_UPLINK | DEVICE_L3, "0.0.0.0", "::"),
  ],
  addresses: [nodeAddress(node4), nodeAddress(node6), nodeAddress("127.0.0.1", abi.AddressFlags.ADDRESS_LOOPBACK)],
  service_ranges: [
    [
      u32(0),
      encode(abi.serviceRanges, {
        used: 2,
        range: [
          { addr: address("10.96.128.0"), prefix: 96 + 17 },
          { addr: address("fd00:96::8000"), prefix: 113 },
        ],
      }),
    ],
  ],
};
