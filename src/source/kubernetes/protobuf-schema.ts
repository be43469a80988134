// SPDX-License-Identifier: Apache-2.0
// Protobuf messages in a form that is read at a glance, for protobufjs: `{ port: "3 int32" }` is field 3, `[]` behind the
// type means repeated, `map` a map of strings, `word` a string that many objects share.

import protobuf, { type IType } from "protobufjs/light.js";

export type Fields = Readonly<Record<string, string>>;
export type Messages = Readonly<Record<string, Fields>>;

export interface MessageField {
  readonly name: string;
  readonly id: number;
  /** A scalar's, or another message's name. */
  readonly type: string;
  readonly repeated: boolean;
}

/** Of a message as protobufjs reads and writes it. */
export interface Message<T> {
  /** Throws Error for what is not such a message. Only fields that are there are own properties. */
  decode(bytes: Uint8Array): T;
  encode(value: T): { finish(): Uint8Array };
}

/** Codecs are made when they are first needed. */
export class Schema {
  readonly #messages: Messages;
  #root: protobuf.Root | undefined;
  readonly #known = new Map<string, Message<unknown>>();

  constructor(messages: Messages) {
    this.#messages = messages;
  }

  get names(): readonly string[] {
    return Object.keys(this.#messages);
  }

  fields(message: string): readonly MessageField[] {
    return Object.entries(this.#messages[message] ?? {}).map(([name, text]) => fieldOf(name, text));
  }

  /** Throws Error if there is none of that name. */
  message<T>(name: string): Message<T> {
    const known = this.#known.get(name) ?? this.#make(name);
    return known as Message<T>;
  }

  #make(name: string): Message<unknown> {
    const nested = () => Object.fromEntries(this.names.map((one) => [one, this.#typeOf(one)]));
    this.#root ??= protobuf.Root.fromJSON({ nested: nested() });
    const made = this.#root.lookupType(name) as unknown as Message<unknown>;
    this.#known.set(name, made);
    return made;
  }

  #typeOf(message: string): IType {
    const fields = this.fields(message).map(({ name, id, type, repeated }) => {
      if (type === "map") return [name, { id, type: "string", keyType: "string" }];
      return [name, { id, type: type === "word" ? "string" : type, rule: repeated ? "repeated" : "optional" }];
    });
    // Whether a field is there at all counts: ready: false is not the same as no ready.
    return { edition: "proto2", fields: Object.fromEntries(fields) };
  }
}

function fieldOf(name: string, text: string): MessageField {
  const [id = "", type = ""] = text.split(" ");
  return { name, id: Number(id), type: type.replace("[]", ""), repeated: type.endsWith("[]") };
}
