// SPDX-License-Identifier: Apache-2.0
// From the JSON of `bpftool -j btf dump file OBJ` to the structs and enums of the object, typedefs resolved. Used at
// build time, where the addon may not be built yet.

import type { BtfField, BtfType } from "../../libbpf/types.ts";
import type { BtfStruct } from "./abi-layout.ts";

export type BtfEnum = Extract<BtfType, { kind: "enum" }>;

interface RawType {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly type_id?: number;
  readonly nr_elems?: number;
  readonly members?: readonly { readonly name: string; readonly type_id: number; readonly bits_offset: number }[];
  readonly values?: readonly { readonly name: string; readonly val: number }[];
}

/** The kernel's wire-order typedefs; BTF itself does not know byte order. */
const BIG_ENDIAN_TYPEDEF = /^__be(16|32|64)$/;

/** Named structs, unions and enums in the order of the dump. Throws Error on a kind that abi.h may not use. */
export function parseBtfJson(text: string): readonly (BtfStruct | BtfEnum)[] {
  const raw = (JSON.parse(text) as { types: readonly RawType[] }).types;
  const byId = new Map(raw.map((type) => [type.id, type]));
  const result: (BtfStruct | BtfEnum)[] = [];
  for (const type of raw) {
    if (type.name === "(anon)" || !["STRUCT", "UNION", "ENUM"].includes(type.kind)) continue;
    result.push(resolve(byId, type.id, false) as BtfStruct | BtfEnum);
  }
  return result;
}

function resolve(byId: ReadonlyMap<number, RawType>, id: number, bigEndian: boolean): BtfType {
  const type = byId.get(id);
  if (type === undefined) throw new Error(`BTF: type ${id} is not in the dump`);
  switch (type.kind) {
    case "TYPEDEF":
      return resolve(byId, type.type_id ?? 0, bigEndian || BIG_ENDIAN_TYPEDEF.test(type.name));
    case "CONST":
    case "VOLATILE":
      return resolve(byId, type.type_id ?? 0, bigEndian);
    case "INT":
      return { kind: "int", name: type.name, size: type.size ?? 0, bigEndian, char: type.name === "char" };
    case "ARRAY":
      return { kind: "array", length: type.nr_elems ?? 0, element: resolve(byId, type.type_id ?? 0, bigEndian) };
    case "STRUCT":
    case "UNION":
      return {
        kind: type.kind === "STRUCT" ? "struct" : "union",
        name: type.name === "(anon)" ? "" : type.name,
        size: type.size ?? 0,
        fields: (type.members ?? []).map((member) => toField(byId, member)),
      };
    case "ENUM":
      return {
        kind: "enum",
        name: type.name,
        size: type.size ?? 0,
        values: Object.fromEntries((type.values ?? []).map((value) => [value.name, value.val])),
      };
    default:
      throw new Error(`BTF: type ${id} (${type.name}) is a ${type.kind}, which abi.h may not use`);
  }
}

function toField(
  byId: ReadonlyMap<number, RawType>,
  member: { readonly name: string; readonly type_id: number; readonly bits_offset: number },
): BtfField {
  return {
    name: member.name === "(anon)" ? "" : member.name,
    offset: member.bits_offset / 8,
    type: resolve(byId, member.type_id, false),
  };
}
