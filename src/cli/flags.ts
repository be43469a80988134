// SPDX-License-Identifier: Apache-2.0
// Flags that several commands share, and the parsers of their values.

import { InvalidArgumentError, Option } from "commander";

export const DEFAULT_BPFFS = "/sys/fs/bpf";
export const DEFAULT_STATE_DIR = "/var/lib/portolan";

/** Where the pins are: every command that reads state takes it. */
export function bpffsOption(): Option {
  return new Option("--bpffs <dir>", "bpf file system that holds the pins").default(DEFAULT_BPFFS);
}

export function stateDirOption(): Option {
  return new Option("--state-dir <dir>", "directory for the agent's own files").default(DEFAULT_STATE_DIR);
}

/** `a,b,c` or the flag given several times. */
export function parseList(value: string, previous: readonly string[] | undefined): readonly string[] {
  const items = value.split(",").map((item) => item.trim());
  if (items.some((item) => item === "")) throw new InvalidArgumentError(`an empty item in "${value}".`);
  return [...(previous ?? []), ...items];
}

/** A whole number within [min, max]. */
export function parseCount(min: number, max: number): (value: string) => number {
  return (value) => {
    const count = Number(value);
    if (/^\d+$/.test(value) && count >= min && count <= max) return count;
    throw new InvalidArgumentError(`give a whole number from ${min} to ${max}.`);
  };
}
