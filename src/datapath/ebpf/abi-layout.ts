// SPDX-License-Identifier: Apache-2.0
// A struct of abi.h as plain data: size, and each field's offset and type in words. The generator writes it down, the
// check at load compares it with the object's BTF.

import type { BtfType } from "../../libbpf/types.ts";

export type BtfStruct = Extract<BtfType, { kind: "struct" | "union" }>;

/** Names of fields that hold nothing. */
export const PADDING: RegExp = /^pad\d*$/;

export interface StructLayout {
  /** bytes */
  readonly size: number;
  /** C field name → [offset in bytes, type as describeType() says it] */
  readonly fields: Readonly<Record<string, readonly [number, string]>>;
}

/** "u8", "be16", "char[64]", "struct endpoint_set", "u32[16]" and so on. */
export function describeType(type: BtfType): string {
  switch (type.kind) {
    case "int":
      if (type.char) return "char";
      return `${type.bigEndian ? "be" : "u"}${type.size * 8}`;
    case "array":
      return `${describeType(type.element)}[${type.length}]`;
    case "struct":
    case "union":
      return `${type.kind} ${type.name}`;
    case "enum":
      return `enum ${type.name}`;
  }
}

/** Fields of anonymous members count as the struct's own, as in C. */
export function layoutOf(type: BtfStruct): StructLayout {
  const fields: Record<string, readonly [number, string]> = {};
  collect(type, 0, fields);
  return { size: type.size, fields };
}

function collect(type: BtfStruct, base: number, fields: Record<string, readonly [number, string]>): void {
  for (const field of type.fields) {
    const anonymous = field.name === "" && (field.type.kind === "struct" || field.type.kind === "union");
    if (anonymous) collect(field.type as BtfStruct, base + field.offset, fields);
    else fields[field.name] = [base + field.offset, describeType(field.type)];
  }
}
