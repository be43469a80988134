// SPDX-License-Identifier: Apache-2.0
// Before an object is loaded: do its structs lie in memory as the generated codec believes?

import type { BtfType } from "../../libbpf/types.ts";
import { layouts } from "./abi.gen.ts";
import { layoutOf, type StructLayout } from "./abi-layout.ts";

/** The object and this program were built from different versions of bpf/abi.h. */
export class AbiMismatchError extends Error {
  override readonly name = "AbiMismatchError";
  readonly code = "PORTOLAN_ABI_MISMATCH";
}

/**
 * Compares the structs of an object's BTF (readBtf()) that the codec knows; an object need not use all of them. Throws
 * AbiMismatchError that names object, struct and field.
 */
export function checkAbi(object: string, types: ReadonlyMap<string, BtfType>): void {
  for (const [name, expected] of Object.entries(layouts)) {
    const type = types.get(name);
    if (type === undefined || (type.kind !== "struct" && type.kind !== "union")) continue;
    const difference = differenceOf(expected, layoutOf(type));
    if (difference === undefined) continue;
    throw new AbiMismatchError(
      `${object}: struct ${name}: ${difference}; object and agent are of different versions: build both again (npm run build)`,
    );
  }
}

function differenceOf(expected: StructLayout, found: StructLayout): string | undefined {
  if (expected.size !== found.size) return `${found.size} bytes, expected ${expected.size}`;
  for (const name of new Set([...Object.keys(expected.fields), ...Object.keys(found.fields)])) {
    const [want, have] = [inWords(expected.fields[name]), inWords(found.fields[name])];
    if (want !== have) return `field ${name} is ${have}, expected ${want}`;
  }
  return undefined;
}

function inWords(field: readonly [number, string] | undefined): string {
  return field === undefined ? "absent" : `${field[1]} at byte ${field[0]}`;
}
