// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { holdsLock, lockHolder } from "../../../src/inspect/agent-process.ts";
import { lockDirectory } from "../../../src/libbpf/index.ts";

/** Device 0:0x11c, inode 5678, as makedev(3) has it. */
const DEV = 0x10001cn;

const LOCKS = `1: POSIX  ADVISORY  WRITE 1 00:11c:5678 0 EOF
2: FLOCK  ADVISORY  WRITE 2 00:11c:5679 0 EOF
3: FLOCK  ADVISORY  WRITE 3 00:1c:5678 0 EOF
4: FLOCK  ADVISORY  WRITE 4711 00:11c:5678 0 EOF
4: -> FLOCK  ADVISORY  WRITE 4712 00:11c:5678 0 EOF
5: FLOCK  ADVISORY  WRITE 5 fd:01:5678 0 EOF
`;

test("the process that has the flock of a directory, among others of all kinds and places", () => {
  expect(lockHolder(LOCKS, DEV, 5678n)).toBe(4711);
  expect(lockHolder(LOCKS, 0xfd01n, 5678n)).toBe(5);
  expect(lockHolder(LOCKS, DEV, 5680n)).toBeUndefined();
  expect(lockHolder("", DEV, 5678n)).toBeUndefined();
});

test("a process that has the lock has it, whatever the clock says; without the lock it has not", () => {
  const directory = mkdtempSync(join(tmpdir(), "pt-lock-"));
  vi.useFakeTimers({ toFake: ["Date"], now: new Date(Date.now() + 86_400_000) });
  try {
    const lock = lockDirectory(directory);
    expect(holdsLock(process.pid, directory)).toBe(true);
    expect(holdsLock(1, directory)).toBe(false);
    lock[Symbol.dispose]();
    expect(holdsLock(process.pid, directory)).toBe(false);
  } finally {
    vi.useRealTimers();
    rmSync(directory, { recursive: true });
  }
});
