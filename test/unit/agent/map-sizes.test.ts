// SPDX-License-Identifier: Apache-2.0
// Sizes of the maps.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mapSizeTable } from "../../../src/agent/map-sizes.ts";

test("the defaults are those of maps.bpf.h", () => {
  const source = readFileSync(new URL("../../../bpf/maps.bpf.h", import.meta.url), "utf8");
  const declared = [...source.matchAll(/struct \{([^}]*)\} (\w+) SEC\("\.maps"\);/g)].map(([, body, name]) => [
    name,
    Number(/max_entries, (\d+)/.exec(body ?? "")?.[1]),
  ]);
  const table = mapSizeTable({ maxServices: 65_536, maxBackends: 262_144, maxFlows: 1_048_576 });
  for (const [map, size] of Object.entries(table)) expect(declared).toContainEqual([map, size]);
});

test("what depends on a number grows with it", () => {
  expect(mapSizeTable({ maxServices: 1000, maxBackends: 100_000, maxFlows: 80_000 })).toMatchObject({
    services: 1000,
    service_meta: 1000,
    service_stats: 1000,
    frontends: 4000,
    members: 50_000,
    tables: 100_000,
    backends: 100_000,
    backend_stats: 100_000,
    names: 8192,
    flows: 80_000,
    nascent: 10_000,
  });
});
