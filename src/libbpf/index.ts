// SPDX-License-Identifier: Apache-2.0
// The public face of this room: libbpf as handles, errors and plain data. Nothing else in here is imported from outside.

export { readBtf } from "./btf.ts";
export { BpfError, VerifierError } from "./errors.ts";
export { probeFeatures } from "./features.ts";
export { createMap, openPinnedMap } from "./map.ts";
export { AddonError } from "./native.ts";
export { kernelLacks } from "./needs.ts";
export { openNetlink } from "./netlink.ts";
export { openObject } from "./object.ts";
export { openPinnedLink, openPinnedProgram } from "./program.ts";
export {
  batchOtherThreads,
  connectPrograms,
  detachTc,
  libbpfVersion,
  lockDirectory,
  netnsCookie,
  possibleCpus,
  rcuSync,
  tcPrograms,
} from "./system.ts";
export type * from "./types.ts";
