// SPDX-License-Identifier: Apache-2.0
// `portolan cleanup`: takes the datapath away, ours only.

import { Command } from "commander";
import { bpffsOption, stateDirOption } from "./flags.ts";

export function cleanupCommand(): Command {
  return new Command("cleanup")
    .description("Take the datapath away: hooks, links and maps of ours, nothing else. Stop the agent first.")
    .addOption(bpffsOption())
    .addOption(stateDirOption())
    .action(run);
}

async function run(flags: { readonly bpffs: string }): Promise<void> {
  const { cleanup } = await import("../agent/cleanup.ts");
  const { links, maps } = cleanup(flags.bpffs);
  process.stdout.write(links + maps === 0 ? "nothing to clean up\n" : `removed ${links} links and ${maps} maps\n`);
}
