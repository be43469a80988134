// SPDX-License-Identifier: Apache-2.0
// Random histories of services against the map writer: after every single write whatever a packet can reach is whole,
// a kill after any write leaves maps that the next agent takes over, and in the end the maps say what was wanted.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CompiledService, ServiceKey, SourceFilter } from "../../src/compile/state.ts";
import type { ApplyReport } from "../../src/datapath/contract.ts";
import { checkInvariants, type Violation } from "../../src/datapath/ebpf/invariants.ts";
import { ServiceReader } from "../../src/datapath/ebpf/state-services.ts";
import { MapWriter } from "../../src/datapath/ebpf/writer.ts";
import type { Ip } from "../../src/model/ip.ts";
import { wantedAtRandom } from "../support/wanted.ts";
import { copyMaps, type MemoryMaps, member, memoryMaps, type Sizes, service } from "../unit/datapath/memory-maps.ts";
import { Readers } from "../unit/datapath/readers.ts";

/** What is wanted, with every frontend in one service at most. */
type Wanted = ReadonlyMap<ServiceKey, CompiledService>;

const wantedArb: fc.Arbitrary<Wanted> = wantedAtRandom.map((list) => new Map(list.map((one) => [one.key, one])));

const NOTHING = {
  servicesWritten: 0,
  servicesRemoved: 0,
  frontendsWritten: 0,
  frontendsRemoved: 0,
  backendsWritten: 0,
};

type Step =
  | { readonly kind: "apply" | "restart"; readonly wanted: Wanted }
  /** The agent dies after this many writes of the change; the next one syncs to what was wanted. */
  | { readonly kind: "kill"; readonly wanted: Wanted; readonly after: number }
  | { readonly kind: "reclaim" };

const stepArb: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("apply" as const), wanted: wantedArb }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), wanted: wantedArb }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("kill" as const), wanted: wantedArb, after: fc.nat({ max: 60 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: "reclaim" as const }) },
);

/** A writer over maps in memory whose RCU periods end when told, looked at after every write. */
class Node {
  readonly violations: Violation[] = [];
  maps: MemoryMaps;
  writer: MapWriter;
  readers = new Readers();
  /** What the last restart wrote. */
  last: ApplyReport | undefined;
  wanted: Wanted = new Map();
  #periods: (() => void)[] = [];
  #killAfter = Number.POSITIVE_INFINITY;
  #left: MemoryMaps | undefined;

  constructor(maps: MemoryMaps) {
    this.maps = maps;
    this.writer = this.#start();
  }

  apply(wanted: Wanted): void {
    const upsert = [...wanted.values()];
    const remove = [...this.wanted.keys()].filter((key) => !wanted.has(key));
    this.wanted = wanted;
    tolerateFull(() => this.writer.apply({ upsert, remove }));
  }

  kill(wanted: Wanted, after: number): void {
    this.#killAfter = after;
    this.#left = undefined;
    this.apply(wanted);
    this.#killAfter = Number.POSITIVE_INFINITY;
    this.restart(wanted, this.#left);
  }

  restart(wanted: Wanted, left?: MemoryMaps): void {
    this.maps = left ?? copyMaps(this.maps);
    this.#periods = [];
    this.writer = this.#start();
    this.wanted = wanted;
    expect(this.writer.warnings).toEqual([]);
    tolerateFull(() => {
      this.last = this.writer.sync({ upsert: [...wanted.values()], remove: [] });
    });
  }

  async reclaim(): Promise<void> {
    const drained = this.writer.drained();
    for (let i = 0; i < 20; i++) {
      for (const end of this.#periods.splice(0)) end();
      await Promise.resolve();
    }
    for (const end of this.#periods.splice(0)) end();
    await drained;
  }

  #start(): MapWriter {
    this.readers = new Readers();
    const rcuSync = () => this.#rcuSync(this.readers);
    const options = { rcuSync, onError: tolerateFullError, onWrite: () => this.#written() };
    const writer = new MapWriter(this.maps, options);
    this.writer = writer;
    for (const map of [this.maps.frontends, this.maps.source_ranges]) map.onWrite = () => this.#written();
    writer.adopt();
    return writer;
  }

  #rcuSync(readers: Readers): Promise<void> {
    const period = readers.periodBegins();
    return new Promise((resolve) => {
      this.#periods.push(() => {
        readers.periodEnds(period);
        resolve();
      });
    });
  }

