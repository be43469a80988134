// SPDX-License-Identifier: Apache-2.0
// The watched directory: what a source tells while files come, change, break and go, in the ways that editors,
// kubelet and people do it.

import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type ModelChanges, NO_CHANGES } from "../../../src/model/changes.ts";
import { ManifestSource } from "../../../src/source/manifests.ts";
import { service, eventually as until, WatchedManifests } from "../../support/watched-manifests.ts";

vi.setConfig({ testTimeout: 30_000 });

let manifests: WatchedManifests;
let directory: string;
let source: ManifestSource;
let services: ReadonlyMap<string, number>;
let removed: readonly string[];
let told: readonly ModelChanges[];
let problems: readonly string[];

beforeEach(async () => {
  manifests = await WatchedManifests.make();
  ({ directory, services, removed, told, problems } = manifests);
  source = new ManifestSource(directory);
});

afterEach(async () => {
  await source[Symbol.asyncDispose]();
  await manifests[Symbol.asyncDispose]();
});

const start = () => manifests.follow(source);
const write = (name: string, text: string) => manifests.write(name, text);
const move = (from: string, to: string) => manifests.move(from, to);
const served = (expected: Readonly<Record<string, number>>) => manifests.served(expected);

describe("before the start", () => {
  test("the directory is read, and what changes there is known at the start, told or soon after", async () => {
    await write("a.yaml", service("a", 1));
    await write("odd.yaml", service("odd", 0));
    manifests.begin(source);
    await until(() => expect(problems).not.toEqual([]));
    await write("a.yaml", service("a", 2));
    await write("b.yaml", service("b", 2));
    expect(told).toEqual([]);
    await manifests.start(source);
    await served({ a: 2, b: 2 });
  });

  test("a directory that is gone is the start's error, and ends nothing before", async () => {
    await rm(directory, { recursive: true });
    manifests.begin(source);
    await new Promise((resolve) => setTimeout(resolve, 10));
    await expect(manifests.start(source)).rejects.toThrow("ENOENT");
  });

  test("a source that is closed while it reads tells nothing", async () => {
    await write("odd.yaml", service("odd", 0));
    manifests.begin(source);
    await source[Symbol.asyncDispose]();
    await manifests.start(source);
    expect([told, problems]).toEqual([[], []]);
  });
});

describe("start", () => {
  test("tells all files as one complete state", async () => {
    await write("b.yaml", service("b", 2));
    await write("a.yml", service("a", 1));
    await write("c.json", JSON.stringify({ apiVersion: "v1", kind: "List", items: [] }));
    await start();
    expect(told.map(({ synced }) => synced)).toEqual([true]);
    expect(Object.fromEntries(services)).toEqual({ a: 1, b: 2 });
  });

  test("tells an empty directory as a complete state without objects", async () => {
    await start();
    expect(told).toEqual([{ ...NO_CHANGES, synced: true }]);
  });

  test("rejects when there is no directory", async () => {
    await rm(directory, { recursive: true });
    await expect(start()).rejects.toThrow(/ENOENT.*services/);
    expect(told).toEqual([]);
  });

  test("serves the good objects of a file that has a bad one, and reports that", async () => {
    await write("a.yaml", `${service("a", 1)}---\n${service("bad", 70000)}`);
    await start();
    expect(Object.fromEntries(services)).toEqual({ a: 1 });
    expect(problems).toEqual([
      "error a.yaml:9: Service default/bad: spec.ports[0].port: 70000 is not a port number: use 1 to 65535",
    ]);
  });

  test("is not complete before every file that was broken can be read, or is gone", async () => {
    await write("a.yaml", service("a", 1));
    await write("b.yaml", "kind: [");
    await mkdir(join(directory, "c.yaml"));
    await start();
    expect(told.map(({ synced }) => synced)).toEqual([false]);
    expect(Object.fromEntries(services)).toEqual({ a: 1 });
    await write("b.yaml", "");
    await rm(join(directory, "c.yaml"), { recursive: true });
    await until(() => expect(told.at(-1)).toEqual({ ...NO_CHANGES, synced: true }));
    await write("a.yaml", "kind: [");
    await until(() => expect(problems.at(-1)).toMatch(/^error a.yaml/));
    await write("d.yaml", service("d", 4));
    await served({ a: 1, d: 4 });
    expect(told.at(-1)?.synced).toBe(true);
  });

  test("takes no hidden files, backups and swap files for manifests", async () => {
    for (const name of [".a.yaml", "a.yaml~", ".a.yaml.swp", "a.txt", "4913"]) await write(name, service("a", 1));
    await start();
    expect(services.size).toBe(0);
    expect(problems).toEqual([]);
  });
});

