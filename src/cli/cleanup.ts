// SPDX-License-Identifier: Apache-2.0
// `portolan cleanup`: takes the datapath away, ours only.

import { Command } from "commander";
import { bpffsOption, stateDirOption } from "./flags.ts";

export function cleanupCommand(): Command {
  return new Command("cleanup")
    .description("Take the datapath away: hooks, links, maps and rules of ours, nothing else. Stop the agent first.")
    .addOption(bpffsOption())
    .addOption(stateDirOption())
    .action(run);
}

async function run(flags: { readonly bpffs: string }): Promise<void> {
  const { cleanup } = await import("../agent/cleanup.ts");
  const { links, maps, chains } = await cleanup(flags.bpffs);
  const parts = [`${links} links`, `${maps} maps`, ...(chains > 0 ? [`${chains} chains of netfilter`] : [])];
  process.stdout.write(links + maps + chains === 0 ? "nothing to clean up\n" : `removed ${parts.join(" and ")}\n`);
}
