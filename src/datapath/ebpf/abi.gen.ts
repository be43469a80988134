// SPDX-License-Identifier: Apache-2.0
// Generated from the BTF of bpf/abi.h by gen-abi.ts; do not edit. Meant to be imported as a namespace:
// import * as abi from "./abi.gen.ts".

import type { StructLayout } from "./abi-layout.ts";
import { type Codec, HOST_LITTLE_ENDIAN as LE, readBytes, readText, writeBytes, writeText, writeZeros } from "./codec.ts";

export const PortolanAbi = {
  ABI_VERSION: 1,
} as const;

export const Limits = {
  IDS_PER_ROW: 16,
  SLOTS_PER_ROW: 16,
  NAME_SIZE: 64,
  LONG_NAME_SIZE: 256,
  SERVICE_RANGES: 32,
  SOCK_PEERS: 8,
  FLOW_MAX_SIZE: 512,
} as const;

export const FrontendKind = {
  FRONTEND_CLUSTER_IP: 1,
  FRONTEND_NODE_PORT: 2,
  FRONTEND_EXTERNAL_IP: 3,
  FRONTEND_LOAD_BALANCER: 4,
} as const;
/** value → name without its prefix */
export const frontendKindNames: Readonly<Record<number, string>> = {
  1: "cluster_ip",
  2: "node_port",
  3: "external_ip",
  4: "load_balancer",
};

export const FrontendFlags = {
  FRONTEND_ON_NODE: 1,
} as const;
/** value → name without its prefix */
export const frontendFlagsNames: Readonly<Record<number, string>> = {
  1: "on_node",
};

export const AddressFlags = {
  ADDRESS_NODE_PORT: 1,
  ADDRESS_LOOPBACK: 2,
  ADDRESS_NODE: 4,
  ADDRESS_CLUSTER_IP: 8,
  ADDRESS_EXTERNAL: 16,
  ADDRESS_FOREIGN: 32,
  ADDRESS_UNSURE: 64,
} as const;
/** value → name without its prefix */
export const addressFlagsNames: Readonly<Record<number, string>> = {
  1: "node_port",
  2: "loopback",
  4: "node",
  8: "cluster_ip",
  16: "external",
  32: "foreign",
  64: "unsure",
};

export const Scheduler = {
  SCHEDULER_DEFAULT: 0,
  SCHEDULER_RANDOM: 1,
  SCHEDULER_MAGLEV: 2,
} as const;
/** value → name without its prefix */
export const schedulerNames: Readonly<Record<number, string>> = {
  0: "default",
  1: "random",
  2: "maglev",
};

export const BlockFlags = {
  BLOCK_INTERNAL_LOCAL: 1,
  BLOCK_EXTERNAL_LOCAL: 2,
  BLOCK_HAS_ENDPOINTS: 4,
  BLOCK_ENDS_CONNECTIONS: 8,
} as const;
/** value → name without its prefix */
export const blockFlagsNames: Readonly<Record<number, string>> = {
  1: "internal_local",
  2: "external_local",
  4: "has_endpoints",
  8: "ends_connections",
};

export const SourceBits = {
  SOURCE_SET_BITS: 32,
} as const;
/** value → name without its prefix */
export const sourceBitsNames: Readonly<Record<number, string>> = {
  32: "set_bits",
};

export const BackendFlags = {
  BACKEND_LIVE: 1,
  BACKEND_LOCAL: 2,
  BACKEND_TERMINATING: 4,
} as const;
/** value → name without its prefix */
export const backendFlagsNames: Readonly<Record<number, string>> = {
  1: "live",
  2: "local",
  4: "terminating",
};

export const ServiceMetaFlags = {
  SERVICE_IN_USE: 1,
} as const;
/** value → name without its prefix */
export const serviceMetaFlagsNames: Readonly<Record<number, string>> = {
  1: "in_use",
};

export const ServiceType = {
  SERVICE_CLUSTER_IP: 1,
  SERVICE_NODE_PORT: 2,
  SERVICE_LOAD_BALANCER: 3,
} as const;
/** value → name without its prefix */
export const serviceTypeNames: Readonly<Record<number, string>> = {
  1: "cluster_ip",
  2: "node_port",
  3: "load_balancer",
};

export const AgentConfig = {
  AGENT_MASQUERADE_ALL: 1,
} as const;
/** value → name without its prefix */
export const agentConfigNames: Readonly<Record<number, string>> = {
  1: "masquerade_all",
};

export const DetectLocal = {
  DETECT_DEVICE: 0,
  DETECT_CLUSTER_CIDR: 1,
  DETECT_NODE_CIDR: 2,
  DETECT_BRIDGE_INTERFACE: 3,
  DETECT_INTERFACE_NAME_PREFIX: 4,
} as const;
/** value → name without its prefix */
export const detectLocalNames: Readonly<Record<number, string>> = {
  0: "device",
  1: "cluster_cidr",
  2: "node_cidr",
  3: "bridge_interface",
  4: "interface_name_prefix",
};

export const DeviceFlags = {
  DEVICE_UPLINK: 1,
  DEVICE_POD: 2,
  DEVICE_BRIDGE_PORT: 4,
  DEVICE_BRIDGE: 8,
  DEVICE_L3: 16,
  DEVICE_OVERLAY: 32,
  DEVICE_LOCAL: 64,
} as const;
/** value → name without its prefix */
export const deviceFlagsNames: Readonly<Record<number, string>> = {
  1: "uplink",
  2: "pod",
  4: "bridge_port",
  8: "bridge",
  16: "l3",
  32: "overlay",
  64: "local",
};

export const FlowSpace = {
  SPACE_OUTER: 1,
  SPACE_INNER: 2,
} as const;
/** value → name without its prefix */
export const flowSpaceNames: Readonly<Record<number, string>> = {
  1: "outer",
  2: "inner",
};

export const FlowRole = {
  FLOW_OWNER: 1,
  FLOW_INDEX: 2,
  FLOW_PASS: 3,
} as const;
/** value → name without its prefix */
export const flowRoleNames: Readonly<Record<number, string>> = {
  1: "owner",
  2: "index",
  3: "pass",
};

export const FlowFlags = {
  FLOW_SNAT: 1,
  FLOW_TRANSIT: 2,
  FLOW_DIRECT: 4,
  FLOW_ENDS: 8,
  FLOW_UNROUTED: 16,
} as const;
/** value → name without its prefix */
export const flowFlagsNames: Readonly<Record<number, string>> = {
  1: "snat",
  2: "transit",
  4: "direct",
  8: "ends",
  16: "unrouted",
};

export const FlowState = {
  FLOW_ANSWERED: 1,
  FLOW_FIN_CLIENT: 2,
  FLOW_FIN_BACKEND: 4,
  FLOW_RST: 8,
  FLOW_LASTING: 16,
  FLOW_ENDED: 32,
  FLOW_RST_CLIENT: 64,
} as const;
/** value → name without its prefix */
export const flowStateNames: Readonly<Record<number, string>> = {
  1: "answered",
  2: "fin_client",
  4: "fin_backend",
  8: "rst",
  16: "lasting",
  32: "ended",
  64: "rst_client",
};

export const SnatTriesBuckets = {
  SNAT_TRIES_BUCKETS: 17,
} as const;
/** value → name without its prefix */
export const snatTriesBucketsNames: Readonly<Record<number, string>> = {
  17: "tries_buckets",
};

