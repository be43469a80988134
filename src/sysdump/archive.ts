// SPDX-License-Identifier: Apache-2.0
// Writes parts into a tar.gz one after the other, so that no more than one is in memory: whole texts, clean of secrets,
// with an index of all at the end.

import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type IndexLine, jsonText, type Part, PartialError } from "./part.ts";
import { withoutSecrets } from "./secrets.ts";
import { tarEnd, tarFile } from "./tar.ts";

/** directory: in which everything is when it is unpacked. Resolves with the index once all is written, and out ended. */
export async function writeArchive(
  parts: readonly Part[],
  directory: string,
  out: Writable,
): Promise<readonly IndexLine[]> {
  const index: IndexLine[] = [];
  await pipeline(archive(parts, directory, index), createGzip(), out);
  return index;
}

async function* archive(
  parts: readonly Part[],
  directory: string,
  index: IndexLine[],
): AsyncIterableIterator<Uint8Array> {
  const add = (file: string, text: string) => tarFile(`${directory}/${file}`, Buffer.from(text), new Date());
  for (const part of parts) {
    const { file, what } = part;
    const { text, error } = await attempt(part);
    if (text !== undefined) yield* add(file, text);
    if (error !== null) yield* add(`${file}.error`, `${error}\n`);
    index.push({ file, what, bytes: text === undefined ? 0 : Buffer.byteLength(text), error });
  }
  yield* add("index.json", jsonText(index));
  yield tarEnd();
}

async function attempt({ read }: Part): Promise<{ readonly text?: string; readonly error: string | null }> {
  try {
    return { text: withoutSecrets(await read()), error: null };
  } catch (error) {
    const message = withoutSecrets(error instanceof Error ? error.message : String(error));
    return error instanceof PartialError ? { text: withoutSecrets(error.text), error: message } : { error: message };
  }
}
