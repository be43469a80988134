// SPDX-License-Identifier: Apache-2.0
// What belongs to the machine rather than to one map or program.

import { addon } from "./native.ts";

/** Version of the libbpf in use, "1.1". */
export function libbpfVersion(): string {
  return addon().libbpfVersion.replace(/^v/, "");
}

/** CPUs that may ever be there: the number of values a per-CPU map returns. */
export function possibleCpus(): number {
  return addon().possibleCpus;
}

/** Settles once every program that was running at the call has finished: what they could still see may be freed. */
export function rcuSync(): Promise<void> {
  return addon().rcuSync();
}

/**
 * Takes an exclusive lock on a file, created if need be, until disposed or the process ends. Throws BpfError EAGAIN,
 * whose hint names the holder's process id, when it is taken.
 */
export function lockFile(path: string): Disposable {
  const release = addon().lockFile(path);
  return { [Symbol.dispose]: release };
}
