// SPDX-License-Identifier: Apache-2.0
// One document of a manifest file -> the model objects in it, Lists opened.

import type { ModelObject } from "../model/changes.ts";
import { type Parsed, type Path, parseJson, parseYaml, SyntaxProblem } from "./document.ts";
import { type Intern, toEndpointSlice } from "./endpoint-slice.ts";
import { Field, InvalidField } from "./field.ts";
import { toNode } from "./node.ts";
import { toService } from "./service.ts";

export interface Finding {
  readonly severity: "error" | "debug";
  /** In the document, from 1. */
  readonly line: number;
  readonly message: string;
}

export interface DocumentContent {
  readonly objects: readonly ModelObject[];
  readonly findings: readonly Finding[];
}

type Reader = (object: Field, intern: Intern) => ModelObject;

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["v1 Service", toService],
  ["discovery.k8s.io/v1 EndpointSlice", toEndpointSlice],
  ["v1 Node", toNode],
]);

/** Never throws for what stands in the text: what cannot be used is a finding, the rest is there. */
export function readDocument(text: string, format: "json" | "yaml", intern: Intern): DocumentContent {
  try {
    const parsed = format === "json" ? parseJson(text) : parseYaml(text);
    return readObjects(parsed, intern);
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    const message = `does not parse: ${error.message}: correct it`;
    return { objects: [], findings: [{ severity: "error", line: error.line, message }] };
  }
}

function readObjects(parsed: Parsed, intern: Intern): DocumentContent {
  const objects: ModelObject[] = [];
  const findings: Finding[] = [];
  const root = new Field(parsed.value);
  if (!root.present) return { objects, findings };
  const report = (severity: Finding["severity"], path: Path, message: string) =>
    findings.push({ severity, line: parsed.lineOf(path), message });
  guard(report, "", () => {
    const kind = root.at("kind").requiredString();
    const apiVersion = root.at("apiVersion").requiredString();
    const list = kind.endsWith("List") && root.at("items").items();
    const itemKind = kind.slice(0, -"List".length);
    for (const field of list || [root]) {
      // The items of a ServiceList need not say that they are Services.
      const type = `${field.at("apiVersion").string() || apiVersion} ${field.at("kind").string() || itemKind}`;
      const read = READERS.get(type);
      if (!read) report("debug", field.path(), `${type} is ignored: only ${[...READERS.keys()].join(", ")} count`);
      else guard(report, nameOf(field, type), () => objects.push(read(field, intern)));
    }
  });
  return { objects, findings };
}

function guard(report: (s: "error", path: Path, message: string) => void, name: string, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof InvalidField)) throw error;
    report("error", error.path, name === "" ? error.message : `${name}: ${error.message}`);
  }
}

/** As far as it can be said of an object that may be broken: `Service default/web`. */
function nameOf(field: Field, type: string): string {
  const kind = type.slice(type.indexOf(" ") + 1);
  const name = field.peek("metadata", "name");
  const namespace = kind === "Node" ? "" : `${field.peek("metadata", "namespace") || "default"}/`;
  return name === "" ? kind : `${kind} ${namespace}${name}`;
}
