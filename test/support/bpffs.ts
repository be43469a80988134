// SPDX-License-Identifier: Apache-2.0
// A bpffs of one's own, gone with all its pins when disposed.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";

/** Mounts at a fresh directory below /tmp. */
export function bpffs(): Disposable & { readonly path: string } {
  const path = mkdtempSync("/tmp/pt-bpffs-");
  execFileSync("mount", ["-t", "bpf", "bpf", path]);
  return {
    path,
    [Symbol.dispose](): void {
      execFileSync("umount", [path]);
      rmdirSync(path);
    },
  };
}
