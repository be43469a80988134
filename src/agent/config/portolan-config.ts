// SPDX-License-Identifier: Apache-2.0
// Portolan's own configuration file as flags. Strict: a field that it does not know is refused as a wrong value is.

import { dirname, resolve } from "node:path";
import * as v from "valibot";
import type { FileFlags } from "../options.ts";
import { type ConfigDocument, decode, refusal } from "./document.ts";
import { API_VERSION, FIELDS, KIND } from "./fields.ts";
import { OBJECT } from "./values.ts";

type Section = Record<string, v.GenericSchema<unknown, unknown>>;

const SCHEMA = schemaOf();

/** Throws UsageError with `FILE:LINE: field: problem`, a line for each. */
export function portolanFlags(file: string, document: ConfigDocument): FileFlags {
  const { config, wrong, unknown } = decode(SCHEMA, document);
  const strangers = unknown.map((path) => ({ path, problem: "there is no such field" }));
  if (!config || strangers.length > 0) throw refusal(document, [...wrong, ...strangers]);
  const flags: Record<string, unknown> = {};
  for (const { path, flag, kind } of FIELDS) {
    const value = at(config, path);
    if (value === undefined || value === null) continue;
    flags[flag] = kind.isPath ? resolve(dirname(file), String(value)) : value;
  }
  return flags; // each value is its flag's by the kind of its field
}

function schemaOf(): v.GenericSchema<unknown, Record<string, unknown>> {
  const sections = new Map<string, Section>([["", { apiVersion: v.literal(API_VERSION), kind: v.literal(KIND) }]]);
  for (const { path, kind } of FIELDS) {
    const [name = "", section = ""] = path.split(".").reverse();
    sections.set(section, { ...sections.get(section), [name]: kind.schema });
  }
  const { "": top, ...rest } = Object.fromEntries(sections);
  const nested = Object.entries(rest).map(([name, entries]) => [name, v.nullish(v.strictObject(entries, OBJECT))]);
  return v.strictObject({ ...top, ...Object.fromEntries(nested) }, OBJECT);
}

function at(config: Record<string, unknown>, path: string): unknown {
  let value: unknown = config;
  for (const key of path.split(".")) value = (value as Record<string, unknown> | null | undefined)?.[key];
  return value;
}
