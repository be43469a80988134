// SPDX-License-Identifier: Apache-2.0
// The maps of maps.bpf.h that the writer and the reading side use, small, pinned in a bpffs as an agent would pin them.

import { mkdirSync } from "node:fs";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { mapPin, pinsUnder } from "../../src/datapath/ebpf/pins.ts";
import type { WriterMaps } from "../../src/datapath/ebpf/stores.ts";
import { createMap, openPinnedMap } from "../../src/libbpf/index.ts";

const [HASH, ARRAY, PERCPU_ARRAY, LPM_TRIE] = [1, 2, 6, 11];
const [NO_PREALLOC, MMAPABLE] = [1, 1024];

/** type, key size, value size, entries, flags */
const SPECS: Readonly<Record<string, readonly [number, number, number, number, number]>> = {
  frontends: [HASH, abi.frontendKey.size, abi.frontend.size, 4096, NO_PREALLOC],
  addresses: [HASH, abi.ipAddr.size, abi.address.size, 4160, NO_PREALLOC],
  service_ranges: [ARRAY, 4, abi.serviceRanges.size, 1, 0],
  source_ranges: [LPM_TRIE, abi.sourceKey.size, abi.sourceVerdict.size, 1024, NO_PREALLOC],
  services: [ARRAY, 4, abi.serviceWord.size, 1024, MMAPABLE],
  members: [ARRAY, 4, abi.blockRow.size, 8192, MMAPABLE],
  tables: [ARRAY, 4, abi.tableRow.size, 65536, MMAPABLE],
  backends: [ARRAY, 4, abi.backend.size, 8192, MMAPABLE],
  service_meta: [ARRAY, 4, abi.serviceMeta.size, 1024, MMAPABLE],
  names: [ARRAY, 4, abi.nameRow.size, 256, MMAPABLE],
  service_stats: [PERCPU_ARRAY, 4, abi.serviceStats.size, 1024, 0],
  backend_stats: [ARRAY, 4, abi.backendStats.size, 8192, 0],
  agent_state: [ARRAY, 4, abi.agentState.size, 1, MMAPABLE],
  drops: [PERCPU_ARRAY, 4, 8, abi.DropReason.DROP_REASONS, 0],
  devices: [HASH, 4, abi.device.size, 64, NO_PREALLOC],
  flows: [HASH, abi.flowKey.size, abi.flow.size, 64, NO_PREALLOC],
  nascent: [HASH, abi.flowKey.size, abi.flow.size, 64, NO_PREALLOC],
  affinity: [HASH, abi.affinityKey.size, abi.affinity.size, 64, NO_PREALLOC],
};

/** Creates and pins them all below BPFFS/portolan. */
export function pinWriterMaps(bpffs: string): void {
  const pins = pinsUnder(bpffs);
  mkdirSync(pins.maps, { recursive: true });
  for (const [name, [type, keySize, valueSize, maxEntries, flags]] of Object.entries(SPECS)) {
    using map = createMap({ name, type, keySize, valueSize, maxEntries, flags });
    map.pin(mapPin(pins, name));
  }
}

/** Opens those that the writer writes. */
export function openWriterMaps(bpffs: string): WriterMaps {
  const open = (name: string) => openPinnedMap(mapPin(pinsUnder(bpffs), name));
  return {
    frontends: open("frontends"),
    addresses: open("addresses"),
    service_ranges: open("service_ranges"),
    source_ranges: open("source_ranges"),
    services: open("services"),
    members: open("members"),
    tables: open("tables"),
    backends: open("backends"),
    service_meta: open("service_meta"),
    names: open("names"),
    service_stats: open("service_stats"),
    backend_stats: open("backend_stats"),
  };
}
