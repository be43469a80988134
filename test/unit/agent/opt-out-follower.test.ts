// SPDX-License-Identifier: Apache-2.0
// Which pods are opted out of socket balancing: by their own word, else by their Namespace's, on this node only.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Log } from "../../../src/agent/log.ts";
import { OptOutFollower } from "../../../src/agent/opt-out-follower.ts";
import { changes, type Json } from "../compile/manifest.ts";

const KEY = { id: 7n, level: 3 };
let root: string;
let warned: string[];
/** Names that the map holds. */
let held: Set<string>;
/** Whether the map takes nothing. */
let full: boolean;
let follower: OptOutFollower;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "pt-opt-out-"));
  warned = [];
  held = new Set();
  full = false;
  follower = newFollower();
});

afterEach(() => {
  follower[Symbol.dispose]();
  rmSync(root, { recursive: true });
  vi.useRealTimers();
});

function newFollower(): OptOutFollower {
  const log = { warn: (text: string) => warned.push(text), info: () => {}, debug: () => {}, error: () => {} };
  return new OptOutFollower({
    nodeName: "here",
    podCgroups: [root],
    identify: () => ({ keys: [KEY], byProcesses: false, problem: undefined }),
    table: {
      get pods() {
        return [...held];
      },
      set({ namespace, name }, keys) {
        if (full) throw new Error("E2BIG");
        if (keys.length > 0) held.add(`${namespace}/${name}`);
        else held.delete(`${namespace}/${name}`);
      },
    },
    log: log as unknown as Log,
  });
}

function annotated(balancing: string | undefined): Json {
  return balancing === undefined ? {} : { annotations: { "portolan.dev/socket-balancing": balancing } };
}

function pod(name: string, balancing?: string, spec: Json = {}, uid = "aa-01"): Json {
  const metadata = { name, namespace: "mesh", uid, ...annotated(balancing) };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: { nodeName: "here", ...spec } };
}

function namespace(balancing?: string): Json {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name: "mesh", ...annotated(balancing) } };
}

function tell(...steps: readonly (readonly [Json | undefined, Json | undefined])[]): readonly string[] {
  follower.update(changes(steps));
  return [...held];
}

test("a pod that says so is opted out, and in again when it says so no more", () => {
  expect(tell([undefined, pod("a", "false")])).toEqual(["mesh/a"]);
  expect(tell([pod("a", "false"), pod("a", "true")])).toEqual([]);
  expect(tell([pod("a", "true"), pod("a", "false")])).toEqual(["mesh/a"]);
  expect(tell([pod("a", "false"), undefined])).toEqual([]);
});

test("its Namespace says it for the pods that say nothing, whichever comes first", () => {
  const [quiet, own] = [pod("quiet"), pod("own", "true", {}, "aa-02")];
  expect(tell([undefined, quiet], [undefined, own])).toEqual([]);
  expect(tell([undefined, namespace("false")])).toEqual(["mesh/quiet"]);
  expect(tell([undefined, pod("late", undefined, {}, "aa-03")])).toEqual(["mesh/quiet", "mesh/late"]);
  expect(tell([namespace("false"), namespace()])).toEqual([]);
  expect(tell([namespace(), namespace("false")])).toEqual(["mesh/quiet", "mesh/late"]);
  expect(tell([namespace("false"), undefined])).toEqual([]);
});

test("pods of other nodes, and those without a uid, are none of ours", () => {
  const steps = [pod("far", "false", { nodeName: "there" }), pod("new", "false", {}, "")];
  expect(tell(...steps.map((object) => [undefined, object] as const))).toEqual([]);
});

test("a pod on the host's network stays balanced, and the log says so once", () => {
  const host = pod("host", "false", { hostNetwork: true });
  expect(tell([undefined, host])).toEqual([]);
  tell([host, { ...host, status: { podIPs: [{ ip: "192.0.2.1" }] } }]);
  expect(warned).toEqual(["Pod mesh/host uses the host's network, where only sockets are served: they stay balanced"]);
});

test("what an earlier agent left stays until all is known", () => {
  held = new Set(["mesh/kept", "mesh/gone"]);
  const steps = changes([[undefined, pod("kept")]]);
  follower.update({ ...steps, synced: false });
  expect([...held]).toEqual(["mesh/kept", "mesh/gone"]);
  expect(tell([undefined, namespace("false")])).toEqual(["mesh/kept"]);
});

test("what could not be written is written once it can be, also where it is no longer asked for", async () => {
  vi.useFakeTimers();
  held = new Set(["mesh/gone"]);
  full = true;
  expect(tell([undefined, pod("a", "false")], [undefined, pod("b", "false", {}, "aa-02")])).toEqual(["mesh/gone"]);
  tell([pod("b", "false", {}, "aa-02"), undefined]);
  await vi.advanceTimersByTimeAsync(2000);
  full = false;
  expect([...held]).toEqual(["mesh/gone"]);
  await vi.advanceTimersByTimeAsync(1000);
  expect([...held]).toEqual(["mesh/a"]);
});
