// SPDX-License-Identifier: Apache-2.0
// Flags that several commands share, and the parsers of their values.

import { InvalidArgumentError, Option } from "commander";
import { goDurationMs } from "../agent/config/go-duration.ts";
import type { MarkBits } from "../agent/options.ts";
import { PORT_RANGE_HINT, type PortRange, portRangeOf } from "../agent/port-range.ts";

export const DEFAULT_BPFFS = "/sys/fs/bpf";
export const DEFAULT_STATE_DIR = "/var/lib/portolan";

/** Where the pins are: every command that reads state takes it. In a pod they are elsewhere, which its environment says. */
export function bpffsOption(): Option {
  return new Option("--bpffs <dir>", "bpf file system that holds the pins")
    .default(DEFAULT_BPFFS)
    .env("PORTOLAN_BPFFS");
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

/** `MIN-MAX`. */
export function parsePortRange(value: string): PortRange {
  const range = portRangeOf(value);
  if (range) return range;
  throw new InvalidArgumentError(`${PORT_RANGE_HINT}.`);
}

/** `IN,OUT`: two different bits of the packet mark, 0..31. */
export function parseMarkBits(value: string): MarkBits {
  const [inbound, outbound] = value.split(",").map(Number);
  const isBit = (bit: number | undefined): bit is number => bit !== undefined && bit <= 31;
  if (/^\d+,\d+$/.test(value) && isBit(inbound) && isBit(outbound) && inbound !== outbound)
    return { inbound, outbound };
  throw new InvalidArgumentError("give two different bits from 0 to 31: 29,30.");
}

/** As Go writes it: 30s, 1m30s, 24h, 0 -> milliseconds. */
export function parseDuration(value: string): number {
  const ms = goDurationMs(value);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError("give a duration such as 30s or 1m30s; 0 leaves it as it is.");
}

/** A whole number within [min, max]. */
export function parseCount(min: number, max: number): (value: string) => number {
  return (value) => {
    const count = Number(value);
    if (/^-?\d+$/.test(value) && count >= min && count <= max) return count;
    throw new InvalidArgumentError(`give a whole number from ${min} to ${max}.`);
  };
}
