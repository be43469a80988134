// SPDX-License-Identifier: Apache-2.0
// Reads an untyped object field by field and names the path of what is not as it should be.

import { type Cidr, type Ip, parseCidr, parseIp } from "../model/ip.ts";

/** A field that cannot be used. The message begins with its path and ends with what to do. */
export class InvalidField extends Error {
  readonly path: readonly (string | number)[];

  constructor(path: readonly (string | number)[], problem: string) {
    super(`${pathText(path)}: ${problem}`);
    this.name = "InvalidField";
    this.path = path;
  }
}

/** Told of what an object is read without. */
export type OnLeftOut = (problem: InvalidField) => void;

/** One value and where it stands. null counts as absent, as Kubernetes has it. */
export class Field {
  readonly #value: unknown;
  readonly #onLeftOut: OnLeftOut;
  readonly #parent: Field | undefined;
  readonly #key: string | number;

  constructor(value: unknown, onLeftOut: OnLeftOut, parent?: Field, key: string | number = "") {
    this.#value = value ?? undefined;
    this.#onLeftOut = onLeftOut;
    this.#parent = parent;
    this.#key = key;
  }

  get present(): boolean {
    return this.#value !== undefined;
  }

  /** Present, and not the 0 by which Kubernetes says that nothing is assigned yet. */
  get assigned(): boolean {
    return this.#value !== undefined && this.#value !== 0;
  }

  /** A member of an object; absent if the object is. */
  at(key: string): Field {
    if (this.#value === undefined) return this.#child(undefined, key);
    if (typeof this.#value !== "object" || Array.isArray(this.#value)) this.fail("must be an object with named fields");
    const members = this.#value as Record<string, unknown>;
    return this.#child(Object.hasOwn(members, key) ? members[key] : undefined, key);
  }

  /** The elements of a list; none if it is absent. */
  items(): readonly Field[] {
    if (this.#value === undefined) return [];
    if (!Array.isArray(this.#value)) this.fail("must be a list");
    return (this.#value as readonly unknown[]).map((element, i) => this.#child(element, i));
  }

  /** What read makes of it. If that cannot be used it is left out, and instead counts. */
  orElse<T>(instead: T, read: (field: Field) => T): T {
    try {
      return read(this);
    } catch (error) {
      this.#leaveOut(error);
      return instead;
    }
  }

  /** What read makes of the elements of a list, less those that cannot be used. */
  each<T>(read: (element: Field) => T): readonly T[] {
    const values: T[] = [];
    for (const element of this.orElse([], (list) => list.items())) {
      element.orElse(undefined, (field) => void values.push(read(field)));
    }
    return values;
  }

  /** The same of a list that the object is nothing without: fails if it has elements and none of them can be used. */
  some<T>(read: (element: Field) => T): readonly T[] {
    const values: T[] = [];
    const failures: unknown[] = [];
    for (const element of this.items()) {
      try {
        values.push(read(element));
      } catch (error) {
        failures.push(error);
      }
    }
    if (values.length === 0 && failures.length > 0) throw failures[0];
    for (const failure of failures) this.#leaveOut(failure);
    return values;
  }

  string(): string | undefined {
    if (this.#value === undefined || typeof this.#value === "string") return this.#value;
    return this.fail(`${JSON.stringify(this.#value)} must be a string: put it in quotes`);
  }

  /** A string below this object, for messages about what may be broken: "" if it is not there. */
  peek(...keys: readonly string[]): string {
    let value = this.#value;
    for (const key of keys) value = (value as Record<string, unknown> | null | undefined)?.[key];
    return typeof value === "string" ? value : "";
  }

  requiredString(): string {
    return this.string() || this.fail("is missing: set it");
  }

  boolean(absent: boolean): boolean {
    if (this.#value === undefined) return absent;
    if (typeof this.#value === "boolean") return this.#value;
    return this.fail(`${JSON.stringify(this.#value)} must be true or false`);
  }

  /** One of a few words. */
  word<T extends string>(known: readonly T[], absent?: T): T {
    const text = this.string() || absent;
    const word = known.find((one) => one === text);
    if (word !== undefined) return word;
    const problem = text === undefined ? "is missing" : `${JSON.stringify(text)} is not known`;
    return this.fail(`${problem}: use ${known.join(", ")}`);
  }

  /** A whole number in a range; undefined when absent. */
  integer(min: number, max: number): number | undefined {
    const value = this.#value;
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    return this.fail(`${JSON.stringify(value)} is not a whole number from ${min} to ${max}`);
  }

  /** 1..65535; undefined when absent or 0. */
  port(): number | undefined {
    const value = this.#value;
    if (value === undefined || value === 0) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value > 0 && value <= 65535) return value;
    return this.fail(`${JSON.stringify(value)} is not a port number: use 1 to 65535`);
  }

  requiredPort(): number {
    return this.port() ?? this.fail("is missing or 0: use 1 to 65535");
  }

  /** An address that traffic can be sent to, of none of the scopes; undefined when absent or empty. */
  ip(refused: readonly AddressScope[] = []): Ip | undefined {
    const text = this.string();
    if (!text) return undefined;
    const ip =
      parseIp(text) ??
      this.fail(`${JSON.stringify(text)} is not an IP address: use one such as 10.96.0.10 or fd00::10`);
    if (isUnspecifiedOrMulticast(ip))
      this.fail(`${ip} cannot be the address of a Service or an endpoint: use a unicast address`);
    const scope = refused.find((one) => SCOPES[one].test(ip));
    if (scope) this.fail(`${ip} is a ${scope} address, which means another host to everyone who uses it: use another`);
    return ip;
  }

  /** A range of addresses. */
  cidr(): Cidr {
    const text = this.requiredString();
    const range = parseCidr(text);
    return range ?? this.fail(`${JSON.stringify(text)} is not an address range: use one such as 10.244.1.0/24`);
  }

  fail(problem: string): never {
    throw new InvalidField(this.path(), problem);
  }

  #child(value: unknown, key: string | number): Field {
    return new Field(value, this.#onLeftOut, this, key);
  }

  #leaveOut(error: unknown): void {
    if (!(error instanceof InvalidField)) throw error;
    this.#onLeftOut(error);
  }

  path(): readonly (string | number)[] {
    return this.#parent ? [...this.#parent.path(), this.#key] : [];
  }
}

/** 0.0.0.0, ::, 224.0.0.0/4 with broadcast above, ff00::/8. By its canonical text: each endpoint's is asked. */
function isUnspecifiedOrMulticast(ip: Ip): boolean {
  if (ip === "0.0.0.0" || ip === "::") return true;
  return ip.includes(":") ? /^ff[0-9a-f]{2}:/.test(ip) : Number.parseInt(ip, 10) >= 224;
}

/** Addresses that say nothing to another host, or to another network. */
export type AddressScope = "loopback" | "link-local";

/** By the canonical text: 127.0.0.0/8 and ::1; 169.254.0.0/16 and fe80::/10. */
const SCOPES: Readonly<Record<AddressScope, RegExp>> = {
  loopback: /^(127\.|::1$)/,
  "link-local": /^(169\.254\.|fe[89ab][0-9a-f]:)/,
};

/** `spec.ports[1].port`; names with dots or slashes are quoted: `metadata.labels["a.b/c"]`. */
export function pathText(path: readonly (string | number)[]): string {
  let text = "";
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`;
    else if (!/^\w+$/.test(key)) text += `[${JSON.stringify(key)}]`;
    else text += text === "" ? key : `.${key}`;
  }
  return text === "" ? "the object" : text;
}
