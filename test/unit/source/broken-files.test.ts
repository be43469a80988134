// SPDX-License-Identifier: Apache-2.0
// The watched directory, where a file does not parse or holds objects that cannot be used: what counts until it is mended.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ModelChanges } from "../../../src/model/changes.ts";
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
const served = (expected: Readonly<Record<string, number>>) => manifests.served(expected);

test("is not complete before every object that could not be used can be, or is gone; the others change meanwhile", async () => {
  await write(
    "a.yaml",
    [service("a", 1), service("bad", 70000), service("worse", 70000), service("z", 1)].join("---\n"),
  );
  await start();
  expect(told.map(({ synced }) => synced)).toEqual([false]);
  await write("a.yaml", [service("a", 2), service("bad", 3), service("worse", 70000), service("z", 1)].join("---\n"));
  await served({ a: 2, bad: 3, z: 1 });
  expect(told.at(-1)?.synced).toBe(false);
  await write("a.yaml", [service("a", 4), service("bad", 70000), service("z", 1)].join("---\n"));
  await served({ a: 4, bad: 3, z: 1 });
  expect(told.at(-1)?.synced).toBe(true);
});

describe("a file that breaks", () => {
  const badPort = "spec.ports[0].port: 70000 is not a port number: use 1 to 65535";

  test("in one object keeps that as it was, and takes all others as they are", async () => {
    await write("a.yaml", [service("gone", 5), service("a", 1), service("b", 2)].join("---\n"));
    await start();
    await write("a.yaml", [service("a", 70000), service("b", 3), service("c", 4)].join("---\n"));
    await served({ a: 1, b: 3, c: 4 });
    expect(problems).toEqual([
      `error a.yaml:4: Service default/a: ${badPort} (until then the object counts as it was before)`,
    ]);
    expect(removed).toEqual(["gone"]);
    await write("a.yaml", [service("a", 70000), service("b", 6), service("c", 4)].join("---\n"));
    await served({ a: 1, b: 6, c: 4 });
    await write("a.yaml", [service("a", 7), service("b", 6), service("c", 4)].join("---\n"));
    await served({ a: 7, b: 6, c: 4 });
    expect(removed).toEqual(["gone"]);
    expect(told.every(({ synced }) => synced)).toBe(true);
  });

  test("in one object of a JSON List does the same", async () => {
    const item = (name: string, port: number) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name },
      spec: { clusterIP: "10.96.0.11", ports: [{ port }] },
    });
    const list = (...items: readonly object[]) => JSON.stringify({ apiVersion: "v1", kind: "List", items });
    await write("a.json", list(item("x", 1), item("y", 1), item("z", 1)));
    await start();
    await write("a.json", list(item("x", 2), item("y", 70000)));
    await served({ x: 2, y: 1 });
    expect(removed).toEqual(["z"]);
  });

  test("in one object that is then taken out of the file takes it along", async () => {
    await write("a.yaml", `${service("a", 1)}---\n${service("b", 2)}`);
    await start();
    await write("a.yaml", `${service("a", 70000)}---\n${service("b", 2)}`);
    await until(() => expect(problems.length).toBe(1));
    await write("a.yaml", service("b", 3));
    await served({ b: 3 });
  });

  test("in the name of an object keeps all that it no longer has: nobody can tell which of them is meant", async () => {
    await write("a.yaml", [service("a", 1), service("b", 2), service("c", 3)].join("---\n"));
    await start();
    await write("a.yaml", [service("7", 1).replace("name: 7", "name: [a]"), service("c", 4)].join("---\n"));
    await served({ a: 1, b: 2, c: 4 });
    expect(problems).toEqual([
      'error a.yaml:3: Service: metadata.name: ["a"] must be a string: put it in quotes (until then what the file no longer has stays)',
    ]);
    await write("a.yaml", service("a", 1));
    await served({ a: 1 });
  });

  test("in the namespace of an object does not take it for that of the same name in another", async () => {
    const inTest = service("a", 1).replace("name: a", "name: a, namespace: test");
    await write("a.yaml", `${inTest}---\n${service("b", 2)}`);
    await start();
    await write("a.yaml", `${inTest.replace("test", "7")}---\n${service("b", 3)}`);
    await served({ a: 1, b: 3 });
    expect(removed).toEqual([]);
  });

  test("in its last object, as one does that is cut off, keeps all that it no longer has", async () => {
    await write("a.yaml", [service("a", 1), service("b", 2), service("c", 3)].join("---\n"));
    await start();
    const half = service("b", 2).replace(/spec:.*\n/, "spec: {clusterIP: 10.96.0.10}\n");
    await write("a.yaml", `${service("a", 4)}---\n${half}`);
    await served({ a: 4, b: 2, c: 3 });
    expect(problems).toEqual([
      "error a.yaml:9: Service default/b: spec.ports: is empty: name at least one port (until then the object counts as it was before, what the file no longer has stays)",
    ]);
    await write("a.yaml", `${service("a", 4)}---\n${service("b", 5)}`);
    await served({ a: 4, b: 5 });
  });

  test("in a document that does not parse keeps what it held, all of it, until it is good again", async () => {
    await write("a.yaml", `${service("a", 1)}---\n${service("b", 2)}`);
    await start();
    await write("a.yaml", `${service("a", 70000)}---\n${service("b", 3)}---\nkind: [`);
    await until(() =>
      expect(problems).toEqual([
        `error a.yaml:4: Service default/a: ${badPort} (until then the file counts as it was before)`,
        expect.stringMatching(
          /^error a\.yaml:\d+: does not parse: .* \(until then the file counts as it was before\)$/,
        ),
      ]),
    );
    expect(Object.fromEntries(services)).toEqual({ a: 1, b: 2 });
    await write("a.yaml", `${service("a", 4)}---\n${service("b", 3)}`);
    await served({ a: 4, b: 3 });
    expect(removed).toEqual([]);
    expect(problems.length).toBe(2);
  });

  test("does not keep other files from changing", async () => {
    await write("a.yaml", service("a", 1));
    await start();
    await write("a.yaml", "kind: [");
    await write("b.yaml", service("b", 2));
    await served({ a: 1, b: 2 });
    await until(() => expect(problems).toEqual([expect.stringMatching(/^error a\.yaml:1: does not parse: /)]));
    expect(Object.fromEntries(services)).toEqual({ a: 1, b: 2 });
  });

  test("and then goes takes its objects with it", async () => {
    await write("a.yaml", service("a", 1));
    await start();
    await write("a.yaml", "kind: [");
    await until(() => expect(problems.length).toBe(1));
    await rm(join(directory, "a.yaml"));
    await served({});
  });
});
