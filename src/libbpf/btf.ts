// SPDX-License-Identifier: Apache-2.0
// Types of an object file, from which codecs are generated and against which they are checked.

import { addon } from "./native.ts";
import type { BtfType } from "./types.ts";

/**
 * The named structs, unions and enums in the BTF of an object file, by name. Integers keep their typedef's name, and
 * __be16, __be32, __be64 are bigEndian. Structs with pointers or bit fields are left out. Throws BpfError.
 */
export function readBtf(path: string): Map<string, BtfType> {
  const types = new Map<string, BtfType>();
  for (const type of addon().readBtf(path)) {
    if ("name" in type) types.set(type.name, type);
  }
  return types;
}
