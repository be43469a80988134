// SPDX-License-Identifier: Apache-2.0
// The JSON schema of a PortolanConfiguration, and the table of its fields, for docs/. What a field does is what the help
// text of its flag says.

import { API_VERSION, FIELDS, KIND } from "./fields.ts";

/** A flag as its command describes it. */
export interface FlagHelp {
  readonly attribute: string;
  /** `--log-level <level>` */
  readonly flags: string;
  readonly description: string;
  /** As the help shows it; undefined: the description says it, or there is none. */
  readonly initial: string | undefined;
}

type JsonObject = Record<string, unknown>;

export function configJsonSchema(help: readonly FlagHelp[]): JsonObject {
  const top: JsonObject = { apiVersion: { const: API_VERSION }, kind: { const: KIND } };
  for (const { path, flag, kind } of FIELDS) {
    const [name = "", section] = path.split(".").reverse();
    const described = { description: describe(helpOf(help, flag)), ...kind.json };
    if (section === undefined) top[name] = described;
    else properties(top, section)[name] = described;
  }
  const title = `${API_VERSION} ${KIND}`;
  const required = ["apiVersion", "kind"];
  return { $schema: "https://json-schema.org/draft/2020-12/schema", title, ...object(top), required };
}

/** Lines of a table: field, flag, when a change counts, meaning. */
export function configTable(help: readonly FlagHelp[]): string {
  const rows = FIELDS.map(({ path, flag, live }) => {
    const of = helpOf(help, flag);
    return `| \`${path}\` | \`${of.flags.split(" ")[0]}\` | ${live ? "at once" : "next start"} | ${cell(describe(of))} |`;
  });
  return ["| field | flag | a change counts | |", "|---|---|---|---|", ...rows].join("\n");
}

function properties(top: JsonObject, section: string): JsonObject {
  top[section] ??= object({});
  return (top[section] as { readonly properties: JsonObject }).properties;
}

function object(members: JsonObject): JsonObject {
  return { type: "object", additionalProperties: false, properties: members };
}

function helpOf(help: readonly FlagHelp[], flag: string): FlagHelp {
  const found = help.find(({ attribute }) => attribute === flag);
  if (found) return found;
  throw new Error(`a field stands for --${flag}, which is no flag of the agent`);
}

function describe({ description, initial }: FlagHelp): string {
  return initial === undefined ? description : `${description} (default: ${initial})`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}