  #written(): void {
    const { stores } = this.writer;
    this.violations.push(...checkInvariants(stores.cells, this.maps, stores));
    this.readers.look(stores.cells, this.maps);
    if (this.#killAfter-- === 0) this.#left = copyMaps(this.maps);
  }
}

function tolerateFull(change: () => void): void {
  try {
    change();
  } catch (error) {
    tolerateFullError(error);
  }
}

function tolerateFullError(error: unknown): void {
  const errors = error instanceof AggregateError ? error.errors : [error];
  for (const one of errors) if ((one as { code?: string }).code !== "PORTOLAN_MAP_FULL") throw one;
}

async function run(steps: readonly Step[], sizes: Partial<Sizes>): Promise<Node> {
  const node = new Node(memoryMaps(sizes));
  for (const step of steps) {
    if (step.kind === "apply") node.apply(step.wanted);
    if (step.kind === "restart") node.restart(step.wanted);
    if (step.kind === "kill") node.kill(step.wanted, step.after);
    if (step.kind === "reclaim") await node.reclaim();
    expect(node.violations).toEqual([]);
    expect(node.readers.disturbed).toEqual([]);
  }
  return node;
}

/** service key → what the maps say, in the terms of what was wanted. */
function inMaps(maps: MemoryMaps): unknown {
  const reader = new ServiceReader((name) => maps[name as keyof MemoryMaps]);
  return reader.services().map((one) => ({
    key: one.key,
    cluster: one.cluster.map(({ address, weight }) => `${address}*${weight}`),
    local: one.local.map(({ address, weight }) => `${address}*${weight}`),
    serving: one.serving.map(({ address, weight }) => `${address}*${weight}`),
    frontends: one.frontends.map(({ port, address }) => `${address}:${port}`).sort(),
    scheduler: one.scheduler,
    externalLocal: one.externalLocal,
    sources: asText(one.sources),
  }));
}

function asText(sources: SourceFilter | undefined): unknown {
  const rules = sources?.rules.map(({ range, admit }) => `${range.address}/${range.prefixLength} ${admit}`);
  return sources && { kinds: [...sources.kinds].sort(), rules: rules?.sort() };
}

function asWanted(wanted: Wanted): unknown {
  return [...wanted.values()]
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map((one) => ({
      key: one.key,
      cluster: one.cluster.map(({ address, weight }) => `${address}*${weight}`),
      local: one.local.map(({ address, weight }) => `${address}*${weight}`),
      serving: one.serving.map(({ address, weight }) => `${address}*${weight}`),
      frontends: one.frontends.map(({ port, address }) => `${address ?? "0.0.0.0"}:${port}`).sort(),
      scheduler: one.scheduler,
      externalLocal: one.externalLocal,
      sources: asText(one.sources),
    }));
}

const guarded = service("web", {
  cluster: [member("10.0.0.1")],
  sources: {
    kinds: ["ClusterIP"],
    rules: [
      { range: { address: "192.0.2.0" as Ip, prefixLength: 24 }, admit: true },
      { range: { address: "0.0.0.0" as Ip, prefixLength: 32 }, admit: false },
    ],
  },
});