export const DropReason = {
  DROP_NONE: 0,
  DROP_NO_ENDPOINTS: 1,
  DROP_NO_LOCAL_ENDPOINTS: 2,
  DROP_NO_FLOW: 3,
  DROP_FLOW_TABLE_FULL: 4,
  DROP_SNAT_EXHAUSTED: 5,
  DROP_REMAP_EXHAUSTED: 6,
  DROP_NO_SNAT_ADDRESS: 7,
  DROP_NO_ROUTE: 8,
  DROP_UNUSED9: 9,
  DROP_STALE_SERVICE: 10,
  DROP_REWRITE_FAILED: 11,
  DROP_ICMP_REDIRECT: 12,
  DROP_FRAGMENT: 13,
  DROP_SOURCE_RANGE: 14,
  DROP_ENDPOINT_LEFT: 15,
  DROP_UNUSED_PORT: 16,
  DROP_UNALLOCATED: 17,
  DROP_REPLY_LIMIT: 18,
  DROP_MALFORMED: 19,
  DROP_OVERTOOK: 20,
  DROP_REASONS: 21,
} as const;
/** value → name without its prefix */
export const dropReasonNames: Readonly<Record<number, string>> = {
  0: "none",
  1: "no_endpoints",
  2: "no_local_endpoints",
  3: "no_flow",
  4: "flow_table_full",
  5: "snat_exhausted",
  6: "remap_exhausted",
  7: "no_snat_address",
  8: "no_route",
  9: "unused9",
  10: "stale_service",
  11: "rewrite_failed",
  12: "icmp_redirect",
  13: "fragment",
  14: "source_range",
  15: "endpoint_left",
  16: "unused_port",
  17: "unallocated",
  18: "reply_limit",
  19: "malformed",
  20: "overtook",
  21: "reasons",
};

export const Verdict = {
  VERDICT_PASS: 0,
  VERDICT_DNAT: 1,
  VERDICT_REJECT: 2,
  VERDICT_DROP: 3,
} as const;
/** value → name without its prefix */
export const verdictNames: Readonly<Record<number, string>> = {
  0: "pass",
  1: "dnat",
  2: "reject",
  3: "drop",
};

export const ClientKind = {
  CLIENT_HOST: 0,
  CLIENT_POD: 1,
  CLIENT_OUTSIDE: 2,
  CLIENT_UNTOLD: 3,
} as const;
/** value → name without its prefix */
export const clientKindNames: Readonly<Record<number, string>> = {
  0: "host",
  1: "pod",
  2: "outside",
  3: "untold",
};

export const OptOutLevel = {
  OPT_OUT_NETNS: 0,
  OPT_OUT_LEVELS: 16,
  OPT_OUT_SOCKETS: 62,
  OPT_OUT_DATAGRAMS: 63,
} as const;
/** value → name without its prefix */
export const optOutLevelNames: Readonly<Record<number, string>> = {
  0: "netns",
  16: "levels",
  62: "sockets",
  63: "datagrams",
};

export const AffinityPart = {
  AFFINITY_NONE: 0,
  AFFINITY_BEGUN: 1,
  AFFINITY_KEPT: 2,
} as const;
/** value → name without its prefix */
export const affinityPartNames: Readonly<Record<number, string>> = {
  0: "none",
  1: "begun",
  2: "kept",
};

export const BeforeProgram = {
  BEFORE_INGRESS: 0,
  BEFORE_EGRESS: 1,
  BEFORE_PROGRAMS: 2,
} as const;
/** value → name without its prefix */
export const beforeProgramNames: Readonly<Record<number, string>> = {
  0: "ingress",
  1: "egress",
  2: "programs",
};

export interface FrontendKey {
  readonly addr: Uint8Array;
  readonly port: number;
  readonly proto: number;
}
/** bytes from the start of the struct */
export const frontendKeyOffset = {
  addr: 0,
  port: 16,
  proto: 18,
} as const;
export const frontendKey: Codec<FrontendKey> = {
  name: "frontend_key",
  size: 20,
  read(view: DataView, offset: number): FrontendKey {
    return {
      addr: readBytes(view, offset + 0, 16),
      port: view.getUint16(offset + 16, false),
      proto: view.getUint8(offset + 18),
    };
  },
  write(view: DataView, offset: number, value: FrontendKey): void {
    writeBytes(view, offset + 0, 16, value.addr);
    view.setUint16(offset + 16, value.port, false);
    view.setUint8(offset + 18, value.proto);
    writeZeros(view, offset + 19, 1);
  },
};

export const ipAddr = { name: "ip_addr", size: 16 } as const;

export interface Frontend {
  readonly service: number;
  readonly kind: number;
  readonly flags: number;
}
/** bytes from the start of the struct */
export const frontendOffset = {
  service: 0,
  kind: 4,
  flags: 5,
} as const;
export const frontend: Codec<Frontend> = {
  name: "frontend",
  size: 8,
  read(view: DataView, offset: number): Frontend {
    return {
      service: view.getUint32(offset + 0, LE),
      kind: view.getUint8(offset + 4),
      flags: view.getUint8(offset + 5),
    };
  },
  write(view: DataView, offset: number, value: Frontend): void {
    view.setUint32(offset + 0, value.service, LE);
    view.setUint8(offset + 4, value.kind);
    view.setUint8(offset + 5, value.flags);
    writeZeros(view, offset + 6, 2);
  },
};

export interface Address {
  readonly flags: number;
}
/** bytes from the start of the struct */
export const addressOffset = {
  flags: 0,
} as const;
export const address: Codec<Address> = {
  name: "address",
  size: 8,
  read(view: DataView, offset: number): Address {
    return {
      flags: view.getUint32(offset + 0, LE),
    };
  },
  write(view: DataView, offset: number, value: Address): void {
    view.setUint32(offset + 0, value.flags, LE);
    writeZeros(view, offset + 4, 4);
  },
};

export interface ServiceRange {
  readonly addr: Uint8Array;
  readonly prefix: number;
}
/** bytes from the start of the struct */
export const serviceRangeOffset = {
  addr: 0,
  prefix: 16,
} as const;
export const serviceRange: Codec<ServiceRange> = {
  name: "service_range",
  size: 20,
  read(view: DataView, offset: number): ServiceRange {
    return {
      addr: readBytes(view, offset + 0, 16),
      prefix: view.getUint32(offset + 16, LE),
    };
  },
  write(view: DataView, offset: number, value: ServiceRange): void {
    writeBytes(view, offset + 0, 16, value.addr);
    view.setUint32(offset + 16, value.prefix, LE);
  },
};

export interface ServiceRanges {
  readonly used: number;
  readonly range: readonly ServiceRange[];
}
/** bytes from the start of the struct */
export const serviceRangesOffset = {
  used: 0,
  range: 4,
} as const;
export const serviceRanges: Codec<ServiceRanges> = {
  name: "service_ranges",
  size: 648,
  read(view: DataView, offset: number): ServiceRanges {
    return {
      used: view.getUint32(offset + 0, LE),
      range: Array.from({ length: 32 }, (_, i) => serviceRange.read(view, offset + 4 + i * 20)),
    };
  },
  write(view: DataView, offset: number, value: ServiceRanges): void {
    view.setUint32(offset + 0, value.used, LE);
    for (let i = 0; i < 32; i++) {
      const item = value.range[i];
      if (item !== undefined) serviceRange.write(view, offset + 4 + i * 20, item);
    }
    writeZeros(view, offset + 644, 4);
  },
};

