// SPDX-License-Identifier: Apache-2.0
// How large each map is, from the three numbers a user gives. The defaults are those of bpf/maps.bpf.h.

import type { MapSizeTable } from "../datapath/ebpf/programs.ts";
import type { MapSizes } from "./options.ts";

/** Frontends of one service port: ClusterIP, NodePort, VIPs and externalIPs, on average. */
const FRONTENDS_PER_SERVICE = 4;
/** Rows of a block: its header, ids of 16 endpoints a row, and room to write the next block beside it. */
const ROWS_PER_SERVICE = 4;
/** Addresses of the node and names of nodes and zones grow with the cluster; never below the defaults. */
const MIN_NODE_ADDRESSES = 4096;
const MIN_NAMES = 8192;
/** Source ranges of one Service, on average; those that have none cost nothing. */
const RANGES_PER_SERVICE = 16;
/** Flows that may come to nothing, as a share of those that last. */
const FLOWS_PER_NASCENT = 8;
/** Clients that keep to an endpoint, as a share of flows that last. */
const FLOWS_PER_AFFINITY = 8;

export function mapSizeTable(sizes: MapSizes): MapSizeTable {
  // Ids 0 and rows 0 are never used.
  const services = sizes.maxServices;
  const backends = sizes.maxBackends;
  return {
    services,
    service_meta: services,
    service_stats: services,
    frontends: services * FRONTENDS_PER_SERVICE,
    members: Math.max(services * ROWS_PER_SERVICE, Math.ceil(backends / 2)),
    tables: Math.max(services * ROWS_PER_SERVICE, backends),
    addresses: services * FRONTENDS_PER_SERVICE + Math.max(MIN_NODE_ADDRESSES, Math.ceil(services / 16)),
    names: Math.max(MIN_NAMES, Math.ceil(backends / 32)),
    source_ranges: services * RANGES_PER_SERVICE,
    backends,
    backend_stats: backends,
    flows: sizes.maxFlows,
    nascent: Math.ceil(sizes.maxFlows / FLOWS_PER_NASCENT),
    affinity: Math.ceil(sizes.maxFlows / FLOWS_PER_AFFINITY),
  };
}
