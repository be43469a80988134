// SPDX-License-Identifier: Apache-2.0
// The map writer over real maps: what another process reads from the pins, and agents killed in the middle of changes.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import type { CompiledService, SourceFilter } from "../../src/compile/state.ts";
import { checkInvariants, type Violation } from "../../src/datapath/ebpf/invariants.ts";
import { openState } from "../../src/datapath/ebpf/state.ts";
import { openCells } from "../../src/datapath/ebpf/stores.ts";
import { MapWriter } from "../../src/datapath/ebpf/writer.ts";
import { DROP_EXPLANATIONS } from "../../src/inspect/drop-reasons.ts";
import { rcuSync } from "../../src/libbpf/index.ts";
import { bpffs } from "../support/bpffs.ts";
import { wantedAtRandom } from "../support/wanted.ts";
import { openWriterMaps, pinWriterMaps } from "../support/writer-maps.ts";
import { clusterIp, member, nodePort, service } from "../unit/datapath/memory-maps.ts";

const NOTHING = {
  servicesWritten: 0,
  servicesRemoved: 0,
  frontendsWritten: 0,
  frontendsRemoved: 0,
  backendsWritten: 0,
};

const mounts: (Disposable & { readonly path: string })[] = [];
let pins = "";

beforeEach(() => {
  const mount = bpffs();
  mounts.push(mount);
  pins = mount.path;
  pinWriterMaps(pins);
});
afterAll(() => {
  for (const mount of mounts) mount[Symbol.dispose]();
});

/** violations() tells what is wrong now; seen collects what was wrong after any write to a mapped array. */
function startWriter() {
  const errors: unknown[] = [];
  const maps = openWriterMaps(pins);
  const seen: Violation[] = [];
  const onError = (error: unknown) => errors.push(error);
  const writer: MapWriter = new MapWriter(maps, { rcuSync, onError, onWrite: () => seen.push(...violations()) });
  const violations = () => checkInvariants(writer.stores.cells, maps, writer.stores);
  writer.adopt();
  return { writer, errors, violations, seen };
}

/** What the pins say, as another mapping sees it. */
function read(): unknown {
  using state = openState(pins);
  return state.services().map(({ key, cluster, local, frontends, scheduler, externalLocal, sources }) => ({
    key,
    cluster: cluster.map(({ address, weight }) => `${address}*${weight}`),
    local: local.map(({ address, weight }) => `${address}*${weight}`),
    frontends: frontends.map(({ address, port }) => `${address}:${port}`).sort(),
    scheduler,
    externalLocal,
    sources: asText(sources),
  }));
}

function asText(sources: SourceFilter | undefined): unknown {
  const rules = sources?.rules.map(({ range, admit }) => `${range.address}/${range.prefixLength} ${admit}`);
  return sources && { kinds: [...sources.kinds].sort(), rules: rules?.sort() };
}

function asRead(wanted: readonly CompiledService[]): unknown {
  return wanted.map(({ key, cluster, local, frontends, scheduler, externalLocal, sources }) => ({
    key,
    cluster: cluster.map(({ address, weight }) => `${address}*${weight}`),
    local: local.map(({ address, weight }) => `${address}*${weight}`),
    frontends: frontends.map(({ address, port }) => `${address ?? "0.0.0.0"}:${port}`).sort(),
    scheduler,
    externalLocal,
    sources: asText(sources),
  }));
}

/** Resolves once the process has printed this many lines; rejects when it ends before. */
async function lines(child: ChildProcess, count: number): Promise<void> {
  let seen = 0;
  for await (const chunk of child.stdout ?? []) {
    seen += String(chunk).split("\n").length - 1;
    if (seen >= count) return;
  }
  throw new Error(`the writing process ended after ${seen} of ${count} changes`);
}