export interface ServiceWord {
  readonly row: number;
  readonly epoch: number;
}
/** bytes from the start of the struct */
export const serviceWordOffset = {
  row: 0,
  epoch: 4,
} as const;
export const serviceWord: Codec<ServiceWord> = {
  name: "service_word",
  size: 8,
  read(view: DataView, offset: number): ServiceWord {
    return {
      row: view.getUint32(offset + 0, LE),
      epoch: view.getUint32(offset + 4, LE),
    };
  },
  write(view: DataView, offset: number, value: ServiceWord): void {
    view.setUint32(offset + 0, value.row, LE);
    view.setUint32(offset + 4, value.epoch, LE);
  },
};

export const blockRow = { name: "block_row", size: 64 } as const;

export interface BlockHeader {
  readonly service: number;
  readonly rows: number;
  readonly cluster: EndpointSet;
  readonly local: EndpointSet;
  readonly scheduler: number;
  readonly sourceKinds: number;
  readonly flags: number;
  readonly affinityTimeout: number;
  readonly servingCount: number;
  readonly endsEpoch: number;
  readonly affinityEpoch: number;
  readonly sourceSet: number;
}
/** bytes from the start of the struct */
export const blockHeaderOffset = {
  service: 0,
  rows: 4,
  cluster: 8,
  local: 24,
  scheduler: 40,
  sourceKinds: 41,
  flags: 42,
  affinityTimeout: 44,
  servingCount: 48,
  endsEpoch: 52,
  affinityEpoch: 56,
  sourceSet: 60,
} as const;
export const blockHeader: Codec<BlockHeader> = {
  name: "block_header",
  size: 64,
  read(view: DataView, offset: number): BlockHeader {
    return {
      service: view.getUint32(offset + 0, LE),
      rows: view.getUint32(offset + 4, LE),
      cluster: endpointSet.read(view, offset + 8),
      local: endpointSet.read(view, offset + 24),
      scheduler: view.getUint8(offset + 40),
      sourceKinds: view.getUint8(offset + 41),
      flags: view.getUint16(offset + 42, LE),
      affinityTimeout: view.getUint32(offset + 44, LE),
      servingCount: view.getUint32(offset + 48, LE),
      endsEpoch: view.getUint32(offset + 52, LE),
      affinityEpoch: view.getUint32(offset + 56, LE),
      sourceSet: view.getUint32(offset + 60, LE),
    };
  },
  write(view: DataView, offset: number, value: BlockHeader): void {
    view.setUint32(offset + 0, value.service, LE);
    view.setUint32(offset + 4, value.rows, LE);
    endpointSet.write(view, offset + 8, value.cluster);
    endpointSet.write(view, offset + 24, value.local);
    view.setUint8(offset + 40, value.scheduler);
    view.setUint8(offset + 41, value.sourceKinds);
    view.setUint16(offset + 42, value.flags, LE);
    view.setUint32(offset + 44, value.affinityTimeout, LE);
    view.setUint32(offset + 48, value.servingCount, LE);
    view.setUint32(offset + 52, value.endsEpoch, LE);
    view.setUint32(offset + 56, value.affinityEpoch, LE);
    view.setUint32(offset + 60, value.sourceSet, LE);
  },
};

export interface EndpointSet {
  readonly count: number;
  readonly firstRow: number;
  readonly tableRow: number;
  readonly tableSize: number;
}
/** bytes from the start of the struct */
export const endpointSetOffset = {
  count: 0,
  firstRow: 4,
  tableRow: 8,
  tableSize: 12,
} as const;
export const endpointSet: Codec<EndpointSet> = {
  name: "endpoint_set",
  size: 16,
  read(view: DataView, offset: number): EndpointSet {
    return {
      count: view.getUint32(offset + 0, LE),
      firstRow: view.getUint32(offset + 4, LE),
      tableRow: view.getUint32(offset + 8, LE),
      tableSize: view.getUint32(offset + 12, LE),
    };
  },
  write(view: DataView, offset: number, value: EndpointSet): void {
    view.setUint32(offset + 0, value.count, LE);
    view.setUint32(offset + 4, value.firstRow, LE);
    view.setUint32(offset + 8, value.tableRow, LE);
    view.setUint32(offset + 12, value.tableSize, LE);
  },
};

export interface BlockIds {
  readonly backend: readonly number[];
}
/** bytes from the start of the struct */
export const blockIdsOffset = {
  backend: 0,
} as const;
export const blockIds: Codec<BlockIds> = {
  name: "block_ids",
  size: 64,
  read(view: DataView, offset: number): BlockIds {
    return {
      backend: Array.from({ length: 16 }, (_, i) => view.getUint32(offset + 0 + i * 4, LE)),
    };
  },
  write(view: DataView, offset: number, value: BlockIds): void {
    for (let i = 0; i < 16; i++) {
      const item = value.backend[i] ?? 0;
      view.setUint32(offset + 0 + i * 4, item, LE);
    }
  },
};

export interface TableRow {
  readonly slot: readonly number[];
}
/** bytes from the start of the struct */
export const tableRowOffset = {
  slot: 0,
} as const;
export const tableRow: Codec<TableRow> = {
  name: "table_row",
  size: 32,
  read(view: DataView, offset: number): TableRow {
    return {
      slot: Array.from({ length: 16 }, (_, i) => view.getUint16(offset + 0 + i * 2, LE)),
    };
  },
  write(view: DataView, offset: number, value: TableRow): void {
    for (let i = 0; i < 16; i++) {
      const item = value.slot[i] ?? 0;
      view.setUint16(offset + 0 + i * 2, item, LE);
    }
  },
};

export interface SourceKey {
  readonly prefixLength: number;
  readonly set: number;
  readonly addr: Uint8Array;
}
/** bytes from the start of the struct */
export const sourceKeyOffset = {
  prefixLength: 0,
  set: 4,
  addr: 8,
} as const;
export const sourceKey: Codec<SourceKey> = {
  name: "source_key",
  size: 24,
  read(view: DataView, offset: number): SourceKey {
    return {
      prefixLength: view.getUint32(offset + 0, LE),
      set: view.getUint32(offset + 4, LE),
      addr: readBytes(view, offset + 8, 16),
    };
  },
  write(view: DataView, offset: number, value: SourceKey): void {
    view.setUint32(offset + 0, value.prefixLength, LE);
    view.setUint32(offset + 4, value.set, LE);
    writeBytes(view, offset + 8, 16, value.addr);
  },
};

export interface SourceVerdict {
  readonly admit: number;
  readonly entries: number;
}
/** bytes from the start of the struct */
export const sourceVerdictOffset = {
  admit: 0,
  entries: 4,
} as const;
export const sourceVerdict: Codec<SourceVerdict> = {
  name: "source_verdict",
  size: 8,
  read(view: DataView, offset: number): SourceVerdict {
    return {
      admit: view.getUint32(offset + 0, LE),
      entries: view.getUint32(offset + 4, LE),
    };
  },
  write(view: DataView, offset: number, value: SourceVerdict): void {
    view.setUint32(offset + 0, value.admit, LE);
    view.setUint32(offset + 4, value.entries, LE);
  },
};

