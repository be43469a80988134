// SPDX-License-Identifier: Apache-2.0
// Text of one YAML document or JSON file -> untyped value, and the line on which any part of it stands.

import { type Document, isNode, parseDocument } from "yaml";
import { jsonErrorOffset } from "./json-error.ts";
import { offsetInJson } from "./json-offset.ts";
import { parsePlainYaml } from "./plain-yaml.ts";

export type Path = readonly (string | number)[];

/** A text that is no YAML or JSON. */
export class SyntaxProblem extends Error {
  /** From 1. */
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.name = "SyntaxProblem";
    this.line = line;
  }
}

export interface Parsed {
  /** null for an empty document. */
  readonly value: unknown;
  /** Line, from 1, of the value at this path, or of the nearest part around it that there is. */
  lineOf(path: Path): number;
}

/** Throws SyntaxProblem. */
export function parseJson(text: string): Parsed {
  if (text.trim() === "") return { value: null, lineOf: () => 1 };
  return { value: readJson(text), lineOf: (path) => lineAt(text, offsetInJson(text, path)) };
}

/** One document, without its --- lines. Throws SyntaxProblem. */
export function parseYaml(text: string): Parsed {
  return { value: yamlValue(text), lineOf: (path) => (path.length === 0 ? 1 : lineInYaml(text, path)) };
}

/**
 * Aliases to what is not there, to what they stand in, or to more than a manifest can need, and nesting too deep to
 * follow come to light only here.
 */
function yamlValue(text: string): unknown {
  try {
    const plain = parsePlainYaml(text);
    return inOnePiece(plain ? plain.value : wholeYaml(text).toJS({ maxAliasCount: 100 }));
  } catch (error) {
    if (error instanceof SyntaxProblem) throw error;
    const [reason] = String(error instanceof Error ? error.message : error).split("\n");
    throw new SyntaxProblem(1, reason ?? "");
  }
}

/** Throws SyntaxProblem. */
function wholeYaml(text: string): Document {
  const document = parseDocument(text, { prettyErrors: false, logLevel: "silent", version: "1.2" });
  const [error] = document.errors;
  if (error) throw new SyntaxProblem(lineAt(text, error.pos[0]), error.message);
  return document;
}

function lineInYaml(text: string, path: Path): number {
  const document = wholeYaml(text);
  for (let depth = path.length; depth > 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true);
    if (isNode(node) && node.range) return lineAt(text, node.range[0]);
  }
  return 1;
}

/** A copy whose strings are not slices of the text, which would keep all of it in memory. */
function inOnePiece(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null));
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const line = lineAt(text, jsonErrorOffset(text));
    const problem = text.split("\n")[line - 1]?.trim() || "the text ends too soon";
    throw new SyntaxProblem(line, `this is not JSON: ${problem.slice(0, 80)}`);
  }
}

/** Line, from 1, of a character offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf("\n"); i >= 0 && i < offset; i = text.indexOf("\n", i + 1)) line++;
  return line;
}
