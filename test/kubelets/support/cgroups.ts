// SPDX-License-Identifier: Apache-2.0
// The cgroups of a lab's nodes in the hierarchies of version 1, where kubelets and runc of a hybrid host keep those of pods. Those
// of version 2 are the lab's own.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Plan } from "../../../src/demo/lab/plan.ts";

/** Mount points of version 1, by what they are for: "memory". */
function hierarchies(): readonly string[] {
  const lines = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return lines.map((line) => line.split(" ")).flatMap(([, at, type]) => (type === "cgroup" && at ? [at] : []));
}

/** As kubelet's cgroupRoot: below the root of every hierarchy. */
export function kubeletRoot(plan: Plan, node: string): string {
  return `/${plan.id}/${node}`;
}

/** Where the hierarchy of this controller has the node's. */
export function kubeletCgroup(plan: Plan, node: string, controller: string): string {
  const mount = hierarchies().find((at) => at.endsWith(`/${controller}`));
  if (mount === undefined)
    throw new Error(`no ${controller} hierarchy of cgroup version 1 is mounted: this runs on hybrid hosts`);
  return `${mount}${kubeletRoot(plan, node)}`;
}

export function makeCgroups(plan: Plan): void {
  for (const mount of hierarchies()) {
    for (const { name } of plan.nodes) {
      const made = `${mount}${kubeletRoot(plan, name)}`;
      mkdirSync(made, { recursive: true });
      for (const at of [dirname(made), made]) inheritCpuset(at);
    }
  }
}

/** A cpuset is born empty, and nothing runs in it. */
function inheritCpuset(cgroup: string): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    if (!existsSync(`${cgroup}/${file}`)) return;
    writeFileSync(`${cgroup}/${file}`, readFileSync(`${dirname(cgroup)}/${file}`, "utf8"));
  }
}

/** Once their processes are gone, which die with the lab's cgroup of version 2. */
export function removeCgroups(plan: Plan): void {
  for (const mount of hierarchies()) remove(`${mount}/${plan.id}`);
}

function remove(cgroup: string): void {
  if (!existsSync(cgroup)) return;
  for (const entry of readdirSync(cgroup, { withFileTypes: true })) {
    if (entry.isDirectory()) remove(`${cgroup}/${entry.name}`);
  }
  rmdirSync(cgroup);
}