export interface Backend {
  readonly addr: Uint8Array;
  readonly port: number;
  readonly proto: number;
  readonly flags: number;
  readonly weight: number;
  readonly node: number;
  readonly zone: number;
}
/** bytes from the start of the struct */
export const backendOffset = {
  addr: 0,
  port: 16,
  proto: 18,
  flags: 19,
  weight: 20,
  node: 24,
  zone: 28,
} as const;
export const backend: Codec<Backend> = {
  name: "backend",
  size: 32,
  read(view: DataView, offset: number): Backend {
    return {
      addr: readBytes(view, offset + 0, 16),
      port: view.getUint16(offset + 16, false),
      proto: view.getUint8(offset + 18),
      flags: view.getUint8(offset + 19),
      weight: view.getUint16(offset + 20, LE),
      node: view.getUint32(offset + 24, LE),
      zone: view.getUint32(offset + 28, LE),
    };
  },
  write(view: DataView, offset: number, value: Backend): void {
    writeBytes(view, offset + 0, 16, value.addr);
    view.setUint16(offset + 16, value.port, false);
    view.setUint8(offset + 18, value.proto);
    view.setUint8(offset + 19, value.flags);
    view.setUint16(offset + 20, value.weight, LE);
    writeZeros(view, offset + 22, 2);
    view.setUint32(offset + 24, value.node, LE);
    view.setUint32(offset + 28, value.zone, LE);
  },
};

export interface ServiceMeta {
  readonly namespace: string;
  readonly name: string;
  readonly portName: string;
  readonly proto: number;
  readonly family: number;
  readonly type: number;
  readonly flags: number;
}
/** bytes from the start of the struct */
export const serviceMetaOffset = {
  namespace: 0,
  name: 64,
  portName: 128,
  proto: 192,
  family: 193,
  type: 194,
  flags: 195,
} as const;
export const serviceMeta: Codec<ServiceMeta> = {
  name: "service_meta",
  size: 256,
  read(view: DataView, offset: number): ServiceMeta {
    return {
      namespace: readText(view, offset + 0, 64),
      name: readText(view, offset + 64, 64),
      portName: readText(view, offset + 128, 64),
      proto: view.getUint8(offset + 192),
      family: view.getUint8(offset + 193),
      type: view.getUint8(offset + 194),
      flags: view.getUint8(offset + 195),
    };
  },
  write(view: DataView, offset: number, value: ServiceMeta): void {
    writeText(view, offset + 0, 64, value.namespace);
    writeText(view, offset + 64, 64, value.name);
    writeText(view, offset + 128, 64, value.portName);
    view.setUint8(offset + 192, value.proto);
    view.setUint8(offset + 193, value.family);
    view.setUint8(offset + 194, value.type);
    view.setUint8(offset + 195, value.flags);
    writeZeros(view, offset + 196, 60);
  },
};

export interface NameRow {
  readonly text: string;
}
/** bytes from the start of the struct */
export const nameRowOffset = {
  text: 0,
} as const;
export const nameRow: Codec<NameRow> = {
  name: "name_row",
  size: 256,
  read(view: DataView, offset: number): NameRow {
    return {
      text: readText(view, offset + 0, 256),
    };
  },
  write(view: DataView, offset: number, value: NameRow): void {
    writeText(view, offset + 0, 256, value.text);
  },
};

export interface AgentState {
  readonly abiVersion: number;
  readonly synced: number;
  readonly lastSyncMs: bigint;
  readonly startedMs: bigint;
  readonly netnsCookie: bigint;
  readonly pid: number;
  readonly node: number;
  readonly config: number;
  readonly pods4Prefix: number;
  readonly pods6Prefix: number;
  readonly problems: number;
  readonly pods4: Uint8Array;
  readonly pods6: Uint8Array;
  readonly detectLocal: number;
  readonly rangesOf: number;
  readonly version: string;
}
/** bytes from the start of the struct */
export const agentStateOffset = {
  abiVersion: 0,
  synced: 4,
  lastSyncMs: 8,
  startedMs: 16,
  netnsCookie: 24,
  pid: 32,
  node: 36,
  config: 40,
  pods4Prefix: 44,
  pods6Prefix: 45,
  problems: 46,
  pods4: 48,
  pods6: 64,
  detectLocal: 80,
  rangesOf: 81,
  version: 88,
} as const;
export const agentState: Codec<AgentState> = {
  name: "agent_state",
  size: 152,
  read(view: DataView, offset: number): AgentState {
    return {
      abiVersion: view.getUint32(offset + 0, LE),
      synced: view.getUint32(offset + 4, LE),
      lastSyncMs: view.getBigUint64(offset + 8, LE),
      startedMs: view.getBigUint64(offset + 16, LE),
      netnsCookie: view.getBigUint64(offset + 24, LE),
      pid: view.getUint32(offset + 32, LE),
      node: view.getUint32(offset + 36, LE),
      config: view.getUint32(offset + 40, LE),
      pods4Prefix: view.getUint8(offset + 44),
      pods6Prefix: view.getUint8(offset + 45),
      problems: view.getUint16(offset + 46, LE),
      pods4: readBytes(view, offset + 48, 16),
      pods6: readBytes(view, offset + 64, 16),
      detectLocal: view.getUint8(offset + 80),
      rangesOf: view.getUint8(offset + 81),
      version: readText(view, offset + 88, 64),
    };
  },
  write(view: DataView, offset: number, value: AgentState): void {
    view.setUint32(offset + 0, value.abiVersion, LE);
    view.setUint32(offset + 4, value.synced, LE);
    view.setBigUint64(offset + 8, value.lastSyncMs, LE);
    view.setBigUint64(offset + 16, value.startedMs, LE);
    view.setBigUint64(offset + 24, value.netnsCookie, LE);
    view.setUint32(offset + 32, value.pid, LE);
    view.setUint32(offset + 36, value.node, LE);
    view.setUint32(offset + 40, value.config, LE);
    view.setUint8(offset + 44, value.pods4Prefix);
    view.setUint8(offset + 45, value.pods6Prefix);
    view.setUint16(offset + 46, value.problems, LE);
    writeBytes(view, offset + 48, 16, value.pods4);
    writeBytes(view, offset + 64, 16, value.pods6);
    view.setUint8(offset + 80, value.detectLocal);
    view.setUint8(offset + 81, value.rangesOf);
    writeZeros(view, offset + 82, 6);
    writeText(view, offset + 88, 64, value.version);
  },
};

export interface Device {
  readonly flags: number;
  readonly bridge: number;
  readonly snat4: Uint8Array;
  readonly snat6: Uint8Array;
  readonly mac: Uint8Array;
}
/** bytes from the start of the struct */
export const deviceOffset = {
  flags: 0,
  bridge: 4,
  snat4: 8,
  snat6: 24,
  mac: 40,
} as const;
export const device: Codec<Device> = {
  name: "device",
  size: 48,
  read(view: DataView, offset: number): Device {
    return {
      flags: view.getUint32(offset + 0, LE),
      bridge: view.getUint32(offset + 4, LE),
      snat4: readBytes(view, offset + 8, 16),
      snat6: readBytes(view, offset + 24, 16),
      mac: readBytes(view, offset + 40, 6),
    };
  },
  write(view: DataView, offset: number, value: Device): void {
    view.setUint32(offset + 0, value.flags, LE);
    view.setUint32(offset + 4, value.bridge, LE);
    writeBytes(view, offset + 8, 16, value.snat4);
    writeBytes(view, offset + 24, 16, value.snat6);
    writeBytes(view, offset + 40, 6, value.mac);
    writeZeros(view, offset + 46, 2);
  },
};

