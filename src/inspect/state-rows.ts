// SPDX-License-Identifier: Apache-2.0
// Which rows each listing has, from the pinned maps.

import type { DatapathState, FlowState } from "../datapath/ebpf/state-types.ts";
import { affinityRows } from "./affinity-rows.ts";
import { dropRows, flowRows } from "./flow-rows.ts";
import type { AffinityRow, BackendRow, DropRow, FlowRow, FrontendRow, ServiceRow, SourceRow } from "./rows.ts";
import { backendRows, frontendRows, serviceRows } from "./service-rows.ts";
import { sourceRows } from "./source-rows.ts";

/** What rows of Services are made of, whatever the mode. */
export type ServedState = Pick<DatapathState, "services" | "frontends">;

type RowsOf<Row, State = DatapathState> = (state: State) => readonly Row[];

export const servicesOf: RowsOf<ServiceRow, ServedState> = (state) => serviceRows(state.services());
export const backendsOf: RowsOf<BackendRow, ServedState> = (state) => backendRows(state.services());
export const frontendsOf: RowsOf<FrontendRow, ServedState> = (state) => frontendRows(state.frontends());
export const sourcesOf: RowsOf<SourceRow, ServedState> = (state) => sourceRows(state.services());
export const dropsOf: RowsOf<DropRow> = (state) => dropRows(state.drops());
export const affinityOf: RowsOf<AffinityRow> = (state) =>
  affinityRows(state.affinity(), {
    services: state.services(),
    clients: state.clientNetns(),
    hostNetns: state.agent()?.netnsCookie ?? 0n,
    now: bootSeconds(),
  });

/** most: so many of them, in no order; the rest is not read. */
export function flowsOf(state: DatapathState, most: number = Number.POSITIVE_INFINITY): readonly FlowRow[] {
  return flowRows(first(state.flows(), most), bootSeconds());
}

function* first(flows: Iterable<FlowState>, most: number): IterableIterator<FlowState> {
  let seen = 0;
  for (const flow of flows) {
    if (++seen > most) return;
    yield flow;
  }
}

/** Of the monotonic clock, as the kernel's records have it. */
function bootSeconds(): number {
  return Number(process.hrtime.bigint() / 1_000_000_000n);
}
