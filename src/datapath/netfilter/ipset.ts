// SPDX-License-Identifier: Apache-2.0
// Runs the node's ipset.

import { setTimeout as sleep } from "node:timers/promises";
import { findCommand, NetfilterError, runCommand } from "./command.ts";

/** After a rule is gone nf_tables gives the sets free that it named, in its own time. */
const RELEASE_MS = 2000;
const LOOK_MS = 50;

/** Names of the sets of this network namespace, with how many rules refer to each. Rejects with NetfilterError. */
async function setReferences(): Promise<ReadonlyMap<string, number>> {
  const listed = await ipset(["list", "-terse"]);
  const each = /^Name: (\S+)$[\s\S]*?^References: (\d+)$/gm;
  return new Map([...listed.matchAll(each)].map(([, name = "", references]) => [name, Number(references)]));
}

/** All sets as `ipset restore` takes them. Rejects with NetfilterError. */
export async function savedSets(): Promise<readonly string[]> {
  return (await ipset(["save"])).split("\n").filter((line) => line !== "");
}

/** What is so already may be so. Not all or nothing: it ends at the first line that fails. Rejects with NetfilterError. */
export async function restoreSets(lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await ipset(["-exist", "restore"], `${lines.join("\n")}\n`);
}

/** Resolves with those that stay, for rules refer to them. Rejects with NetfilterError. */
export async function destroySets(names: ReadonlySet<string>): Promise<readonly string[]> {
  const deadline = performance.now() + RELEASE_MS;
  for (;;) {
    const present = [...(await setReferences())].filter(([name]) => names.has(name));
    const free = present.filter(([, references]) => references === 0);
    await restoreSets(free.map(([name]) => `destroy ${name}`));
    if (free.length === present.length) return [];
    if (performance.now() > deadline) return present.filter(([, references]) => references > 0).map(([name]) => name);
    await sleep(LOOK_MS);
  }
}

async function ipset(args: readonly string[], input?: string): Promise<string> {
  const command = findCommand("ipset");
  if (command === undefined) throw new NetfilterError("ipset is not installed: install the package ipset");
  return await runCommand(command, args, input);
}
