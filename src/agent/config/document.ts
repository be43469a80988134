// SPDX-License-Identifier: Apache-2.0
// A configuration file as text -> untyped value, with the place of each field -> what a schema makes of it.

import { readFileSync } from "node:fs";
import * as v from "valibot";
import { type Parsed, type Path, parseJson, parseYaml, SyntaxProblem } from "../../source/document.ts";
import { pathText } from "../../source/field.ts";
import { UsageError } from "../errors.ts";

export interface ConfigDocument {
  readonly value: unknown;
  readonly apiVersion: string | undefined;
  readonly kind: string | undefined;
  /** `FILE:LINE: field: `, the beginning of what is said of a field. */
  at(path: Path): string;
  lineOf(path: Path): number;
}

/** Throws UsageError. */
export function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`--config ${file} cannot be read: ${reason}`, { cause });
  }
}

/** file: its name in messages; ends with .json if it is JSON. Throws UsageError with `FILE:LINE: problem`. */
export function parseConfig(file: string, text: string): ConfigDocument {
  const parsed = parse(file, text);
  const { apiVersion, kind } = (
    typeof parsed.value === "object" && parsed.value !== null ? parsed.value : {}
  ) as Record<string, unknown>;
  return {
    value: parsed.value,
    apiVersion: typeof apiVersion === "string" ? apiVersion : undefined,
    kind: typeof kind === "string" ? kind : undefined,
    at: (path) => `${file}:${parsed.lineOf(path)}: ${path.length > 0 ? `${pathText(path)}: ` : ""}`,
    lineOf: (path) => parsed.lineOf(path),
  };
}

function parse(file: string, text: string): Parsed {
  try {
    return file.endsWith(".json") ? parseJson(text) : parseYaml(text);
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    throw new UsageError(`${file}:${error.line}: ${error.message}`, { cause: error });
  }
}

/** A field that cannot stay as it is. */
export interface Misfit {
  readonly path: Path;
  readonly problem: string;
}

/** undefined config: there are wrong values. */
export interface Decoded<T> {
  readonly config: T | undefined;
  readonly wrong: readonly Misfit[];
  /** Fields that the schema does not know. */
  readonly unknown: readonly Path[];
}

/** schema: a strict object. It names one unknown field an object at a time, so they are taken away one after the other. */
export function decode<T>(schema: v.GenericSchema<unknown, T>, document: ConfigDocument): Decoded<T> {
  const value: unknown = structuredClone(document.value);
  const unknown: Path[] = [];
  for (;;) {
    const result = v.safeParse(schema, value);
    if (result.success) return { config: result.output, wrong: [], unknown };
    const strange = result.issues.filter((issue) => issue.type === "strict_object" && issue.expected === "never");
    if (strange.length === 0) {
      const wrong = result.issues.map((issue) => ({ path: pathOf(issue), problem: issue.message }));
      return { config: undefined, wrong, unknown };
    }
    for (const path of strange.map(pathOf)) {
      remove(value, path);
      unknown.push(path);
    }
  }
}

/** `FILE:LINE: field: problem` of each, in their order in the file. */
export function linesOf(document: ConfigDocument, misfits: readonly Misfit[]): readonly string[] {
  const inOrder = [...misfits].sort((a, b) => document.lineOf(a.path) - document.lineOf(b.path));
  return inOrder.map(({ path, problem }) => `${document.at(path)}${problem}`);
}

/** The error that names each of them on a line of its own. */
export function refusal(document: ConfigDocument, misfits: readonly Misfit[]): UsageError {
  return new UsageError(linesOf(document, misfits).join("\n"));
}

function pathOf(issue: v.BaseIssue<unknown>): Path {
  return (issue.path ?? []).map(({ key }) => (typeof key === "number" ? key : String(key)));
}

function remove(value: unknown, path: Path): void {
  let holder = value as Record<string, unknown>;
  for (const key of path.slice(0, -1)) holder = holder[key] as Record<string, unknown>;
  delete holder[path.at(-1) ?? ""];
}
