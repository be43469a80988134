// SPDX-License-Identifier: Apache-2.0
// One document of a manifest file -> the model objects in it, Lists opened.

import { type ModelObject, objectKey } from "../model/changes.ts";
import { type Parsed, type Path, parseJson, parseYaml, SyntaxProblem } from "./document.ts";
import type { Intern } from "./endpoint-slice.ts";
import { Field, InvalidField, pathText } from "./field.ts";
import { dnsName, namespacedName } from "./metadata.ts";
import { isNamespaced, kindOf, nameOf, readObject, TYPES } from "./object.ts";
import { unassigned } from "./service.ts";

/** What nobody can know for an error: one object, by objectKey(), some object, or what else is in the file. */
export type Hidden = { readonly key: string } | "some object" | "the file";

export interface Finding {
  readonly severity: "error" | "warning" | "debug";
  /** In the document, from 1. */
  readonly line: number;
  readonly message: string;
  /** Of errors, and only of them. */
  readonly hides?: Hidden;
}

export interface DocumentContent {
  readonly objects: readonly ModelObject[];
  readonly findings: readonly Finding[];
  /** Objects, as `Service default/web`, of which something cannot be used or is missing. */
  readonly troubled: readonly string[];
  /** The last object cannot be used: that of a text which is cut off, for one. */
  readonly endsBroken: boolean;
}

/** A line is worth a walk through the text: findings beyond so many give the document's. */
const FINDINGS_WITH_LINE = 20;

/** Never throws for what stands in the text: what cannot be used is a finding, the rest is there. */
export function readDocument(text: string, format: "json" | "yaml", intern: Intern): DocumentContent {
  try {
    const reader = new DocumentReader(format === "json" ? parseJson(text) : parseYaml(text), intern);
    reader.readAll();
    return reader;
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    const message = `does not parse: ${error.message}: correct it`;
    return {
      objects: [],
      findings: [{ severity: "error", line: error.line, message, hides: "the file" }],
      troubled: [],
      endsBroken: true,
    };
  }
}

class DocumentReader implements DocumentContent {
  readonly objects: ModelObject[] = [];
  readonly findings: Finding[] = [];
  readonly troubled: string[] = [];
  endsBroken = false;
  readonly #parsed: Parsed;
  readonly #intern: Intern;
  readonly #leftOut: InvalidField[] = [];
  readonly #ignored = new Set<string>();

  constructor(parsed: Parsed, intern: Intern) {
    this.#parsed = parsed;
    this.#intern = intern;
  }

  readAll(): void {
    const root = new Field(this.#parsed.value, (problem) => this.#leftOut.push(problem));
    if (!root.present) return;
    this.#guard(() => {
      const kind = root.at("kind").requiredString();
      const apiVersion = root.at("apiVersion").requiredString();
      if (!kind.endsWith("List")) return this.#read(root, `${apiVersion} ${kind}`);
      // The items of a ServiceList need not say that they are Services.
      const itemKind = kind.slice(0, -"List".length);
      for (const item of root.at("items").items()) {
        this.#guard(() => {
          const itemVersion = item.at("apiVersion").string() || apiVersion;
          this.#read(item, `${itemVersion} ${item.at("kind").string() || itemKind}`);
        });
      }
    });
  }

  #read(field: Field, type: string): void {
    this.endsBroken = false;
    if (!TYPES.includes(type)) {
      if (!this.#ignored.has(type)) this.#find("debug", [], `${type} is ignored: only ${TYPES.join(", ")} count`);
      this.#ignored.add(type);
      return;
    }
    const name = nameOf(field, type);
    const before = this.findings.length;
    const { object, failure, leftOut } = readObject(field, type, this.#leftOut, this.#intern);
    if (failure) this.#fail(`${name}: `, failure, hiddenWith(field, type));
    if (object) this.objects.push(object);
    for (const gap of object?.kind === "Service" ? unassigned(field, object) : []) {
      const path = gap.field.path();
      this.#find("warning", path, `${name}: ${pathText(path)}: ${gap.message}`);
    }
    for (const { path, message } of leftOut) {
      this.#find("warning", path, `${name}: ${message} (until then the rest of it counts)`);
    }
    if (this.findings.length > before) this.troubled.push(name);
  }

  #guard(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof InvalidField)) throw error;
      this.#fail("", error, "some object");
    }
  }

  /** hides: what is unknown without it. */
  #fail(prefix: string, { path, message }: InvalidField, hides: Hidden): void {
    this.endsBroken = true;
    this.findings.push({ severity: "error", line: this.#lineOf(path), message: prefix + message, hides });
  }

  #find(severity: "warning" | "debug", path: Path, message: string): void {
    this.findings.push({ severity, line: this.#lineOf(path), message });
  }

  #lineOf(path: Path): number {
    return this.#parsed.lineOf(this.findings.length < FINDINGS_WITH_LINE ? path : []);
  }
}

/** Without an object that cannot be used. What is wrong may be its very name, or its namespace. */
function hiddenWith(field: Field, type: string): Hidden {
  const kind = kindOf(type);
  try {
    const name = isNamespaced(kind)
      ? namespacedName(field, 253)
      : { name: dnsName(field.at("metadata").at("name"), 253) };
    return { key: objectKey({ kind, ...name }) };
  } catch (error) {
    if (!(error instanceof InvalidField)) throw error;
    return "some object";
  }
}
