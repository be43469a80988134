// SPDX-License-Identifier: Apache-2.0
// The records that `portolan bench -o json` prints; other programs rely on their shape.

export interface BenchRecord {
  readonly scenario: string;
  readonly competitor: string;
  readonly params: Readonly<Record<string, number | string>>;
  readonly metric: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

/** One figure out of its runs; values must not be empty. */
export function summarize(
  head: Omit<BenchRecord, "median" | "min" | "max" | "runs">,
  values: readonly number[],
): BenchRecord {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    ...head,
    median: round(quantile(sorted, 0.5)),
    min: round(quantile(sorted, 0)),
    max: round(quantile(sorted, 1)),
    runs: sorted.length,
  };
}

/** The value below which that share of a sorted list lies (nearest rank). */
export function quantile(sorted: readonly number[], share: number): number {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  if (value === undefined) throw new Error("no values to take a quantile of");
  return value;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