export interface ClientRange {
  readonly prefixLength: number;
  readonly addr: Uint8Array;
}
/** bytes from the start of the struct */
export const clientRangeOffset = {
  prefixLength: 0,
  addr: 4,
} as const;
export const clientRange: Codec<ClientRange> = {
  name: "client_range",
  size: 20,
  read(view: DataView, offset: number): ClientRange {
    return {
      prefixLength: view.getUint32(offset + 0, LE),
      addr: readBytes(view, offset + 4, 16),
    };
  },
  write(view: DataView, offset: number, value: ClientRange): void {
    view.setUint32(offset + 0, value.prefixLength, LE);
    writeBytes(view, offset + 4, 16, value.addr);
  },
};

export interface ClientRangeKind {
  readonly kind: number;
}
/** bytes from the start of the struct */
export const clientRangeKindOffset = {
  kind: 0,
} as const;
export const clientRangeKind: Codec<ClientRangeKind> = {
  name: "client_range_kind",
  size: 4,
  read(view: DataView, offset: number): ClientRangeKind {
    return {
      kind: view.getUint32(offset + 0, LE),
    };
  },
  write(view: DataView, offset: number, value: ClientRangeKind): void {
    view.setUint32(offset + 0, value.kind, LE);
  },
};

export interface OptOutKey {
  readonly id: bigint;
  readonly level: number;
}
/** bytes from the start of the struct */
export const optOutKeyOffset = {
  id: 0,
  level: 8,
} as const;
export const optOutKey: Codec<OptOutKey> = {
  name: "opt_out_key",
  size: 16,
  read(view: DataView, offset: number): OptOutKey {
    return {
      id: view.getBigUint64(offset + 0, LE),
      level: view.getUint32(offset + 8, LE),
    };
  },
  write(view: DataView, offset: number, value: OptOutKey): void {
    view.setBigUint64(offset + 0, value.id, LE);
    view.setUint32(offset + 8, value.level, LE);
    writeZeros(view, offset + 12, 4);
  },
};

export interface OptOut {
  readonly namespace: string;
  readonly pod: string;
  readonly addr4: Uint8Array;
  readonly addr6: Uint8Array;
}
/** bytes from the start of the struct */
export const optOutOffset = {
  namespace: 0,
  pod: 64,
  addr4: 320,
  addr6: 336,
} as const;
export const optOut: Codec<OptOut> = {
  name: "opt_out",
  size: 352,
  read(view: DataView, offset: number): OptOut {
    return {
      namespace: readText(view, offset + 0, 64),
      pod: readText(view, offset + 64, 256),
      addr4: readBytes(view, offset + 320, 16),
      addr6: readBytes(view, offset + 336, 16),
    };
  },
  write(view: DataView, offset: number, value: OptOut): void {
    writeText(view, offset + 0, 64, value.namespace);
    writeText(view, offset + 64, 256, value.pod);
    writeBytes(view, offset + 320, 16, value.addr4);
    writeBytes(view, offset + 336, 16, value.addr6);
  },
};

export interface OptOutLevels {
  readonly bits: bigint;
}
/** bytes from the start of the struct */
export const optOutLevelsOffset = {
  bits: 0,
} as const;
export const optOutLevels: Codec<OptOutLevels> = {
  name: "opt_out_levels",
  size: 8,
  read(view: DataView, offset: number): OptOutLevels {
    return {
      bits: view.getBigUint64(offset + 0, LE),
    };
  },
  write(view: DataView, offset: number, value: OptOutLevels): void {
    view.setBigUint64(offset + 0, value.bits, LE);
  },
};

export interface FlowKey {
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  readonly sport: number;
  readonly dport: number;
  readonly proto: number;
  readonly space: number;
}
/** bytes from the start of the struct */
export const flowKeyOffset = {
  src: 0,
  dst: 16,
  sport: 32,
  dport: 34,
  proto: 36,
  space: 37,
} as const;
export const flowKey: Codec<FlowKey> = {
  name: "flow_key",
  size: 40,
  read(view: DataView, offset: number): FlowKey {
    return {
      src: readBytes(view, offset + 0, 16),
      dst: readBytes(view, offset + 16, 16),
      sport: view.getUint16(offset + 32, false),
      dport: view.getUint16(offset + 34, false),
      proto: view.getUint8(offset + 36),
      space: view.getUint8(offset + 37),
    };
  },
  write(view: DataView, offset: number, value: FlowKey): void {
    writeBytes(view, offset + 0, 16, value.src);
    writeBytes(view, offset + 16, 16, value.dst);
    view.setUint16(offset + 32, value.sport, false);
    view.setUint16(offset + 34, value.dport, false);
    view.setUint8(offset + 36, value.proto);
    view.setUint8(offset + 37, value.space);
    writeZeros(view, offset + 38, 2);
  },
};

export interface Flow {
  readonly client: Uint8Array;
  readonly vip: Uint8Array;
  readonly backend: Uint8Array;
  readonly snat: Uint8Array;
  readonly clientPort: number;
  readonly vipPort: number;
  readonly backendPort: number;
  readonly snatPort: number;
  readonly mappedPort: number;
  readonly role: number;
  readonly proto: number;
  readonly service: number;
  readonly backendId: number;
  readonly created: number;
  readonly lastSeen: number;
  readonly state: number;
  readonly flags: number;
  readonly epoch: number;
}
/** bytes from the start of the struct */
export const flowOffset = {
  client: 0,
  vip: 16,
  backend: 32,
  snat: 48,
  clientPort: 64,
  vipPort: 66,
  backendPort: 68,
  snatPort: 70,
  mappedPort: 72,
  role: 74,
  proto: 75,
  service: 76,
  backendId: 80,
  created: 84,
  lastSeen: 88,
  state: 92,
  flags: 96,
  epoch: 100,
} as const;
export const flow: Codec<Flow> = {
  name: "flow",
  size: 104,
  read(view: DataView, offset: number): Flow {
    return {
      client: readBytes(view, offset + 0, 16),
      vip: readBytes(view, offset + 16, 16),
      backend: readBytes(view, offset + 32, 16),
      snat: readBytes(view, offset + 48, 16),
      clientPort: view.getUint16(offset + 64, false),
      vipPort: view.getUint16(offset + 66, false),
      backendPort: view.getUint16(offset + 68, false),
      snatPort: view.getUint16(offset + 70, false),
      mappedPort: view.getUint16(offset + 72, false),
      role: view.getUint8(offset + 74),
      proto: view.getUint8(offset + 75),
      service: view.getUint32(offset + 76, LE),
      backendId: view.getUint32(offset + 80, LE),
      created: view.getUint32(offset + 84, LE),
      lastSeen: view.getUint32(offset + 88, LE),
      state: view.getUint32(offset + 92, LE),
      flags: view.getUint32(offset + 96, LE),
      epoch: view.getUint32(offset + 100, LE),
    };
  },
  write(view: DataView, offset: number, value: Flow): void {
    writeBytes(view, offset + 0, 16, value.client);
    writeBytes(view, offset + 16, 16, value.vip);
    writeBytes(view, offset + 32, 16, value.backend);
    writeBytes(view, offset + 48, 16, value.snat);
    view.setUint16(offset + 64, value.clientPort, false);
    view.setUint16(offset + 66, value.vipPort, false);
    view.setUint16(offset + 68, value.backendPort, false);
    view.setUint16(offset + 70, value.snatPort, false);
    view.setUint16(offset + 72, value.mappedPort, false);
    view.setUint8(offset + 74, value.role);
    view.setUint8(offset + 75, value.proto);
    view.setUint32(offset + 76, value.service, LE);
    view.setUint32(offset + 80, value.backendId, LE);
    view.setUint32(offset + 84, value.created, LE);
    view.setUint32(offset + 88, value.lastSeen, LE);
    view.setUint32(offset + 92, value.state, LE);
    view.setUint32(offset + 96, value.flags, LE);
    view.setUint32(offset + 100, value.epoch, LE);
  },
};

