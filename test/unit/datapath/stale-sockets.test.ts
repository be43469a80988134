// SPDX-License-Identifier: Apache-2.0
// When the node's sockets are looked through, and in which network namespaces.

import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { networkNamespaces } from "../../../src/datapath/ebpf/namespaces.ts";
import { type SocketPass, StaleSockets } from "../../../src/datapath/ebpf/stale-sockets.ts";
import { MapWriter } from "../../../src/datapath/ebpf/writer.ts";
import { member, memoryMaps, service } from "./memory-maps.ts";

describe("passes over the namespaces", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  /** written: by path, bytes that the program writes there, or what it fails with; tookMs: to go through one. */
  function sockets(
    written: Readonly<Record<string, Uint8Array | Error>>,
    tookMs = 0,
    paths = Object.keys(written).map((path) => [path]),
  ) {
    const entered: string[] = [];
    const passes: SocketPass[] = [];
    const errors: string[] = [];
    const iterate = (protocol: string) => async (path: string) => {
      entered.push(`${protocol} ${path}`);
      if (tookMs > 0) await new Promise((resolve) => setTimeout(resolve, tookMs));
      const result = written[path];
      if (result instanceof Error) throw result;
      return result ?? new Uint8Array();
    };
    const stale = new StaleSockets(
      { UDP: { iterate: iterate("UDP") }, TCP: { iterate: iterate("TCP") } },
      {
        onPass: (pass) => passes.push(pass),
        onError: (error) => errors.push(String(error)),
        rcuSync: () => Promise.resolve(),
        namespaces: () => ({ paths, hidden: 3 }),
        byReader: false,
      },
    );
    return { stale, entered, passes, errors };
  }

  test("a change is followed by two, a second apart", async () => {
    const { stale, entered, passes } = sockets({ a: new Uint8Array(104), b: new Uint8Array(52) });
    stale.look("UDP");
    await vi.advanceTimersByTimeAsync(0);
    expect(entered).toEqual(["UDP a", "UDP b"]);
    expect(passes).toEqual([{ sockets: 3, namespaces: 2, hidden: 3 }]);
    await vi.advanceTimersByTimeAsync(999);
    expect(passes).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(passes).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(passes).toHaveLength(2);
  });

  test("a change between two passes is followed by two more, a later one by two of its own", async () => {
    const { stale, passes } = sockets({ a: new Uint8Array() });
    stale.look("UDP");
    await vi.advanceTimersByTimeAsync(500);
    stale.look("UDP");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(passes).toHaveLength(3);
    stale.look("UDP");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(passes).toHaveLength(5);
  });

  test("sockets of a protocol are looked through only when one of its Services has changed", async () => {
    const { stale, entered } = sockets({ a: new Uint8Array(), b: new Uint8Array() });
    stale.look("TCP");
    await vi.advanceTimersByTimeAsync(500);
    stale.look("UDP");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(entered).toEqual(["TCP a", "TCP b", "UDP a", "UDP b", "TCP a", "TCP b", "UDP a", "UDP b"]);
  });

  test("a pass that took long is followed by a gap that is longer", async () => {
    const { stale, entered } = sockets({ a: new Uint8Array() }, 3000);
    stale.look("TCP");
    await vi.advanceTimersByTimeAsync(3000 + 2999);
    expect(entered).toEqual(["TCP a"]);
    await vi.advanceTimersByTimeAsync(1);
    expect(entered).toEqual(["TCP a", "TCP a"]);
  });

  test("a namespace that has gone is none, one that fails is told after the others", async () => {
    const gone = Object.assign(new Error("gone"), { code: "ENOENT" });
    const file = Object.assign(new Error("no namespace"), { code: "EINVAL" });
    const refused = new Error("refused");
    const { stale, entered, passes, errors } = sockets({ a: gone, b: refused, c: new Uint8Array(52), d: file });
    stale.look("UDP");
    await vi.advanceTimersByTimeAsync(0);
    expect(entered).toEqual(["UDP a", "UDP b", "UDP c", "UDP d"]);
    expect(passes).toEqual([]);
    expect(errors).toEqual(["AggregateError: 1 of 4 namespaces: Error: refused"]);
    stale[Symbol.dispose]();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(entered).toHaveLength(4);
  });

  test("a namespace whose process has ended is entered by another process or a mount of it, and once", async () => {
    const gone = Object.assign(new Error("gone"), { code: "ENOENT" });
    const there = new Uint8Array(52);
    const { stale, entered, passes, errors } = sockets({ a1: gone, a2: there, a3: there }, 0, [["a1", "a2", "a3"]]);
    stale.look("UDP");
    await vi.advanceTimersByTimeAsync(0);
    expect(entered).toEqual(["UDP a1", "UDP a2"]);
    expect(passes).toEqual([{ sockets: 1, namespaces: 1, hidden: 3 }]);
    expect(errors).toEqual([]);
    stale[Symbol.dispose]();
  });
});

