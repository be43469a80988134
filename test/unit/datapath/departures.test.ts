// SPDX-License-Identifier: Apache-2.0
// How long an endpoint that is not named any more counts as serving for a Service that ends connections: long enough for
// one that only moves, and for as long as no other is named.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { CompiledService, ServiceKey } from "../../../src/compile/state.ts";
import { checkInvariants } from "../../../src/datapath/ebpf/invariants.ts";
import { ServiceReader } from "../../../src/datapath/ebpf/state-services.ts";
import { MapWriter } from "../../../src/datapath/ebpf/writer.ts";
import { type MemoryMaps, member, memoryMaps, service } from "./memory-maps.ts";

const [a, b, c] = [member("10.0.0.1"), member("10.0.0.2"), member("10.0.0.3")];
const key = "default/web:/TCP/IPv4" as ServiceKey;

let maps: MemoryMaps;
let lost: string[];
let writer: MapWriter;

beforeEach(() => {
  vi.useFakeTimers();
  maps = memoryMaps();
  writer = start();
  writer.sync({ upsert: [], remove: [] });
});
afterEach(() => {
  expect(checkInvariants(writer.stores.cells, maps, writer.stores)).toEqual([]);
  writer[Symbol.dispose]();
  vi.useRealTimers();
});

function start(): MapWriter {
  lost = [];
  const onEndpointsLost = (protocol: string) => void lost.push(protocol);
  const onError = (error: unknown) => {
    throw error;
  };
  const next = new MapWriter(maps, { rcuSync: () => Promise.resolve(), onError, onEndpointsLost });
  next.adopt();
  return next;
}

const web = (cluster: CompiledService["cluster"], more: Partial<CompiledService> = {}) =>
  service("web", { key, protocol: "TCP", endsConnections: true, cluster, ...more });

function put(cluster: CompiledService["cluster"], more: Partial<CompiledService> = {}): void {
  writer.apply({ upsert: [web(cluster, more)], remove: [] });
}

/** `10.0.0.1 | 10.0.0.2`: the cluster set, and those that serve beside it. */
function named(): string {
  const [found] = new ServiceReader((name) => maps[name as keyof MemoryMaps]).services();
  return [found?.cluster ?? [], found?.serving ?? []]
    .map((set) => set.map(({ address }) => address).join(" "))
    .join(" | ");
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test("row 61: it serves for one second more, then sockets are looked through", async () => {
  put([a, b]);
  put([b]);
  expect(named()).toBe("10.0.0.2 | 10.0.0.1");
  await pass(500);
  put([b, c]); // another change of the Service is no reason to begin anew
  await pass(499);
  expect(named()).toBe("10.0.0.2 10.0.0.3 | 10.0.0.1");
  expect(lost).toEqual([]);
  await pass(2);
  expect(named()).toBe("10.0.0.2 10.0.0.3 | ");
  expect(lost).toEqual(["TCP"]);
});

test("row 50: one that is named again in time has never left", async () => {
  put([a, b]);
  put([b]);
  await pass(900);
  put([b, a]);
  await pass(5000);
  expect(named()).toBe("10.0.0.2 10.0.0.1 | ");
  expect(lost).toEqual([]);
  put([b]);
  await pass(900);
  expect(named()).toBe("10.0.0.2 | 10.0.0.1");
});

test("row 50: none leaves a Service that names no other, nor one that is deleted after its slices", async () => {
  put([a, b]);
  put([]);
  await pass(60_000);
  expect(named()).toBe(" | 10.0.0.1 10.0.0.2");
  put([c]);
  expect(named()).toBe("10.0.0.3 | 10.0.0.1 10.0.0.2");
  await pass(1001);
  expect(named()).toBe("10.0.0.3 | ");
  expect(lost).toEqual(["TCP"]);
  put([]);
  writer.apply({ upsert: [], remove: [key] });
  await pass(60_000);
  expect(lost).toEqual(["TCP"]);
});

test("row 61: the next agent takes the second for what is gone at its start; nothing is held without the option", async () => {
  put([a, b]);
  writer[Symbol.dispose]();
  writer = start();
  writer.sync({ upsert: [web([b])], remove: [] });
  expect(named()).toBe("10.0.0.2 | 10.0.0.1");
  await pass(1001);
  expect(named()).toBe("10.0.0.2 | ");
  expect(lost).toEqual(["TCP"]);
  put([b, c]);
  put([c], { endsConnections: false });
  expect(named()).toBe("10.0.0.3 | ");
});
