// SPDX-License-Identifier: Apache-2.0
// Flows and drops as rows. Pure.

import { FlowState as StateBits } from "../datapath/ebpf/abi.gen.ts";
import type { DropState, FlowState } from "../datapath/ebpf/state-types.ts";
import { DROP_EXPLANATIONS } from "./drop-reasons.ts";
import { formatEndpoint } from "./endpoint.ts";
import type { DropRow, FlowRow } from "./rows.ts";
import { serviceName } from "./service-rows.ts";

/** now: seconds since boot, of the monotonic clock, as the flows have it. */
export function flowRows(flows: Iterable<FlowState>, now: number): readonly FlowRow[] {
  return [...flows].map((flow) => ({
    protocol: flow.protocol,
    client: formatEndpoint(flow.client, flow.clientPort),
    vip: formatEndpoint(flow.vip, flow.vipPort),
    backend: formatEndpoint(flow.backend, flow.backendPort),
    snat: snatOf(flow),
    state: stateOf(flow),
    ageSeconds: Math.max(0, now - flow.created),
    idleSeconds: Math.max(0, now - flow.lastSeen),
    service: flow.service === undefined ? null : serviceName(flow.service),
  }));
}

export function dropRows(drops: readonly DropState[]): readonly DropRow[] {
  return drops.map(({ name, count }) => ({
    reason: name,
    count: Number(count),
    explanation: DROP_EXPLANATIONS[name] ?? "",
  }));
}

/** A client port that was taken is replaced without masquerade, too: the backend then sees client:mappedPort. */
function snatOf({ snat, client, clientPort, mappedPort }: FlowState): string | null {
  if (snat) return formatEndpoint(snat.address, snat.port);
  return mappedPort === clientPort ? null : formatEndpoint(client, mappedPort);
}

function stateOf({ answered, state }: FlowState): FlowRow["state"] {
  const fins = state & (StateBits.FLOW_FIN_CLIENT | StateBits.FLOW_FIN_BACKEND);
  if (state & StateBits.FLOW_RST || fins === (StateBits.FLOW_FIN_CLIENT | StateBits.FLOW_FIN_BACKEND)) return "closed";
  if (fins !== 0) return "closing";
  return answered ? "established" : "new";
}