test("namespaces are those of processes and of mounts, each once with all ways into it", () => {
  const root = mkdtempSync(join(tmpdir(), "pt-netns-"));
  try {
    for (const pid of ["1", "22", "300", "self"]) mkdirSync(join(root, "proc", pid, "ns"), { recursive: true });
    mkdirSync(join(root, "proc", "4")); // has just ended
    mkdirSync(join(root, "netns"));
    writeFileSync(join(root, "proc/1/ns/net"), "");
    linkSync(join(root, "proc/1/ns/net"), join(root, "proc/22/ns/net"));
    writeFileSync(join(root, "proc/300/ns/net"), "");
    linkSync(join(root, "proc/300/ns/net"), join(root, "netns/cni-a"));
    writeFileSync(join(root, "netns/cni-b"), "");
    const { paths, hidden } = networkNamespaces(join(root, "proc"), join(root, "netns"));
    expect(paths.map((ways) => ways.map((path) => path.slice(root.length + 1)))).toEqual([
      ["proc/1/ns/net", "proc/22/ns/net"],
      ["proc/300/ns/net", "netns/cni-a"],
      ["netns/cni-b"],
    ]);
    expect(hidden).toBe(0);
    expect(networkNamespaces(join(root, "nothing"), join(root, "nothing")).paths).toEqual([]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

describe("the writer says when a Service whose flows leave endpoints has lost one", () => {
  /** What it says of each change. */
  function changes() {
    const lost: string[] = [];
    const onEndpointsLost = (protocol: string) => void lost.push(protocol);
    const options = { rcuSync: () => Promise.resolve(), onError: () => {}, onEndpointsLost, graceMs: 0 };
    const writer = new MapWriter(memoryMaps(), options);
    const change = (protocol: "UDP" | "TCP", sets: object): string => {
      writer.apply({ upsert: [service("web", { protocol, ...sets })], remove: [] });
      return lost.splice(0).join(" ");
    };
    return { change, [Symbol.dispose]: () => writer[Symbol.dispose]() };
  }
  const [a, b] = [member("10.0.0.1"), member("10.0.0.2")];

  test("row 57: UDP, and only then", () => {
    using writer = changes();
    expect(writer.change("UDP", { cluster: [a] })).toBe("UDP"); // sockets of an earlier one may be on anything
    expect(writer.change("UDP", { cluster: [a, b] })).toBe("");
    expect(writer.change("UDP", { cluster: [b], serving: [{ ...a, terminating: true }] })).toBe("");
    expect(writer.change("UDP", { cluster: [b] })).toBe("UDP");
    expect(writer.change("UDP", { cluster: [b], externalLocal: true })).toBe("");
    expect(writer.change("UDP", { cluster: [{ ...b, port: 9 }] })).toBe("UDP");
    expect(writer.change("UDP", {})).toBe("UDP");
  });

  test("row 61: TCP never, unless the Service ends its connections", () => {
    using writer = changes();
    const ends = { endsConnections: true };
    expect(writer.change("TCP", { cluster: [a, b] })).toBe("");
    expect(writer.change("TCP", { cluster: [b] })).toBe("");
    expect(writer.change("TCP", { cluster: [b], ...ends })).toBe(""); // those on a began without it
    expect(writer.change("TCP", { cluster: [a, b], ...ends })).toBe("");
    expect(writer.change("TCP", { cluster: [b], ...ends })).toBe("TCP");
    expect(writer.change("TCP", { cluster: [a, b], ...ends })).toBe("");
    expect(writer.change("TCP", { cluster: [b] })).toBe(""); // it ends none any more
    expect(writer.change("TCP", {})).toBe("");
  });
});
