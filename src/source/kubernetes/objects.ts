// SPDX-License-Identifier: Apache-2.0
// The objects of one kind as a reflector tells them, read into the model; what changed goes into a tracker.

import { type ChangeTracker, type ModelObject, objectKey } from "../../model/changes.ts";
import { sameValue } from "../../model/same-value.ts";
import type { Intern } from "../endpoint-slice.ts";
import { Field, type InvalidField } from "../field.ts";
import { nameOf, readObject } from "../object.ts";
import type { SourceProblem } from "../source.ts";
import type { ApiValue } from "./decode.ts";
import type { Resource } from "./resources.ts";

export interface ObjectsOptions {
  readonly resource: Resource;
  readonly changes: ChangeTracker;
  readonly intern: Intern;
  readonly onProblem: (problem: SourceProblem) => void;
}

export class Objects {
  readonly #options: ObjectsOptions;
  readonly #type: string;
  #objects = new Map<string, ModelObject>();
  /** The state that is being told, and not yet complete. */
  #coming: Map<string, ModelObject> | undefined;
  /** What is said of objects that cannot be used as they are, by their key. */
  readonly #trouble = new Map<string, { readonly name: string; readonly text: string }>();
  /** Of #trouble, what the state that is being told has not come to yet. */
  #untold = new Set<string>();
  readonly #noted: InvalidField[] = [];

  constructor(options: ObjectsOptions) {
    this.#options = options;
    this.#type = `${options.resource.apiVersion} ${options.resource.kind}`;
  }

  /** Names of objects of which something cannot be used, as `Service default/web`. */
  get troubled(): Iterable<string> {
    return [...this.#trouble.values()].map(({ name }) => name);
  }

  all(): Iterable<ModelObject> {
    return this.#objects.values();
  }

  /** As an earlier run knew it; counts until the whole state is told. */
  recall(object: ModelObject): void {
    this.#set(objectKey(object), object);
  }

  begin(): void {
    this.#coming = new Map();
    this.#untold = new Set(this.#trouble.keys());
  }

  /** An object that cannot be used leaves what is known of it as it is. */
  put(value: ApiValue): void {
    const key = this.#keyOf(value);
    this.#untold.delete(key);
    const known = this.#objects.get(key);
    const object = this.#read(key, value) ?? known;
    if (!object) return;
    const same = known && sameValue(known, object) ? known : object;
    if (this.#coming) this.#coming.set(key, same);
    else this.#set(key, same);
  }

  remove(value: ApiValue): void {
    const key = this.#keyOf(value);
    this.#trouble.delete(key);
    if (this.#coming) this.#coming.delete(key);
    else this.#set(key, undefined);
  }

  commit(): void {
    const coming = this.#coming;
    if (!coming) return;
    this.#coming = undefined;
    for (const key of this.#untold) this.#trouble.delete(key);
    for (const key of this.#objects.keys()) if (!coming.has(key)) this.#set(key, undefined);
    for (const [key, object] of coming) this.#set(key, object);
  }

  #set(key: string, object: ModelObject | undefined): void {
    const before = this.#objects.get(key);
    if (before === object) return;
    if (object) this.#objects.set(key, object);
    else this.#objects.delete(key);
    this.#options.changes.record(key, before, object);
  }

  #keyOf({ metadata }: ApiValue): string {
    const { namespace = "", name = "" } = metadata ?? {};
    return objectKey({ kind: this.#options.resource.kind, namespace, name });
  }

  #read(key: string, value: ApiValue): ModelObject | undefined {
    const field = new Field(value, (problem) => this.#noted.push(problem));
    const { object, failure, leftOut } = readObject(field, this.#type, this.#noted, this.#options.intern);
    if (!failure && leftOut.length === 0) {
      this.#trouble.delete(key);
      return object;
    }
    const rest = leftOut.map(({ message }) => `${message} (until then the rest of it counts)`);
    const messages = failure ? [`${failure.message} (until then it counts as it was before)`, ...rest] : rest;
    this.#note(key, nameOf(field, this.#type), failure ? "error" : "warning", messages);
    return object;
  }

  /** Told once, as long as it stays the same. */
  #note(key: string, name: string, severity: "error" | "warning", messages: readonly string[]): void {
    const text = messages.join("; ");
    if (this.#trouble.get(key)?.text === text) return;
    this.#trouble.set(key, { name, text });
    for (const message of messages) this.#options.onProblem({ severity, place: name, message });
  }
}