describe("the map writer over kernel maps", () => {
  test("writes what the reading side reads from the pins, and a second agent has nothing to write", async () => {
    const web = service("web", {
      type: "NodePort",
      frontends: [clusterIp("10.96.0.1"), nodePort(30080)],
      cluster: [member("10.0.0.1", { local: true, zone: "z1" }), member("10.0.0.2", { terminating: true })],
    });
    const first = startWriter();
    first.writer.sync({ upsert: [web], remove: [] });
    await first.writer.drained();
    using state = openState(pins);
    expect(state.services()).toMatchObject([
      {
        id: 1,
        namespace: "default",
        name: "web",
        type: "NodePort",
        tableSize: 251,
        stats: { connections: 0n, packets: 0n, bytes: 0n, rejects: 0n },
        cluster: [
          { address: "10.0.0.1", port: 8080, local: true, terminating: false, nodeName: "node-a", zone: "z1" },
          { address: "10.0.0.2", port: 8080, local: false, terminating: true, nodeName: "node-a", zone: "" },
        ],
      },
    ]);
    expect(state.frontends().map(({ kind, address, port, service: key }) => ({ kind, address, port, key }))).toEqual(
      expect.arrayContaining([
        { kind: "ClusterIP", address: "10.96.0.1", port: 80, key: web.key },
        { kind: "NodePort", address: "0.0.0.0", port: 30080, key: web.key },
      ]),
    );
    const second = startWriter();
    expect(second.writer.warnings).toEqual([]);
    expect(second.writer.sync({ upsert: [web], remove: [] })).toEqual(NOTHING);
    expect(second.violations()).toEqual([]);
  });

  test("keeps every invariant after every write of random changes, and ends with what was wanted", async () => {
    const { writer, errors, violations, seen } = startWriter();
    writer.sync({ upsert: [], remove: [] });
    let before: readonly CompiledService[] = [];
    for (const wanted of fc.sample(wantedAtRandom, { numRuns: 60, seed: 7 })) {
      const keys = new Set(wanted.map((one) => one.key));
      writer.apply({ upsert: wanted, remove: before.map((one) => one.key).filter((key) => !keys.has(key)) });
      expect(violations()).toEqual([]);
      expect(read()).toEqual(asRead(wanted));
      before = wanted;
    }
    await writer.drained();
    expect(violations()).toEqual([]);
    expect(seen).toEqual([]);
    expect(errors).toEqual([]);
  });

  test("kill -9 in the middle of changes leaves whole sets, which the next agent takes over", async () => {
    const final = [service("after", { cluster: [member("10.0.0.9")] })];
    for (let round = 0; round < 4; round++) {
      const args = ["--import", "tsx", "test/support/programs/writer-churn.ts", pins, String(round)];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      const exit = once(child, "exit");
      await lines(child, 20 + round * 7);
      child.kill("SIGKILL");
      await exit;
      const maps = openWriterMaps(pins);
      expect(checkInvariants(openCells(maps), maps)).toEqual([]);
    }
    const next = startWriter();
    expect(next.writer.warnings).toEqual([]);
    next.writer.sync({ upsert: final, remove: [] });
    await next.writer.drained();
    expect(read()).toEqual(asRead(final));
    expect(next.violations()).toEqual([]);
    const { backends, cells } = next.writer.stores;
    const used = Array.from({ length: cells.backends.length }, (_, id) => id).filter(
      (id) => !cells.backends.isZero(id),
    );
    expect(used).toHaveLength(1);
    expect(backends.pool.isFree(used[0] ?? 0)).toBe(false);
  });

  test("counts what is in force, not what was", async () => {
    const { writer } = startWriter();
    const web = service("web", { frontends: [nodePort(30080)], cluster: [member("10.0.0.1"), member("10.0.0.2")] });
    writer.sync({ upsert: [web, service("old", { cluster: [member("10.0.0.3")] })], remove: [] });
    writer.apply({ upsert: [], remove: [service("old").key] });
    await writer.drained();
    using state = openState(pins);
    expect(state.fill().map(({ map, used, size }) => ({ map, used, size }))).toEqual([
      { map: "services", used: 1, size: 1023 },
      { map: "members", used: 2, size: 8191 },
      { map: "tables", used: 16, size: 65535 },
      { map: "backends", used: 2, size: 8191 },
      { map: "names", used: 1, size: 255 },
      { map: "frontends", used: 1, size: 4096 },
      { map: "source_ranges", used: 0, size: 1024 },
      { map: "flows", used: 0, size: 64 },
      { map: "nascent", used: 0, size: 64 },
      { map: "affinity", used: 0, size: 64 },
      { map: "devices", used: 0, size: 64 },
      { map: "addresses", used: 0, size: 4160 },
    ]);
  });

  test("counts the connections of an id's next owner from zero", async () => {
    const { writer, errors } = startWriter();
    const web = service("web", { cluster: [member("10.0.0.1")] });
    writer.sync({ upsert: [web], remove: [] });
    const { service_stats, backend_stats } = openWriterMaps(pins);
    const first = new Uint8Array(Uint32Array.of(1).buffer);
    for (const map of [service_stats, backend_stats])
      map.update(first, new Uint8Array(map.lookup(first) ?? []).fill(1));
    using state = openState(pins);
    expect(state.services()[0]?.stats.connections).toBeGreaterThan(0n);
    writer.apply({ upsert: [], remove: [web.key] });
    await writer.drained();
    writer.apply({ upsert: [service("next", { cluster: [member("10.0.0.2")] })], remove: [] });
    expect(state.services()).toMatchObject([
      { id: 1, stats: { connections: 0n, bytes: 0n }, cluster: [{ id: 1, connections: 0n }] },
    ]);
    expect(errors).toEqual([]);
  });

  test("says where it looked when there is no datapath", () => {
    expect(() => openState("/tmp/pt-none")).toThrow(
      "no Portolan datapath: /tmp/pt-none/portolan/v1/maps/frontends is not there: no agent has run with this --bpffs",
    );
  });
});

test("drop reasons that nothing counts any more are not shown, the others keep their numbers", () => {
  using state = openState(pins);
  const drops = state.drops();
  expect(drops.map(({ name }) => name)).toEqual(Object.keys(DROP_EXPLANATIONS));
  expect(drops.at(-1)).toEqual({ reason: 20, name: "overtook", count: 0n });
});
