// SPDX-License-Identifier: Apache-2.0
// What is mounted where, by /proc/mounts. Pure.

/** The first mount point of type cgroup2, below a directory if one is given. */
export function cgroup2Mount(procMounts: string, below?: string): string | undefined {
  const points = mountPoints(procMounts, (type) => type === "cgroup2");
  return points.find((point) => below === undefined || point.startsWith(`${below}/`));
}

/** Of file systems of a type, by their options; /proc/mounts writes blanks in octal. */
export function mountPoints(procMounts: string, wanted: (type: string, options: string) => boolean): readonly string[] {
  const fields = procMounts.split("\n").map((line) => line.split(" "));
  return fields
    .filter(([, , type = "", options = ""]) => wanted(type, options))
    .map(([, point = ""]) => point.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))));
}
