// SPDX-License-Identifier: Apache-2.0
// The text of one manifest file -> its model objects, each with its line. Documents that are as they were the last
// time are not parsed again, so a change in a big file costs what changed, and a look at the rest.

import { createHash } from "node:crypto";
import { type ModelObject, objectKey } from "../model/changes.ts";
import type { Intern } from "./endpoint-slice.ts";
import { type Hidden, readDocument } from "./manifest-document.ts";
import type { SourceProblem } from "./source.ts";

export interface PlacedObject {
  readonly object: ModelObject;
  readonly file: string;
  /** From 1: where its document begins. */
  readonly line: number;
}

/** What a document without errors holds. */
interface KnownDocument {
  readonly objects: readonly ModelObject[];
  readonly troubled: readonly string[];
}

/** What is wrong in a file. */
export interface ManifestProblem extends SourceProblem {
  /** Of errors, and only of them. */
  readonly hides?: Hidden;
}

/** By hash of the document's text. */
export type KnownDocuments = ReadonlyMap<string, KnownDocument>;

export interface ManifestFile {
  /** By objectKey(). */
  readonly objects: ReadonlyMap<string, PlacedObject>;
  readonly problems: readonly ManifestProblem[];
  /** Objects, as `Service default/web`, of which something cannot be used, and places that cannot be read. */
  readonly troubled: readonly string[];
  readonly documents: KnownDocuments;
  /** It ends in an object that cannot be used: the rest of it may not be written yet. */
  readonly mayBeCut: boolean;
}

/** Equal things in memory once. */
export interface Sharing {
  readonly intern: Intern;
  /** An equal object that is there already, else this one. */
  readonly reuse: (object: ModelObject) => ModelObject;
}

/** Not hidden, no backup and no swap file. */
export function isManifest(name: string): boolean {
  return /^[^.].*\.(yaml|yml|json)$/.test(name);
}

/** file: the name that problems give; its ending .json decides the format. known: of the last parse of this file. */
export function readManifest(file: string, content: string, known: KnownDocuments, sharing: Sharing): ManifestFile {
  // Some editors put a byte order mark first.
  const text = content.startsWith("\uFEFF") ? content.slice(1) : content;
  const format = file.endsWith(".json") ? "json" : "yaml";
  const objects = new Map<string, PlacedObject>();
  const problems: ManifestProblem[] = [];
  const documents = new Map<string, KnownDocument>();
  const troubled: string[] = [];
  let endsBroken = false;
  for (const document of format === "json" ? [{ text, line: 1 }] : splitYaml(text)) {
    const hash = createHash("sha1").update(document.text).digest("base64");
    let found = known.get(hash);
    endsBroken = false;
    if (!found) {
      const read = readDocument(document.text, format, sharing.intern);
      for (const { line, ...finding } of read.findings) {
        problems.push({ ...finding, place: `${file}:${document.line + line - 1}` });
      }
      const failed = read.findings.some(({ severity }) => severity === "error");
      const nameless = failed && read.troubled.length === 0 ? [`${file}:${document.line}`] : [];
      found = { objects: read.objects.map(sharing.reuse), troubled: [...read.troubled, ...nameless] };
      endsBroken = read.endsBroken;
      if (!failed) documents.set(hash, found);
    } else documents.set(hash, found);
    troubled.push(...found.troubled);
    for (const object of found.objects) addObject({ object, file, line: document.line }, objects, problems);
  }
  // Half of a JSON text does not parse.
  return { objects, problems, troubled, documents, mayBeCut: endsBroken && format === "yaml" };
}

function addObject(placed: PlacedObject, objects: Map<string, PlacedObject>, problems: ManifestProblem[]): void {
  const key = objectKey(placed.object);
  const first = objects.get(key);
  if (first) problems.push(duplicate(first, placed));
  else objects.set(key, placed);
}

/** The warning for an object that stands in two places. */
export function duplicate(first: PlacedObject, second: PlacedObject): SourceProblem {
  const { object } = second;
  const name = "namespace" in object ? `${object.namespace}/${object.name}` : object.name;
  const places = `${first.file}:${first.line} and in ${second.file}:${second.line}`;
  const message = `${object.kind} ${name} is in ${places}: the first counts, take the other out`;
  return { severity: "warning", place: `${second.file}:${second.line}`, message };
}

/** Cuts at lines that begin with ---, which YAML allows nowhere inside a document. Comment-only parts are dropped. */
function splitYaml(text: string): { text: string; line: number }[] {
  const documents: { text: string; line: number }[] = [];
  const marker = /^(?:---(?=\s|$)|\.\.\.(?=\s|$))/gm;
  let start = 0;
  let line = 1;
  const cut = (end: number) => {
    const part = text.slice(start, end);
    const lead = /^(?:[ \t]*(?:#.*|%.*)?\r?\n)*/.exec(part)?.[0].length ?? 0;
    const body = part.slice(lead);
    const bodyLine = line + newlines(part.slice(0, lead));
    line += newlines(part);
    if (/^[ \t]*(?:#.*|%.*)?$/.test(body)) return;
    documents.push({ text: body, line: bodyLine });
  };
  for (let match = marker.exec(text); match; match = marker.exec(text)) {
    cut(match.index);
    start = marker.lastIndex;
  }
  cut(text.length);
  return documents;
}

function newlines(text: string): number {
  let count = 0;
  for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) count++;
  return count;
}
