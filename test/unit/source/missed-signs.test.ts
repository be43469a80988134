// SPDX-License-Identifier: Apache-2.0
// Changes of manifests that inotify says nothing of, because its queue ran over: here its every sign is swallowed.

import { EventEmitter } from "node:events";
import { rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FileRound, stampOf } from "../../../src/source/file-round.ts";
import { ManifestSource } from "../../../src/source/manifests.ts";
import { service, WatchedManifests } from "../../support/watched-manifests.ts";

/** How often each file was read, by name. */
const reads = vi.hoisted(() => new Map<string, number>());

vi.mock("node:fs", async (original) => ({
  ...(await original<typeof import("node:fs")>()),
  watch: () => Object.assign(new EventEmitter(), { close: () => {} }),
}));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const readFile = (path: string) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    reads.set(name, (reads.get(name) ?? 0) + 1);
    return real.readFile(path);
  };
  return { ...real, readFile };
});

let manifests: WatchedManifests;
let source: ManifestSource;

beforeEach(async () => {
  reads.clear();
  manifests = await WatchedManifests.make();
  source = new ManifestSource(manifests.directory, { lookMs: 1 });
  for (const name of ["a", "b", "c"]) await manifests.write(`${name}.yaml`, service(name, 1));
  await manifests.follow(source);
});

afterEach(async () => {
  await source[Symbol.asyncDispose]();
  await manifests[Symbol.asyncDispose]();
});

test("a file that is written, renamed into place, new or gone is noticed, and the others are not read", async () => {
  await manifests.write("b.yaml", service("b", 2));
  await manifests.served({ a: 1, b: 2, c: 1 });
  await manifests.write("d.yaml", service("d", 3));
  await manifests.served({ a: 1, b: 2, c: 1, d: 3 });
  await manifests.write("b.new", service("b", 4));
  await manifests.move("b.new", "b.yaml");
  await manifests.served({ a: 1, b: 4, c: 1, d: 3 });
  await rm(join(manifests.directory, "c.yaml"));
  await manifests.served({ a: 1, b: 4, d: 3 });
  expect(reads.get("a.yaml")).toBe(1);
});

test("a file of the size and the time that it had is noticed", async () => {
  const path = join(manifests.directory, "b.yaml");
  await utimes(path, 1000, 1000);
  await vi.waitFor(() => expect(reads.get("b.yaml")).toBe(2), { timeout: 20_000 });
  await manifests.write("b.yaml", service("b", 2));
  await utimes(path, 1000, 1000);
  await manifests.served({ a: 1, b: 2, c: 1 });
});

test("a file that is touched is read once, and no more", async () => {
  await utimes(join(manifests.directory, "a.yaml"), 1000, 1000);
  await vi.waitFor(() => expect(reads.get("a.yaml")).toBe(2), { timeout: 20_000 });
  // Each of these takes a round through all files.
  for (const port of [2, 3]) {
    await manifests.write("b.yaml", service("b", port));
    await manifests.served({ a: 1, b: port, c: 1 });
  }
  expect(reads.get("a.yaml")).toBe(2);
});

test("thirty looks go round all files, each at as many", async () => {
  const names = Array.from({ length: 57 }, (_, i) => `s${i}.yaml`);
  for (const name of names) await manifests.write(name, "");
  const round = new FileRound(manifests.directory);
  const looks = Array.from({ length: 30 }, () => round.look(new Map()));
  expect(looks.map((found) => found.length)).toEqual(Array.from({ length: 30 }, () => 2));
  expect(looks.flat().toSorted()).toEqual([...names, "a.yaml", "b.yaml", "c.yaml"].toSorted());
  const known = new Map(looks.flat().map((name) => [name, { stamp: stampOf(join(manifests.directory, name)) }]));
  expect(Array.from({ length: 30 }, () => round.look(known)).flat()).toEqual([]);
});
