// SPDX-License-Identifier: Apache-2.0
// Durations as Go writes them: 30s, 1m30s, 1.5h, 0.

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g;

/** Milliseconds; undefined: it is none, or negative. */
export function goDurationMs(text: string): number | undefined {
  if (text === "0") return 0;
  if (text === "" || text.replace(PART, "") !== "") return undefined;
  let ms = 0;
  for (const [, value, unit] of text.matchAll(PART)) ms += Number(value) * (UNITS_MS[unit ?? ""] ?? 0);
  return ms;
}

/** As Go prints it: 24h0m0s, 1m30s, 1.5s, 250ms, 0s. ms: not negative, whole below a second. */
export function goDuration(ms: number): string {
  if (ms === 0) return "0s";
  if (ms < 1000) return `${ms}ms`;
  const [hours, minutes, seconds] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, (ms % 60_000) / 1000];
  const larger = hours > 0 ? `${hours}h${minutes}m` : minutes > 0 ? `${minutes}m` : "";
  return `${larger}${seconds}s`;
}