describe("a change", () => {
  beforeEach(async () => {
    await write("a.yaml", service("a", 1));
    await start();
  });

  test("that adds a file adds its objects", async () => {
    await write("b.yaml", service("b", 2));
    await served({ a: 1, b: 2 });
  });

  test("of a file changes only what changed in it", async () => {
    await write("a.yaml", `${service("a", 1)}---\n${service("b", 2)}`);
    await served({ a: 1, b: 2 });
    expect(told.slice(1).map((changes) => changes.services.map(({ current }) => current?.name))).toEqual([["b"]]);
  });

  test("in a JSON List tells only the object that changed", async () => {
    const list = (port: number) => {
      const item = (name: string, port: number) => ({
        kind: "Service",
        metadata: { name },
        spec: { clusterIP: "10.96.0.11", ports: [{ port }] },
      });
      return JSON.stringify({ apiVersion: "v1", kind: "List", items: [item("x", 1), item("y", port)] });
    };
    await write("b.json", list(1));
    await served({ a: 1, x: 1, y: 1 });
    await write("b.json", list(2));
    await served({ a: 1, x: 1, y: 2 });
    expect(told.at(-1)?.services.map(({ current }) => current?.name)).toEqual(["y"]);
  });

  test("that deletes a file removes its objects", async () => {
    await rm(join(directory, "a.yaml"));
    await served({});
  });

  test("that takes an object out of a file removes it", async () => {
    await write("a.yaml", `${service("a", 1)}---\n${service("b", 2)}`);
    await served({ a: 1, b: 2 });
    await write("a.yaml", service("b", 2));
    await served({ b: 2 });
  });

  test("that empties a file removes its objects", async () => {
    await write("a.yaml", "");
    await served({});
  });

  test("of a ConfigMap's ..data link is seen", async () => {
    await mkdir(join(directory, "..1"));
    await mkdir(join(directory, "..2"));
    await write("..1/c.yaml", service("c", 1));
    await write("..2/c.yaml", service("c", 2));
    await symlink("..1", join(directory, "..data"));
    await symlink("..data/c.yaml", join(directory, "c.yaml"));
    await served({ a: 1, c: 1 });
    await symlink("..2", join(directory, "..data_tmp"));
    await move("..data_tmp", "..data");
    await served({ a: 1, c: 2 });
    expect(removed).toEqual([]);
  });

  test("that writes the same again is nothing", async () => {
    await write("a.yaml", service("a", 1));
    await write("a.yaml", `# a comment\n${service("a", 1)}`);
    await write("b.yaml", service("b", 2));
    await served({ a: 1, b: 2 });
    expect(told.length).toBe(2);
  });

  test("after the source is closed is not told", async () => {
    await source[Symbol.asyncDispose]();
    await write("a.yaml", service("a", 2));
    await using second = new ManifestSource(directory);
    second.begin(() => {});
    await second.start(() => {});
    expect(Object.fromEntries(services)).toEqual({ a: 1 });
  });
});

describe("a file", () => {
  beforeEach(async () => {
    // Nothing is believed to be lost within this test.
    source = new ManifestSource(directory, { doubtMs: 60_000 });
    await write("a.yaml", service("a", 1));
    await start();
  });

  test("renamed over the old one removes nothing", async () => {
    await write("a.tmp", service("a", 2));
    await move("a.tmp", "a.yaml");
    await served({ a: 2 });
    expect(removed).toEqual([]);
  });

  test("written anew beside a backup, as vi does, removes nothing", async () => {
    await move("a.yaml", "a.yaml~");
    await write("a.yaml", service("a", 2));
    await rm(join(directory, "a.yaml~"));
    await served({ a: 2 });
    expect(removed).toEqual([]);
  });

  test("empty for a moment removes nothing", async () => {
    await write("a.yaml", "");
    await write("b.yaml", service("b", 2));
    await served({ a: 1, b: 2 });
    await write("a.yaml", service("a", 2));
    await served({ a: 2, b: 2 });
    expect(removed).toEqual([]);
  });

  test("moved to another name removes nothing, and is no object in two files", async () => {
    await move("a.yaml", "b.yaml");
    await write("c.yaml", service("c", 3));
    await served({ a: 1, c: 3 });
    expect(removed).toEqual([]);
    expect(problems).toEqual([]);
  });
});

describe("an object in two files", () => {
  test("counts as in the first by file name, with a warning that names both places", async () => {
    await write("b.yaml", `${service("x", 9)}---\n${service("a", 2)}`);
    await write("a.yaml", service("a", 1));
    await start();
    expect(services.get("a")).toBe(1);
    expect(problems).toEqual([
      "warning b.yaml:6: Service default/a is in a.yaml:1 and in b.yaml:6: the first counts, take the other out",
    ]);
  });

  test("is taken over by the second when the first goes, without going itself", async () => {
    await write("a.yaml", service("a", 1));
    await write("b.yaml", service("a", 2));
    await start();
    await rm(join(directory, "a.yaml"));
    await served({ a: 2 });
    expect(removed).toEqual([]);
  });

  test("that it comes to be in later is warned about", async () => {
    await write("a.yaml", service("a", 1));
    await start();
    await write("b.yaml", service("a", 2));
    await until(() =>
      expect(problems).toEqual([
        "warning b.yaml:1: Service default/a is in a.yaml:1 and in b.yaml:1: the first counts, take the other out",
      ]),
    );
    expect(Object.fromEntries(services)).toEqual({ a: 1 });
  });
});

describe("a directory", () => {
  test("that is deleted leaves what is served, and its return is seen", async () => {
    await write("a.yaml", service("a", 1));
    await write("b.yaml", service("b", 1));
    await start();
    const away = join(directory, "..", "away");
    await rename(directory, away);
    await until(() =>
      expect(problems).toEqual([expect.stringMatching(/^error .*services: cannot be watched: ENOENT/)]),
    );
    await rm(away, { recursive: true });
    await mkdir(directory);
    await write("a.yaml", service("a", 2));
    await served({ a: 2 });
    expect(removed).toEqual(["b"]);
    await write("a.yaml", service("a", 3));
    await served({ a: 3 });
  });

  test("that is replaced by another is followed", async () => {
    await write("a.yaml", service("a", 1));
    await start();
    const [next, old] = [join(directory, "..", "next"), join(directory, "..", "old")];
    await mkdir(next);
    await writeFile(join(next, "a.yaml"), service("a", 2));
    await rename(directory, old);
    await rename(next, directory);
    await served({ a: 2 });
    await write("a.yaml", service("a", 3));
    await served({ a: 3 });
    expect(removed).toEqual([]);
  });
});