export interface Migration {
  readonly records: number;
  readonly failed: number;
  readonly error: number;
}
/** bytes from the start of the struct */
export const migrationOffset = {
  records: 0,
  failed: 4,
  error: 8,
} as const;
export const migration: Codec<Migration> = {
  name: "migration",
  size: 16,
  read(view: DataView, offset: number): Migration {
    return {
      records: view.getUint32(offset + 0, LE),
      failed: view.getUint32(offset + 4, LE),
      error: view.getUint32(offset + 8, LE),
    };
  },
  write(view: DataView, offset: number, value: Migration): void {
    view.setUint32(offset + 0, value.records, LE);
    view.setUint32(offset + 4, value.failed, LE);
    view.setUint32(offset + 8, value.error, LE);
    writeZeros(view, offset + 12, 4);
  },
};

export interface Serving {
  readonly generation: number;
  readonly version: number;
  readonly from: number;
}
/** bytes from the start of the struct */
export const servingOffset = {
  generation: 0,
  version: 4,
  from: 6,
} as const;
export const serving: Codec<Serving> = {
  name: "serving",
  size: 8,
  read(view: DataView, offset: number): Serving {
    return {
      generation: view.getUint32(offset + 0, LE),
      version: view.getUint16(offset + 4, LE),
      from: view.getUint16(offset + 6, LE),
    };
  },
  write(view: DataView, offset: number, value: Serving): void {
    view.setUint32(offset + 0, value.generation, LE);
    view.setUint16(offset + 4, value.version, LE);
    view.setUint16(offset + 6, value.from, LE);
  },
};

export interface SockPeers {
  readonly peer: readonly SockPeer[];
  readonly clock: number;
  readonly netns: bigint;
}
/** bytes from the start of the struct */
export const sockPeersOffset = {
  peer: 0,
  clock: 448,
  netns: 456,
} as const;
export const sockPeers: Codec<SockPeers> = {
  name: "sock_peers",
  size: 464,
  read(view: DataView, offset: number): SockPeers {
    return {
      peer: Array.from({ length: 8 }, (_, i) => sockPeer.read(view, offset + 0 + i * 56)),
      clock: view.getUint32(offset + 448, LE),
      netns: view.getBigUint64(offset + 456, LE),
    };
  },
  write(view: DataView, offset: number, value: SockPeers): void {
    for (let i = 0; i < 8; i++) {
      const item = value.peer[i];
      if (item !== undefined) sockPeer.write(view, offset + 0 + i * 56, item);
    }
    view.setUint32(offset + 448, value.clock, LE);
    writeZeros(view, offset + 452, 4);
    view.setBigUint64(offset + 456, value.netns, LE);
  },
};

export interface SockPeer {
  readonly vip: Uint8Array;
  readonly backend: Uint8Array;
  readonly vipPort: number;
  readonly backendPort: number;
  readonly backendId: number;
  readonly service: number;
  readonly epoch: number;
  readonly sent: number;
  readonly connected: number;
}
/** bytes from the start of the struct */
export const sockPeerOffset = {
  vip: 0,
  backend: 16,
  vipPort: 32,
  backendPort: 34,
  backendId: 36,
  service: 40,
  epoch: 44,
  sent: 48,
  connected: 52,
} as const;
export const sockPeer: Codec<SockPeer> = {
  name: "sock_peer",
  size: 56,
  read(view: DataView, offset: number): SockPeer {
    return {
      vip: readBytes(view, offset + 0, 16),
      backend: readBytes(view, offset + 16, 16),
      vipPort: view.getUint16(offset + 32, false),
      backendPort: view.getUint16(offset + 34, false),
      backendId: view.getUint32(offset + 36, LE),
      service: view.getUint32(offset + 40, LE),
      epoch: view.getUint32(offset + 44, LE),
      sent: view.getUint32(offset + 48, LE),
      connected: view.getUint32(offset + 52, LE),
    };
  },
  write(view: DataView, offset: number, value: SockPeer): void {
    writeBytes(view, offset + 0, 16, value.vip);
    writeBytes(view, offset + 16, 16, value.backend);
    view.setUint16(offset + 32, value.vipPort, false);
    view.setUint16(offset + 34, value.backendPort, false);
    view.setUint32(offset + 36, value.backendId, LE);
    view.setUint32(offset + 40, value.service, LE);
    view.setUint32(offset + 44, value.epoch, LE);
    view.setUint32(offset + 48, value.sent, LE);
    view.setUint32(offset + 52, value.connected, LE);
  },
};

export interface AffinityKey {
  readonly netns: bigint;
  readonly client: Uint8Array;
  readonly service: number;
}
/** bytes from the start of the struct */
export const affinityKeyOffset = {
  netns: 0,
  client: 8,
  service: 24,
} as const;
export const affinityKey: Codec<AffinityKey> = {
  name: "affinity_key",
  size: 32,
  read(view: DataView, offset: number): AffinityKey {
    return {
      netns: view.getBigUint64(offset + 0, LE),
      client: readBytes(view, offset + 8, 16),
      service: view.getUint32(offset + 24, LE),
    };
  },
  write(view: DataView, offset: number, value: AffinityKey): void {
    view.setBigUint64(offset + 0, value.netns, LE);
    writeBytes(view, offset + 8, 16, value.client);
    view.setUint32(offset + 24, value.service, LE);
    writeZeros(view, offset + 28, 4);
  },
};

export interface Affinity {
  readonly backend: Uint8Array;
  readonly port: number;
  readonly position: number;
  readonly epoch: number;
  readonly lastUsed: number;
}
/** bytes from the start of the struct */
export const affinityOffset = {
  backend: 0,
  port: 16,
  position: 18,
  epoch: 20,
  lastUsed: 24,
} as const;
export const affinity: Codec<Affinity> = {
  name: "affinity",
  size: 28,
  read(view: DataView, offset: number): Affinity {
    return {
      backend: readBytes(view, offset + 0, 16),
      port: view.getUint16(offset + 16, false),
      position: view.getUint16(offset + 18, LE),
      epoch: view.getUint32(offset + 20, LE),
      lastUsed: view.getUint32(offset + 24, LE),
    };
  },
  write(view: DataView, offset: number, value: Affinity): void {
    writeBytes(view, offset + 0, 16, value.backend);
    view.setUint16(offset + 16, value.port, false);
    view.setUint16(offset + 18, value.position, LE);
    view.setUint32(offset + 20, value.epoch, LE);
    view.setUint32(offset + 24, value.lastUsed, LE);
  },
};

export interface ClientNetns {
  readonly cookie: bigint;
}
/** bytes from the start of the struct */
export const clientNetnsOffset = {
  cookie: 0,
} as const;
export const clientNetns: Codec<ClientNetns> = {
  name: "client_netns",
  size: 8,
  read(view: DataView, offset: number): ClientNetns {
    return {
      cookie: view.getBigUint64(offset + 0, LE),
    };
  },
  write(view: DataView, offset: number, value: ClientNetns): void {
    view.setBigUint64(offset + 0, value.cookie, LE);
  },
};

