// SPDX-License-Identifier: Apache-2.0
// What must hold between the records of flows once packets have come to rest: every owner has its index entries, every
// index entry has its owner.

import type { BpfMap } from "../../libbpf/types.ts";
import * as abi from "./abi.gen.ts";
import { decode, encode } from "./codec.ts";

export interface FlowViolation {
  /** The record's key in hex. */
  readonly key: string;
  readonly problem: "no inner index" | "no SNAT index" | "index without owner";
}

export interface FlowReport {
  readonly owners: number;
  readonly indexes: number;
  readonly violations: readonly FlowViolation[];
}

type Records = ReadonlyMap<string, abi.Flow>;

/** Reads the maps `flows` and `nascent`; a record in both counts once. */
export function checkFlows(flows: BpfMap, nascent: BpfMap): FlowReport {
  const records = new Map<string, abi.Flow>();
  for (const map of [nascent, flows]) {
    for (const [key, value] of map.entries()) records.set(hex(key), decode(abi.flow, value));
  }
  const violations: FlowViolation[] = [];
  const count = { owners: 0, indexes: 0 };
  for (const [key, record] of records) {
    if (record.role === abi.FlowRole.FLOW_OWNER) count.owners++;
    else if (record.role === abi.FlowRole.FLOW_INDEX) count.indexes++;
    const problem = problemOf(records, record);
    if (problem) violations.push({ key, problem });
  }
  return { ...count, violations };
}

function problemOf(records: Records, record: abi.Flow): FlowViolation["problem"] | undefined {
  if (record.role === abi.FlowRole.FLOW_INDEX) {
    const owner = records.get(outerKey(record, "client", "vip"));
    return owner?.role === abi.FlowRole.FLOW_OWNER && sameFlow(owner, record) ? undefined : "index without owner";
  }
  if (record.role !== abi.FlowRole.FLOW_OWNER) return undefined;
  const inner = innerKeys(record).map((key) => records.get(key));
  if (!inner.some((index) => index && sameFlow(index, record))) return "no inner index";
  if ((record.flags & abi.FlowFlags.FLOW_SNAT) === 0) return undefined;
  const snat = records.get(outerKey(record, "backend", "snat"));
  return snat && sameFlow(snat, record) ? undefined : "no SNAT index";
}

/** flow_same() of bpf/flow.bpf.h. */
function sameFlow(a: abi.Flow, b: abi.Flow): boolean {
  const identity = ({ role, service, backendId, lastSeen, state, flags, epoch, ...rest }: abi.Flow) =>
    hex(encode(abi.flow, { ...rest, role: 0, service: 0, backendId: 0, lastSeen: 0, state: 0, flags: 0, epoch: 0 }));
  return identity(a) === identity(b);
}

function outerKey(record: abi.Flow, src: "client" | "backend", dst: "vip" | "snat"): string {
  const ports = { client: record.clientPort, backend: record.backendPort, vip: record.vipPort, snat: record.snatPort };
  return flowKey(abi.FlowSpace.SPACE_OUTER, record.proto, [record[src], ports[src]], [record[dst], ports[dst]]);
}

/** The programs order the two ends by bytes; either order may be the one. */
function innerKeys(record: abi.Flow): readonly string[] {
  const client = [record.client, record.mappedPort] as const;
  const backend = [record.backend, record.backendPort] as const;
  return [
    flowKey(abi.FlowSpace.SPACE_INNER, record.proto, client, backend),
    flowKey(abi.FlowSpace.SPACE_INNER, record.proto, backend, client),
  ];
}

type End = readonly [Uint8Array, number];

function flowKey(space: number, proto: number, [src, sport]: End, [dst, dport]: End): string {
  return hex(encode(abi.flowKey, { src, dst, sport, dport, proto, space }));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
