// SPDX-License-Identifier: Apache-2.0
// When the node's UDP sockets are looked through, and in which network namespaces.

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

  /** written: bytes that the program writes in a namespace, or what it fails with. */
  function sockets(written: Readonly<Record<string, Uint8Array | Error>>) {
    const entered: string[] = [];
    const passes: SocketPass[] = [];
    const errors: string[] = [];
    const iterate = async (path = "") => {
      entered.push(path);
      const result = written[path];
      if (result instanceof Error) throw result;
      return result ?? new Uint8Array();
    };
    const stale = new StaleSockets(
      { iterate },
      {
        onPass: (pass) => passes.push(pass),
        onError: (error) => errors.push(String(error)),
        rcuSync: () => Promise.resolve(),
        namespaces: () => ({ paths: Object.keys(written), hidden: 3 }),
        byReader: false,
      },
    );
    return { stale, entered, passes, errors };
  }

  test("a change is followed by two, a second apart", async () => {
    const { stale, entered, passes } = sockets({ a: new Uint8Array(104), b: new Uint8Array(52) });
    stale.look();
    await vi.advanceTimersByTimeAsync(0);
    expect(entered).toEqual(["a", "b"]);
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
    stale.look();
    await vi.advanceTimersByTimeAsync(500);
    stale.look();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(passes).toHaveLength(3);
    stale.look();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(passes).toHaveLength(5);
  });

  test("a namespace that has gone is none, one that fails is told after the others", async () => {
    const gone = Object.assign(new Error("gone"), { code: "ENOENT" });
    const file = Object.assign(new Error("no namespace"), { code: "EINVAL" });
    const refused = new Error("refused");
    const { stale, entered, passes, errors } = sockets({ a: gone, b: refused, c: new Uint8Array(52), d: file });
    stale.look();
    await vi.advanceTimersByTimeAsync(0);
    expect(entered).toEqual(["a", "b", "c", "d"]);
    expect(passes).toEqual([]);
    expect(errors).toEqual(["AggregateError: 1 of 4 namespaces: Error: refused"]);
    stale[Symbol.dispose]();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(entered).toHaveLength(4);
  });
});

test("namespaces are those of processes and of mounts, each once", () => {
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
    expect(paths).toHaveLength(3);
    expect(paths).toContain(join(root, "netns/cni-b"));
    expect(hidden).toBe(0);
    expect(networkNamespaces(join(root, "nothing"), join(root, "nothing")).paths).toEqual([]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("row 57: the writer says when a UDP Service has lost an endpoint, and only then", () => {
  let lost = 0;
  const options = { rcuSync: () => Promise.resolve(), onError: () => {}, onEndpointsLost: () => lost++ };
  using writer = new MapWriter(memoryMaps(), options);
  const [a, b] = [member("10.0.0.1"), member("10.0.0.2")];
  const change = (protocol: "UDP" | "TCP", sets: object): number => {
    lost = 0;
    writer.apply({ upsert: [service("web", { protocol, ...sets })], remove: [] });
    return lost;
  };
  expect(change("UDP", { cluster: [a] })).toBe(1); // sockets of an earlier one may be on anything
  expect(change("UDP", { cluster: [a, b] })).toBe(0);
  expect(change("UDP", { cluster: [b], serving: [{ ...a, terminating: true }] })).toBe(0);
  expect(change("UDP", { cluster: [b] })).toBe(1);
  expect(change("UDP", { cluster: [b], externalLocal: true })).toBe(0);
  expect(change("UDP", { cluster: [{ ...b, port: 9 }] })).toBe(1);
  expect(change("UDP", {})).toBe(1);
});

test("row 61: of TCP it says nothing", () => {
  let lost = 0;
  const options = { rcuSync: () => Promise.resolve(), onError: () => {}, onEndpointsLost: () => lost++ };
  using writer = new MapWriter(memoryMaps(), options);
  for (const cluster of [[member("10.0.0.1")], []]) writer.apply({ upsert: [service("web", { cluster })], remove: [] });
  expect(lost).toBe(0);
});
