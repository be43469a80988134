// SPDX-License-Identifier: Apache-2.0
// Durations, shares and times as people read them. Counters stay plain numbers: scripts sort and subtract them.

/** kubectl's ages: 45s, 12m, 3h25m, 2d4h. Seconds in. */
export function formatAge(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 120) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m`;
  const hours = Math.floor(whole / 3600);
  if (hours < 48) return withRest(hours, "h", Math.floor((whole % 3600) / 60), "m");
  return withRest(Math.floor(hours / 24), "d", hours % 24, "h");
}

function withRest(count: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${count}${unit}` : `${count}${unit}${rest}${restUnit}`;
}

/** A fraction 0..1 as a percentage with one digit; "" when there is nothing to measure. */
export function formatShare(share: number | null): string {
  return share === null ? "" : `${(share * 100).toFixed(1)}%`;
}

/** Unix milliseconds as UTC to the second. */
export function formatTime(unixMs: number): string {
  return new Date(unixMs).toISOString().replace(/\.\d+Z$/, "Z");
}

/** used/size with the fill in percent, for fixed-size maps. */
export function formatFill(used: number, size: number): string {
  return `${used}/${size} (${((used / size) * 100).toFixed(1)}%)`;
}