export interface ServiceStats {
  readonly connections: bigint;
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly rejects: bigint;
}
/** bytes from the start of the struct */
export const serviceStatsOffset = {
  connections: 0,
  packets: 8,
  bytes: 16,
  rejects: 24,
} as const;
export const serviceStats: Codec<ServiceStats> = {
  name: "service_stats",
  size: 32,
  read(view: DataView, offset: number): ServiceStats {
    return {
      connections: view.getBigUint64(offset + 0, LE),
      packets: view.getBigUint64(offset + 8, LE),
      bytes: view.getBigUint64(offset + 16, LE),
      rejects: view.getBigUint64(offset + 24, LE),
    };
  },
  write(view: DataView, offset: number, value: ServiceStats): void {
    view.setBigUint64(offset + 0, value.connections, LE);
    view.setBigUint64(offset + 8, value.packets, LE);
    view.setBigUint64(offset + 16, value.bytes, LE);
    view.setBigUint64(offset + 24, value.rejects, LE);
  },
};

export interface BackendStats {
  readonly connections: bigint;
}
/** bytes from the start of the struct */
export const backendStatsOffset = {
  connections: 0,
} as const;
export const backendStats: Codec<BackendStats> = {
  name: "backend_stats",
  size: 8,
  read(view: DataView, offset: number): BackendStats {
    return {
      connections: view.getBigUint64(offset + 0, LE),
    };
  },
  write(view: DataView, offset: number, value: BackendStats): void {
    view.setBigUint64(offset + 0, value.connections, LE);
  },
};

export interface SnatTries {
  readonly ports: bigint;
  readonly tries: bigint;
}
/** bytes from the start of the struct */
export const snatTriesOffset = {
  ports: 0,
  tries: 8,
} as const;
export const snatTries: Codec<SnatTries> = {
  name: "snat_tries",
  size: 16,
  read(view: DataView, offset: number): SnatTries {
    return {
      ports: view.getBigUint64(offset + 0, LE),
      tries: view.getBigUint64(offset + 8, LE),
    };
  },
  write(view: DataView, offset: number, value: SnatTries): void {
    view.setBigUint64(offset + 0, value.ports, LE);
    view.setBigUint64(offset + 8, value.tries, LE);
  },
};

export interface Explanation {
  readonly verdict: number;
  readonly reason: number;
  readonly service: number;
  readonly backend: number;
  readonly kind: number;
  readonly localSet: number;
  readonly masquerade: number;
  readonly existing: number;
  readonly backendAddr: Uint8Array;
  readonly backendPort: number;
  readonly affinity: number;
  readonly client: number;
  readonly onWire: number;
}
/** bytes from the start of the struct */
export const explanationOffset = {
  verdict: 0,
  reason: 4,
  service: 8,
  backend: 12,
  kind: 16,
  localSet: 17,
  masquerade: 18,
  existing: 19,
  backendAddr: 20,
  backendPort: 36,
  affinity: 38,
  client: 39,
  onWire: 40,
} as const;
export const explanation: Codec<Explanation> = {
  name: "explanation",
  size: 44,
  read(view: DataView, offset: number): Explanation {
    return {
      verdict: view.getUint32(offset + 0, LE),
      reason: view.getUint32(offset + 4, LE),
      service: view.getUint32(offset + 8, LE),
      backend: view.getUint32(offset + 12, LE),
      kind: view.getUint8(offset + 16),
      localSet: view.getUint8(offset + 17),
      masquerade: view.getUint8(offset + 18),
      existing: view.getUint8(offset + 19),
      backendAddr: readBytes(view, offset + 20, 16),
      backendPort: view.getUint16(offset + 36, false),
      affinity: view.getUint8(offset + 38),
      client: view.getUint8(offset + 39),
      onWire: view.getUint8(offset + 40),
    };
  },
  write(view: DataView, offset: number, value: Explanation): void {
    view.setUint32(offset + 0, value.verdict, LE);
    view.setUint32(offset + 4, value.reason, LE);
    view.setUint32(offset + 8, value.service, LE);
    view.setUint32(offset + 12, value.backend, LE);
    view.setUint8(offset + 16, value.kind);
    view.setUint8(offset + 17, value.localSet);
    view.setUint8(offset + 18, value.masquerade);
    view.setUint8(offset + 19, value.existing);
    writeBytes(view, offset + 20, 16, value.backendAddr);
    view.setUint16(offset + 36, value.backendPort, false);
    view.setUint8(offset + 38, value.affinity);
    view.setUint8(offset + 39, value.client);
    view.setUint8(offset + 40, value.onWire);
    writeZeros(view, offset + 41, 3);
  },
};

export interface SweepReport {
  readonly scanned: number;
  readonly ownersDeleted: number;
  readonly indexesDeleted: number;
  readonly failed: number;
  readonly nascent: number;
  readonly owners: number;
  readonly snat: number;
}
/** bytes from the start of the struct */
export const sweepReportOffset = {
  scanned: 0,
  ownersDeleted: 4,
  indexesDeleted: 8,
  failed: 12,
  nascent: 16,
  owners: 20,
  snat: 24,
} as const;
export const sweepReport: Codec<SweepReport> = {
  name: "sweep_report",
  size: 32,
  read(view: DataView, offset: number): SweepReport {
    return {
      scanned: view.getUint32(offset + 0, LE),
      ownersDeleted: view.getUint32(offset + 4, LE),
      indexesDeleted: view.getUint32(offset + 8, LE),
      failed: view.getUint32(offset + 12, LE),
      nascent: view.getUint32(offset + 16, LE),
      owners: view.getUint32(offset + 20, LE),
      snat: view.getUint32(offset + 24, LE),
    };
  },
  write(view: DataView, offset: number, value: SweepReport): void {
    view.setUint32(offset + 0, value.scanned, LE);
    view.setUint32(offset + 4, value.ownersDeleted, LE);
    view.setUint32(offset + 8, value.indexesDeleted, LE);
    view.setUint32(offset + 12, value.failed, LE);
    view.setUint32(offset + 16, value.nascent, LE);
    view.setUint32(offset + 20, value.owners, LE);
    view.setUint32(offset + 24, value.snat, LE);
    writeZeros(view, offset + 28, 4);
  },
};

export interface SocketQuestion {
  readonly dst: Uint8Array;
  readonly port: number;
  readonly proto: number;
  readonly who: number;
  readonly client: Uint8Array;
  readonly answer: Explanation;
}
/** bytes from the start of the struct */
export const socketQuestionOffset = {
  dst: 0,
  port: 16,
  proto: 18,
  who: 19,
  client: 20,
  answer: 36,
} as const;
export const socketQuestion: Codec<SocketQuestion> = {
  name: "socket_question",
  size: 80,
  read(view: DataView, offset: number): SocketQuestion {
    return {
      dst: readBytes(view, offset + 0, 16),
      port: view.getUint16(offset + 16, false),
      proto: view.getUint8(offset + 18),
      who: view.getUint8(offset + 19),
      client: readBytes(view, offset + 20, 16),
      answer: explanation.read(view, offset + 36),
    };
  },
  write(view: DataView, offset: number, value: SocketQuestion): void {
    writeBytes(view, offset + 0, 16, value.dst);
    view.setUint16(offset + 16, value.port, false);
    view.setUint8(offset + 18, value.proto);
    view.setUint8(offset + 19, value.who);
    writeBytes(view, offset + 20, 16, value.client);
    explanation.write(view, offset + 36, value.answer);
  },
};

