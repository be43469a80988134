// SPDX-License-Identifier: Apache-2.0
// Objects and programs through the addon: what is set before load arrives, what the kernel refuses is explained.

import { execFileSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { Session } from "node:inspector";
import { afterAll, describe, expect, test } from "vitest";
import { mapSizeTable } from "../../src/agent/map-sizes.ts";
import { bpfObjectPath } from "../../src/datapath/ebpf/programs.ts";
import {
  createMap,
  openObject,
  openPinnedMap,
  openPinnedProgram,
  readBtf,
  VerifierError,
} from "../../src/libbpf/index.ts";
import { compileFixture } from "../support/bpf-fixture.ts";
import { bpffs } from "../support/bpffs.ts";

const u32 = (...numbers: number[]): Uint8Array => new Uint8Array(Uint32Array.from(numbers).buffer);
const MARK = 8; /* offset of mark in struct __sk_buff, of 192 bytes */

/** libuv's, unless UV_THREADPOOL_SIZE says otherwise. */
const POOL_THREADS = Number(process.env.UV_THREADPOOL_SIZE ?? 4);
const SMALL = mapSizeTable({ maxServices: 1024, maxBackends: 1024, maxFlows: 1024 });

const fixture = compileFixture("addon");
const refused = compileFixture("refused");
const pins = bpffs();
afterAll(() => {
  for (const thing of [fixture, refused, pins]) thing[Symbol.dispose]();
});

describe("an open object", () => {
  test("lists its maps and programs by their names in C", () => {
    using object = openObject(fixture.path);
    expect([...object.mapNames].sort()).toEqual([".bss", ".rodata", "cells", "counters", "table"]);
    expect(object.programNames).toContain("mark_packet");
  });

  test("takes sizes and constants until it is loaded", () => {
    using object = openObject(fixture.path);
    object.setMaxEntries("table", 3);
    object.setRodata("added_mark", u32(40));
    using loaded = object.load();
    expect(loaded.map("table").maxEntries).toBe(3);
    const { ctxOut } = loaded.program("mark_packet").testRun({ data: new Uint8Array(64), ctx: new Uint8Array(192) });
    expect(ctxOut[MARK]).toBe(40);
    expect(() => object.setMaxEntries("table", 4)).toThrow("closed or was loaded already");
  });

  test.each([
    ["a constant that is not there", () => openObject(fixture.path).setRodata("none", u32(1)), "none: ENOENT"],
    [
      "a constant of another size",
      () => openObject(fixture.path).setRodata("added_mark", u32(1, 2)),
      "8 bytes for a variable of 4",
    ],
    [
      "a map that is not there",
      () => openObject(fixture.path).setMaxEntries("none", 1),
      "none: ENOENT: no such map in",
    ],
    [
      "a program that is not there",
      () => openObject(fixture.path).setAutoload("none", false),
      "none: ENOENT: no such program",
    ],
    ["a file that is not there", () => openObject("/tmp/pt-none.o"), "/tmp/pt-none.o: ENOENT: no such file"],
  ])("%s is named", (_, act, message) => {
    expect(act).toThrow(message);
  });

  test("a file that is no object is refused", () => {
    const path = `${fixture.path}.txt`;
    writeFileSync(path, "hello, this is not an ELF object\n".repeat(10));
    expect(() => openObject(path)).toThrow(/bpf_object__open .*LIBBPF_FORMAT|bpf_object__open .*EINVAL/);
  });

  test("a program that is not autoloaded is not there afterwards", () => {
    using object = openObject(fixture.path);
    object.setAutoload("mark_packet", false);
    using loaded = object.load();
    expect(() => loaded.program("mark_packet")).toThrow("no such program was loaded");
    expect(loaded.program("sum").name).toBe("sum");
  });
});

describe("loading aside", () => {
  test("keeps nobody waiting: while no thread is free for it, all else goes on", async () => {
    const fifos = Array.from({ length: POOL_THREADS }, (_, n) => `${fixture.path}.${n}`);
    for (const fifo of fifos) execFileSync("mkfifo", [fifo]);
    // Each thread of libuv's pool opens one, and hangs until somebody opens it to write.
    const readers = fifos.map((fifo) => open(fifo, "r"));
    using object = openObject(fixture.path);
    const pin = `${pins.path}/aside`;
    object.setPinPath("table", pin);
    let ended = false;
    const loading = object.loadAside().finally(() => {
      ended = true;
    });
    expect(() => object.load()).toThrow("closed or was loaded already");
    await new Promise((resolve) => setTimeout(resolve));
    const before = [ended, existsSync(pin)];
    const writers = fifos.map((fifo) => openSync(fifo, "w"));
    using loaded = await loading;
    expect([before, existsSync(pin)]).toEqual([[false, false], true]);
    expect(loaded.program("sum").testRun({ ctx: u32(30, 12, 0, 0) }).ctxOut).toEqual(u32(30, 12, 42, 0));
    for (const writer of writers) closeSync(writer);
    for (const reader of readers) await (await reader).close();
  });

  test("leaves no descriptor behind, nor does an object that is closed meanwhile", async () => {
    const descriptors = () => readdirSync("/proc/self/fd").length;
    const load = async () => {
      using object = openObject(fixture.path);
      const loading = object.loadAside();
      object[Symbol.dispose]();
      using loaded = await loading;
      return loaded.map("table").maxEntries;
    };
    await load();
    const before = descriptors();
    for (let i = 0; i < 5; i++) await load();
    expect(descriptors()).toBe(before);
  });
});

test("a load is not given up for signals: a profiler sends this thread thousands", () => {
  using object = openObject(bpfObjectPath("cgroup"));
  for (const [map, size] of Object.entries(SMALL)) object.setMaxEntries(map, size);
  const session = new Session();
  session.connect();
  try {
    session.post("Profiler.enable");
    session.post("Profiler.setSamplingInterval", { interval: 100 });
    session.post("Profiler.start");
    using loaded = object.load(); // the kernel would say EAGAIN
    expect(loaded.program("pt_connect6").name).toBe("pt_connect6");
  } finally {
    session.post("Profiler.stop");
    session.disconnect();
  }
});

describe("sharing maps", () => {
  test("the second object finds the first one's map at its pin", () => {
    const pin = `${pins.path}/table`;
    const load = () => {
      using object = openObject(fixture.path);
      object.setPinPath("table", pin);
      return object.load();
    };
    using first = load();
    first.map("table").update(u32(1), u32(7, 0));
    using second = load();
    expect(second.map("table").lookup(u32(1))).toEqual(u32(7, 0));
    expect(second.map("table").id).toBe(openPinnedMap(pin).id);
  });

  test("a pin of another shape is refused and said so", () => {
    using other = createMap({ name: "other", type: 1, keySize: 4, valueSize: 16, maxEntries: 8 });
    other.pin(`${pins.path}/other`);
    using object = openObject(fixture.path);
    object.setPinPath("table", `${pins.path}/other`);
    expect(() => object.load()).toThrow(/couldn't reuse pinned map at '.*\/other': parameter mismatch/);
  });

  test("an open map is shared by reuseMap, one of another shape is not", () => {
    using shared = createMap({ name: "shared", type: 1, keySize: 4, valueSize: 8, maxEntries: 99 });
    using wrong = createMap({ name: "wrong", type: 1, keySize: 8, valueSize: 8, maxEntries: 8 });
    using object = openObject(fixture.path);
    expect(() => object.reuseMap("table", wrong)).toThrow("another type or key size");
    object.reuseMap("table", shared);
    using loaded = object.load();
    expect(loaded.map("table").id).toBe(shared.id);
  });
});

describe("a test run", () => {
  test("of a tc program returns verdict, packet and context", () => {
    using object = openObject(fixture.path);
    using loaded = object.load();
    const data = Uint8Array.from({ length: 64 }, (_, i) => i);
    const ctx = new Uint8Array(192);
    ctx[MARK] = 4;
    const result = loaded.program("mark_packet").testRun({ data, ctx });
    expect(result.retval).toBe(2); /* TC_ACT_SHOT */
    expect(result.dataOut).toEqual(Uint8Array.from([0xaa, ...data.subarray(1)]));
    expect(result.ctxOut[MARK]).toBe(5);
    loaded.program("mark_packet").testRun({ data, repeat: 9 });
    const counts = new BigUint64Array(loaded.map("counters").lookup(u32(0))?.slice().buffer ?? new ArrayBuffer(0));
    expect(counts.reduce((sum, count) => sum + count, 0n)).toBe(10n);
  });

  test("of a syscall program writes its argument back", () => {
    using object = openObject(fixture.path);
    using loaded = object.load();
    const result = loaded.program("sum").testRun({ ctx: u32(30, 12, 0, 0) });
    expect(result.retval).toBe(7);
    expect(result.ctxOut).toEqual(u32(30, 12, 42, 0));
  });

  test("works on a program found by its pin", () => {
    using object = openObject(fixture.path);
    using loaded = object.load();
    loaded.program("sum").pin(`${pins.path}/sum`);
    using program = openPinnedProgram(`${pins.path}/sum`);
    expect(program.testRun({ ctx: u32(1, 2, 0, 0) }).ctxOut[8]).toBe(3);
    expect(program.name).toBe("sum");
  });

  test("with too small a packet names the program", () => {
    using object = openObject(fixture.path);
    using loaded = object.load();
    expect(() => loaded.program("mark_packet").testRun({ data: new Uint8Array(4) })).toThrow(
      "bpf(BPF_PROG_TEST_RUN) mark_packet: EINVAL",
    );
  });
});

test.each([
  ["load", async () => openObject(refused.path).load()],
  ["loadAside", () => openObject(refused.path).loadAside()],
])("%s says of a refused program what the verifier's log says last of meaning", async (_, load) => {
  const error = await load().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(VerifierError);
  const { message, log, code } = error as VerifierError;
  expect(message).toMatch(/^bpf\(BPF_PROG_LOAD\) reads_beyond: EACCES: .*packet.* \(\d+ lines omitted\)$/);
  expect(code).toBe("EACCES");
  expect(log.some((line) => line.includes("return data[20]"))).toBe(true);
});

test("the types of an object are read with offsets and byte order", () => {
  const types = readBtf(fixture.path);
  expect(types.get("sum_args")).toEqual({
    kind: "struct",
    name: "sum_args",
    size: 16,
    fields: [
      { name: "a", offset: 0, type: { kind: "int", name: "__u32", size: 4, bigEndian: false, char: false } },
      { name: "b", offset: 4, type: { kind: "int", name: "__u32", size: 4, bigEndian: false, char: false } },
      { name: "sum", offset: 8, type: { kind: "int", name: "__u64", size: 8, bigEndian: false, char: false } },
    ],
  });
  expect(types.get("wire")).toEqual({
    kind: "struct",
    name: "wire",
    size: 24,
    fields: [
      { name: "port", offset: 0, type: { kind: "int", name: "__be16", size: 2, bigEndian: true, char: false } },
      { name: "color", offset: 4, type: { kind: "enum", name: "color", size: 4, values: { RED: 1, BLUE: 7 } } },
      {
        name: "name",
        offset: 8,
        type: {
          kind: "array",
          length: 8,
          element: { kind: "int", name: "char", size: 1, bigEndian: false, char: true },
        },
      },
      {
        name: "",
        offset: 16,
        type: {
          kind: "union",
          name: "",
          size: 8,
          fields: [
            { name: "whole", offset: 0, type: { kind: "int", name: "__be64", size: 8, bigEndian: true, char: false } },
            { name: "low", offset: 0, type: { kind: "int", name: "__u16", size: 2, bigEndian: false, char: false } },
          ],
        },
      },
    ],
  });
  expect(types.has("bpf_sock")).toBe(false);
  expect(() => readBtf("/tmp/pt-none.o")).toThrow("btf__parse /tmp/pt-none.o: ENOENT");
});
