// SPDX-License-Identifier: Apache-2.0
// What a writer does to the services of an earlier one while the state is not complete: nothing is taken off an endpoint
// that may only not have been read yet.

import { expect, test } from "vitest";
import type { CompiledService, ServiceKey } from "../../../src/compile/state.ts";
import { checkInvariants } from "../../../src/datapath/ebpf/invariants.ts";
import { ServiceReader } from "../../../src/datapath/ebpf/state-services.ts";
import { MapWriter } from "../../../src/datapath/ebpf/writer.ts";
import { type MemoryMaps, member, memoryMaps, service } from "./memory-maps.ts";

const [a, b, c] = [member("10.0.0.1"), member("10.0.0.2"), member("10.0.0.3")];
const options = { rcuSync: () => Promise.resolve(), onError: () => {}, graceMs: 0 };

function web(protocol: "TCP" | "UDP", sets: Partial<CompiledService>): CompiledService {
  return service("web", { key: `default/web:/${protocol}/IPv4` as ServiceKey, protocol, ...sets });
}

/** Maps with what an earlier writer left in them. */
function left(...services: CompiledService[]): MemoryMaps {
  const maps = memoryMaps();
  using writer = new MapWriter(maps, options);
  writer.adopt();
  writer.sync({ upsert: services, remove: [] });
  return maps;
}

/** `10.0.0.1 | | 10.0.0.2`: the cluster set, the local one, and those that serve beside them. */
function setsIn(maps: MemoryMaps): string {
  const [found] = new ServiceReader((name) => maps[name as keyof MemoryMaps]).services();
  const sets = found ? [found.cluster, found.local, found.serving] : [];
  return sets.map((set) => set.map(({ address }) => address).join(" ")).join(" | ");
}

test.each([
  ["row 58: UDP flows", web("UDP", {})],
  ["row 61: TCP connections that end with their endpoint", web("TCP", { endsConnections: true })],
])("%s keep an adopted endpoint that nobody has named yet, until the state is complete", (_, base) => {
  const maps = left({ ...base, cluster: [a, b] });
  const lost: string[] = [];
  using writer = new MapWriter(maps, { ...options, onEndpointsLost: (protocol) => void lost.push(protocol) });
  writer.adopt();
  writer.apply({ upsert: [{ ...base, cluster: [a] }], remove: [] });
  expect(setsIn(maps)).toBe("10.0.0.1 |  | 10.0.0.2");
  writer.apply({ upsert: [{ ...base, cluster: [c], serving: [{ ...a, terminating: true }] }], remove: [] });
  expect(setsIn(maps)).toBe("10.0.0.3 |  | 10.0.0.1 10.0.0.2");
  expect(lost).toEqual([]);
  expect(checkInvariants(writer.stores.cells, maps, writer.stores)).toEqual([]);
  writer.sync({ upsert: [{ ...base, cluster: [c] }], remove: [] });
  expect(setsIn(maps)).toBe("10.0.0.3 |  | ");
  expect(lost).toEqual([base.protocol]);
  writer.apply({ upsert: [{ ...base, cluster: [a] }], remove: [] });
  expect(setsIn(maps)).toBe("10.0.0.1 |  | ");
});

test("row 58: what was named once and is not any more has gone, also while the state is not complete", () => {
  const maps = left(web("UDP", { cluster: [a, b] }));
  using writer = new MapWriter(maps, options);
  writer.adopt();
  const apply = (...cluster: CompiledService["cluster"]) =>
    writer.apply({ upsert: [web("UDP", { cluster })], remove: [] });
  apply(a, b);
  apply(b);
  expect(setsIn(maps)).toBe("10.0.0.2 |  | ");
  apply(c);
  expect(setsIn(maps)).toBe("10.0.0.3 |  | ");
});

test("row 50: other connections stay in any case, so nothing is kept for them", () => {
  const maps = left(web("TCP", { cluster: [a, b] }));
  using writer = new MapWriter(maps, options);
  writer.adopt();
  writer.apply({ upsert: [web("TCP", { cluster: [a] })], remove: [] });
  expect(setsIn(maps)).toBe("10.0.0.1 |  | ");
});

test("row 58: a Service that is new loses endpoints as ever", () => {
  const maps = left(web("TCP", { cluster: [a] }));
  using writer = new MapWriter(maps, options);
  writer.adopt();
  const dns = (cluster: CompiledService["cluster"]) => ({ upsert: [web("UDP", { cluster })], remove: [] });
  writer.apply(dns([a, b]));
  writer.apply(dns([a]));
  expect(new ServiceReader((name) => maps[name as keyof MemoryMaps]).services()[1]).toMatchObject({
    protocol: "UDP",
    cluster: [{ address: "10.0.0.1" }],
    serving: [],
  });
});

test("row 66: the endpoints of an adopted Local set are known, without those that terminate", () => {
  const [here, draining] = [
    { ...a, local: true },
    { ...b, local: true, terminating: true },
  ];
  const maps = left(web("TCP", { cluster: [here, draining, c], local: [here, draining], externalLocal: true }));
  using writer = new MapWriter(maps, options);
  const [key] = writer.adopt();
  expect(key).toBe("default/web:/TCP/IPv4");
  expect(writer.localEndpoints("default/web:/TCP/IPv4" as ServiceKey)).toEqual(["10.0.0.1"]);
});
