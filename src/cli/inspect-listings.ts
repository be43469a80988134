// SPDX-License-Identifier: Apache-2.0
// What the listings look like: the columns over each row type.

import type { AffinityRow, BackendRow, DropRow, FlowRow, FrontendRow, ServiceRow, SourceRow } from "../inspect/rows.ts";
import type { Listing } from "./format/listing.ts";
import { formatAge, formatShare } from "./format/quantity.ts";

export const SERVICE_LISTING: Listing<ServiceRow> = {
  name: (row) => row.service,
  columns: [
    { header: "SERVICE", cell: (row) => row.service },
    { header: "PROTO", cell: (row) => row.protocol },
    { header: "FAMILY", wide: true, cell: (row) => row.family },
    { header: "TYPE", cell: (row) => row.type },
    { header: "FRONTENDS", cell: (row) => row.frontends.join(",") },
    { header: "SCHEDULER", cell: (row) => row.scheduler },
    { header: "AFFINITY", wide: true, cell: (row) => (row.affinitySeconds === null ? "" : `${row.affinitySeconds}s`) },
    { header: "POLICY", cell: policyCell },
    { header: "ENDPOINTS", cell: (row) => `${row.endpoints.local}/${row.endpoints.total}` },
    { header: "CONNECTIONS", cell: (row) => String(row.connections) },
    { header: "PACKETS", cell: (row) => String(row.packets) },
    { header: "BYTES", cell: (row) => String(row.bytes) },
    { header: "REJECTS", cell: (row) => String(row.rejects) },
  ],
};

/** internal/external, the word for both when they agree. */
function policyCell(row: ServiceRow): string {
  if (row.internalTrafficPolicy === row.externalTrafficPolicy) return row.internalTrafficPolicy;
  return `${row.internalTrafficPolicy}/${row.externalTrafficPolicy}`;
}

export const BACKEND_LISTING: Listing<BackendRow> = {
  name: (row) => row.endpoint,
  columns: [
    { header: "SERVICE", cell: (row) => row.service },
    { header: "PROTO", cell: (row) => row.protocol },
    { header: "ENDPOINT", cell: (row) => row.endpoint },
    { header: "NODE", cell: (row) => row.node ?? "" },
    { header: "ZONE", cell: (row) => row.zone ?? "" },
    { header: "LOCAL", wide: true, cell: (row) => (row.local ? "yes" : "no") },
    { header: "STATE", cell: (row) => row.state },
    { header: "WEIGHT", cell: (row) => String(row.weight) },
    { header: "CONNECTIONS", cell: (row) => String(row.connections) },
    { header: "SHARE", cell: (row) => formatShare(row.share) },
    { header: "EXPECTED", cell: (row) => formatShare(row.expectedShare) },
  ],
};

export const FRONTEND_LISTING: Listing<FrontendRow> = {
  name: (row) => `${row.frontend}/${row.protocol}`,
  columns: [
    { header: "FRONTEND", cell: (row) => row.frontend },
    { header: "PROTO", cell: (row) => row.protocol },
    { header: "KIND", cell: (row) => row.kind },
    { header: "SERVICE", cell: (row) => row.service ?? "" },
  ],
};

export const SOURCE_LISTING: Listing<SourceRow> = {
  name: (row) => row.range ?? "node",
  columns: [
    { header: "SERVICE", cell: (row) => row.service },
    { header: "PROTO", cell: (row) => row.protocol },
    { header: "FAMILY", cell: (row) => row.family },
    { header: "FRONTENDS", cell: (row) => row.kinds.join(",") },
    { header: "RANGE", cell: (row) => row.range ?? "node" },
    { header: "VERDICT", cell: (row) => row.verdict },
  ],
};

export const FLOW_LISTING: Listing<FlowRow> = {
  name: (row) => `${row.protocol}/${row.client}/${row.vip}`,
  columns: [
    { header: "PROTO", cell: (row) => row.protocol },
    { header: "CLIENT", cell: (row) => row.client },
    { header: "VIP", cell: (row) => row.vip },
    { header: "BACKEND", cell: (row) => row.backend },
    { header: "SNAT", cell: (row) => row.snat ?? "" },
    { header: "STATE", cell: (row) => row.state },
    { header: "AGE", cell: (row) => formatAge(row.ageSeconds) },
    { header: "IDLE", wide: true, cell: (row) => formatAge(row.idleSeconds) },
    { header: "SERVICE", cell: (row) => row.service ?? "" },
  ],
};

export const AFFINITY_LISTING: Listing<AffinityRow> = {
  name: (row) => `${row.client}/${row.service}`,
  columns: [
    { header: "CLIENT", cell: (row) => row.client },
    { header: "SERVICE", cell: (row) => row.service },
    { header: "PROTO", cell: (row) => row.protocol },
    { header: "ENDPOINT", cell: (row) => row.endpoint },
    { header: "IDLE", cell: (row) => formatAge(row.idleSeconds) },
    { header: "EXPIRES", cell: (row) => formatAge(row.expiresInSeconds) },
  ],
};

export const DROP_LISTING: Listing<DropRow> = {
  name: (row) => row.reason,
  columns: [
    { header: "REASON", cell: (row) => row.reason },
    { header: "COUNT", cell: (row) => String(row.count) },
    { header: "MEANING", cell: (row) => row.explanation },
  ],
};