/** C name → layout, for the check at load. */
export const layouts: Readonly<Record<string, StructLayout>> = {
  frontend_key: { size: 20, fields: { addr: [0, "struct ip_addr"], port: [16, "be16"], proto: [18, "u8"], pad: [19, "u8"] } },
  ip_addr: { size: 16, fields: { w: [0, "be32[4]"] } },
  frontend: { size: 8, fields: { service: [0, "u32"], kind: [4, "u8"], flags: [5, "u8"], pad: [6, "u8[2]"] } },
  address: { size: 8, fields: { flags: [0, "u32"], pad: [4, "u32"] } },
  service_range: { size: 20, fields: { addr: [0, "struct ip_addr"], prefix: [16, "u32"] } },
  service_ranges: { size: 648, fields: { used: [0, "u32"], range: [4, "struct service_range[32]"], pad: [644, "u32"] } },
  service_word: { size: 8, fields: { row: [0, "u32"], epoch: [4, "u32"] } },
  block_row: { size: 64, fields: { header: [0, "struct block_header"], ids: [0, "struct block_ids"] } },
  block_header: { size: 64, fields: { service: [0, "u32"], rows: [4, "u32"], cluster: [8, "struct endpoint_set"], local: [24, "struct endpoint_set"], scheduler: [40, "u8"], source_kinds: [41, "u8"], flags: [42, "u16"], affinity_timeout: [44, "u32"], serving_count: [48, "u32"], ends_epoch: [52, "u32"], affinity_epoch: [56, "u32"], source_set: [60, "u32"] } },
  endpoint_set: { size: 16, fields: { count: [0, "u32"], first_row: [4, "u32"], table_row: [8, "u32"], table_size: [12, "u32"] } },
  block_ids: { size: 64, fields: { backend: [0, "u32[16]"] } },
  table_row: { size: 32, fields: { slot: [0, "u16[16]"] } },
  source_key: { size: 24, fields: { prefix_length: [0, "u32"], set: [4, "u32"], addr: [8, "struct ip_addr"] } },
  source_verdict: { size: 8, fields: { admit: [0, "u32"], entries: [4, "u32"] } },
  backend: { size: 32, fields: { addr: [0, "struct ip_addr"], port: [16, "be16"], proto: [18, "u8"], flags: [19, "u8"], weight: [20, "u16"], pad: [22, "u16"], node: [24, "u32"], zone: [28, "u32"] } },
  service_meta: { size: 256, fields: { namespace_: [0, "char[64]"], name: [64, "char[64]"], port_name: [128, "char[64]"], proto: [192, "u8"], family: [193, "u8"], type: [194, "u8"], flags: [195, "u8"], pad: [196, "u32[15]"] } },
  name_row: { size: 256, fields: { text: [0, "char[256]"] } },
  agent_state: { size: 152, fields: { abi_version: [0, "u32"], synced: [4, "u32"], last_sync_ms: [8, "u64"], started_ms: [16, "u64"], netns_cookie: [24, "u64"], pid: [32, "u32"], node: [36, "u32"], config: [40, "u32"], pods4_prefix: [44, "u8"], pods6_prefix: [45, "u8"], problems: [46, "u16"], pods4: [48, "struct ip_addr"], pods6: [64, "struct ip_addr"], detect_local: [80, "u8"], ranges_of: [81, "u8"], pad: [82, "u8[6]"], version: [88, "char[64]"] } },
  device: { size: 48, fields: { flags: [0, "u32"], bridge: [4, "u32"], snat4: [8, "struct ip_addr"], snat6: [24, "struct ip_addr"], mac: [40, "u8[6]"], pad: [46, "u8[2]"] } },
  client_range: { size: 20, fields: { prefix_length: [0, "u32"], addr: [4, "struct ip_addr"] } },
  client_range_kind: { size: 4, fields: { kind: [0, "u32"] } },
  opt_out_key: { size: 16, fields: { id: [0, "u64"], level: [8, "u32"], pad: [12, "u32"] } },
  opt_out: { size: 352, fields: { namespace_: [0, "char[64]"], pod: [64, "char[256]"], addr4: [320, "struct ip_addr"], addr6: [336, "struct ip_addr"] } },
  opt_out_levels: { size: 8, fields: { bits: [0, "u64"] } },
  flow_key: { size: 40, fields: { src: [0, "struct ip_addr"], dst: [16, "struct ip_addr"], sport: [32, "be16"], dport: [34, "be16"], proto: [36, "u8"], space: [37, "u8"], pad: [38, "u16"] } },
  flow: { size: 104, fields: { client: [0, "struct ip_addr"], vip: [16, "struct ip_addr"], backend: [32, "struct ip_addr"], snat: [48, "struct ip_addr"], client_port: [64, "be16"], vip_port: [66, "be16"], backend_port: [68, "be16"], snat_port: [70, "be16"], mapped_port: [72, "be16"], role: [74, "u8"], proto: [75, "u8"], service: [76, "u32"], backend_id: [80, "u32"], created: [84, "u32"], last_seen: [88, "u32"], state: [92, "u32"], flags: [96, "u32"], epoch: [100, "u32"] } },
  migration: { size: 16, fields: { records: [0, "u32"], failed: [4, "u32"], error: [8, "u32"], pad: [12, "u32"] } },
  serving: { size: 8, fields: { generation: [0, "u32"], version: [4, "u16"], from: [6, "u16"] } },
  sock_peers: { size: 464, fields: { peer: [0, "struct sock_peer[8]"], clock: [448, "u32"], pad: [452, "u32"], netns: [456, "u64"] } },
  sock_peer: { size: 56, fields: { vip: [0, "struct ip_addr"], backend: [16, "struct ip_addr"], vip_port: [32, "be16"], backend_port: [34, "be16"], backend_id: [36, "u32"], service: [40, "u32"], epoch: [44, "u32"], sent: [48, "u32"], connected: [52, "u32"] } },
  affinity_key: { size: 32, fields: { netns: [0, "u64"], client: [8, "struct ip_addr"], service: [24, "u32"], pad: [28, "u32"] } },
  affinity: { size: 28, fields: { backend: [0, "struct ip_addr"], port: [16, "be16"], position: [18, "u16"], epoch: [20, "u32"], last_used: [24, "u32"] } },
  client_netns: { size: 8, fields: { cookie: [0, "u64"] } },
  service_stats: { size: 32, fields: { connections: [0, "u64"], packets: [8, "u64"], bytes: [16, "u64"], rejects: [24, "u64"] } },
  backend_stats: { size: 8, fields: { connections: [0, "u64"] } },
  snat_tries: { size: 16, fields: { ports: [0, "u64"], tries: [8, "u64"] } },
  explanation: { size: 44, fields: { verdict: [0, "u32"], reason: [4, "u32"], service: [8, "u32"], backend: [12, "u32"], kind: [16, "u8"], local_set: [17, "u8"], masquerade: [18, "u8"], existing: [19, "u8"], backend_addr: [20, "struct ip_addr"], backend_port: [36, "be16"], affinity: [38, "u8"], client: [39, "u8"], on_wire: [40, "u8"], pad: [41, "u8[3]"] } },
  sweep_report: { size: 32, fields: { scanned: [0, "u32"], owners_deleted: [4, "u32"], indexes_deleted: [8, "u32"], failed: [12, "u32"], nascent: [16, "u32"], owners: [20, "u32"], snat: [24, "u32"], pad: [28, "u32"] } },
  socket_question: { size: 80, fields: { dst: [0, "struct ip_addr"], port: [16, "be16"], proto: [18, "u8"], who: [19, "u8"], client: [20, "struct ip_addr"], answer: [36, "struct explanation"] } },
};
