// SPDX-License-Identifier: Apache-2.0
// What a directory of manifests tells of objects and files of which something cannot be used, as it comes and goes.

import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ManifestSource } from "../../../src/source/manifests.ts";
import { until } from "../../support/until.ts";

let directory: string;
let source: ManifestSource;
/** Of the last call. */
let told: { readonly services: number; readonly troubled: readonly string[] } | undefined;

const write = (name: string, text: string) => writeFile(join(directory, name), text);
const service = (annotation: string) =>
  `{apiVersion: v1, kind: Service, metadata: {name: web, annotations: {a: ${annotation}, portolan.dev/scheduler: ${annotation}}}, spec: {clusterIP: 10.96.0.1, ports: [{port: 80}]}}\n`;
const tells = (services: number, ...troubled: readonly string[]) =>
  until(`it tells ${services} services and trouble with [${troubled}]`, () => {
    return told?.services === services && told.troubled.join() === troubled.join();
  });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pt-troubled-"));
  source = new ManifestSource(directory, { doubtMs: 1 });
  told = undefined;
});

afterEach(async () => {
  await source[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function start(): Promise<void> {
  source.begin(() => {});
  await source.start((changes, troubled) => {
    told = { services: changes.services.length, troubled: [...troubled] };
  });
}

test("an object with a bad part is told until it is mended, though nothing that is served changes", async () => {
  await write("a.yaml", service("7"));
  await start();
  expect(told).toEqual({ services: 1, troubled: ["Service default/web"] });
  await write("a.yaml", service("null"));
  await tells(0);
});

test("a document that does not parse is told by file and line, until its file goes", async () => {
  await start();
  expect(told).toEqual({ services: 0, troubled: [] });
  const path = join(directory, "b.yaml");
  await write("b.yaml", `${service("null")}---\nkind: [\n`);
  await tells(1, `${path}:3`);
  await rm(path);
  await tells(1);
});

test("a directory that is away is told until it is back: what has changed there nobody knows", async () => {
  await start();
  const away = `${directory}-away`;
  await rename(directory, away);
  await tells(0, directory);
  await rename(away, directory);
  await tells(0);
});
