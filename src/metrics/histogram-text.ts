// SPDX-License-Identifier: Apache-2.0
// A histogram whose observations somebody else has counted, as Prometheus text: prom-client's takes them one by one only.

export interface HistogramCounts {
  /** By name; values need no escaping. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Of each bucket by itself, beside its upper bound; one more counts what is above the last. */
  readonly counts: readonly number[];
  /** Of the values observed. */
  readonly sum: number;
}

/** With HELP and TYPE. bounds: upper ones, rising. */
export function histogramText(
  name: string,
  help: string,
  bounds: readonly number[],
  series: readonly HistogramCounts[],
): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  for (const { labels = {}, counts, sum } of series) {
    const own = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const braces = own.length > 0 ? `{${own.join()}}` : "";
    let total = 0;
    for (const [n, bound] of [...bounds, "+Inf"].entries()) {
      total += counts[n] ?? 0;
      lines.push(`${name}_bucket{${[`le="${bound}"`, ...own].join()}} ${total}`);
    }
    lines.push(`${name}_sum${braces} ${sum}`, `${name}_count${braces} ${total}`);
  }
  return `${lines.join("\n")}\n`;
}
