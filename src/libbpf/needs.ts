// SPDX-License-Identifier: Apache-2.0
// What an object's programs ask of the kernel and this one does not have, found without loading them.

import { addon } from "./native.ts";
import type { KernelLack } from "./types.ts";

/**
 * Tries each helper that the object calls, each type of program and map that it has, on a small scale. It takes the capabilities
 * that loading takes: without them nothing seems to be missing. Throws BpfError for a file that is no object.
 */
export function kernelLacks(objectPath: string): readonly KernelLack[] {
  return addon().objectLacks(objectPath);
}
