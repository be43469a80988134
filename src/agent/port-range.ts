// SPDX-License-Identifier: Apache-2.0
// Ranges of ports as people write them.

/** Ports from min to max, both included. */
export interface PortRange {
  readonly min: number;
  readonly max: number;
}

export const PORT_RANGE_HINT = "give two ports from 1 to 65535, lower one first: 30000-32767";

/** `MIN-MAX`, both 1..65535 and in this order; undefined: it is none. */
export function portRangeOf(text: string): PortRange | undefined {
  const [min, max] = text.split("-").map(Number);
  if (/^\d+-\d+$/.test(text) && min !== undefined && max !== undefined && min >= 1 && min <= max && max <= 65_535) {
    return { min, max };
  }
  return undefined;
}