describe("the map writer, in any history", () => {
  it("keeps every invariant after every write and ends with what was wanted", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArb, { minLength: 1, maxLength: 12 }), async (steps) => {
        const node = await run(steps, { tables: 4096 });
        expect(inMaps(node.maps)).toEqual(asWanted(node.wanted));
        await node.reclaim();
        node.restart(node.wanted);
        expect(node.last).toEqual(NOTHING);
        await node.reclaim();
        expect(node.readers.disturbed).toEqual([]);
        const { stores } = node.writer;
        const used = [...node.wanted.values()].flatMap((one) =>
          [...one.cluster, ...one.local, ...one.serving].map(({ address, weight }) => `${address}*${weight}`),
        );
        const ids = Array.from({ length: stores.backends.pool.size - 1 }, (_, i) => i + 1);
        expect(ids.filter((id) => !stores.backends.pool.isFree(id))).toHaveLength(new Set(used).size);
        expect(ids.filter((id) => !stores.cells.backends.isZero(id))).toHaveLength(new Set(used).size);
        const sets = new Set(
          [...node.wanted.values()].map(({ sources }) => JSON.stringify(asText(sources && { ...sources, kinds: [] }))),
        );
        const rules = [...sets].flatMap((set) => (set === undefined ? [] : (JSON.parse(set) as { rules: [] }).rules));
        expect([...node.maps.source_ranges.entries()]).toHaveLength(rules.length);
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it("keeps every invariant when maps are too small for what is wanted", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArb, { minLength: 1, maxLength: 12 }), async (steps) => {
        const node = await run(steps, {
          backends: 8,
          members: 9,
          tables: 48,
          frontends: 4,
          services: 5,
          sourceRanges: 4,
        });
        await node.reclaim();
        expect(node.violations).toEqual([]);
        expect(node.readers.disturbed).toEqual([]);
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it("would be caught if frontends stayed behind their service", () => {
    const node = new Node(memoryMaps());
    const web = service("web", { cluster: [member("10.0.0.1")] });
    node.apply(new Map([[web.key, web]]));
    node.writer.stores.frontends.remove = () => 0;
    node.apply(new Map());
    expect(node.violations).toContainEqual({
      map: "frontends",
      cell: "00000000000000000000ffff0a60000100500600",
      problem: "names service 1, which is not in use",
    });
  });

  it("would be caught if a word were published before its block is written", () => {
    const node = new Node(memoryMaps());
    const { blocks, cells } = node.writer.stores;
    const write = blocks.write.bind(blocks);
    blocks.write = (plan) => {
      cells.services.store(plan.service, 1n);
      return write(plan);
    };
    const web = service("web", { cluster: [member("10.0.0.1")] });
    node.apply(new Map([[web.key, web]]));
    expect(node.violations.map(({ problem }) => problem)).toContain("is of service 0, not 1");
  });

  it("would be caught if a backend were freed with its last block still in force", () => {
    const node = new Node(memoryMaps());
    const web = service("web", { cluster: [member("10.0.0.1")] });
    node.apply(new Map([[web.key, web]]));
    node.writer.stores.backends.reclaim(1);
    expect(node.violations).toContainEqual({
      map: "members",
      cell: 2,
      problem: "names backend 1 as member 0, which is not live",
    });
  });

  it("would be caught if source ranges were written after the block that names them", () => {
    const node = new Node(memoryMaps());
    const { source_ranges } = node.maps;
    const late: (() => void)[] = [];
    const update = source_ranges.update.bind(source_ranges);
    source_ranges.update = (key, value) => void late.push(() => update(key, value));
    const { services } = node.writer.stores.cells;
    const store = services.store.bind(services);
    services.store = (id, word) => {
      store(id, word);
      for (const write of late.splice(0)) write();
    };
    node.apply(new Map([[guarded.key, guarded]]));
    expect(node.violations.map(({ problem }) => problem)).toContain("names source set 1, of which 0 of 0 are there");
    expect(node.violations.map(({ problem }) => problem)).toContain("names source set 1, of which 1 of 2 are there");
  });

  it("would be caught if source ranges went before an RCU period has ended", () => {
    const node = new Node(memoryMaps());
    node.apply(new Map([[guarded.key, guarded]]));
    const { sources } = node.writer.stores;
    sources.release = (id) => sources.discard(id);
    node.apply(new Map([[guarded.key, { ...guarded, sources: undefined }]]));
    expect(node.violations).toEqual([]);
    expect(node.readers.disturbed).toContain("block 1:1 at row 2");
  });

  it("would be caught if rows were reused before an RCU period has ended", () => {
    const node = new Node(memoryMaps());
    const web = service("web", { cluster: [member("10.0.0.1")] });
    node.apply(new Map([[web.key, web]]));
    const { blocks } = node.writer.stores;
    blocks.retireRows = (row, count) => {
      node.writer.stores.cells.members.clear(row, count);
      blocks.rows.release(row, count);
    };
    node.apply(new Map([[web.key, { ...web, cluster: [member("10.0.0.2")] }]]));
    expect(node.violations).toEqual([]);
    expect(node.readers.disturbed).toEqual(["block 1:1 at row 2"]);
  });
});
