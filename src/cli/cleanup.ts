// SPDX-License-Identifier: Apache-2.0
// `portolan cleanup`: takes the datapath away, ours only.

import { Command } from "commander";
import { bpffsOption, parseDuration, stateDirOption } from "./flags.ts";
import { EXIT_NO } from "./run.ts";

interface CleanupFlags {
  readonly bpffs: string;
  readonly handBack?: boolean;
  readonly wait: number;
}

const WAIT_MS = 600_000;

export function cleanupCommand(): Command {
  return new Command("cleanup")
    .description("Take the datapath away: hooks, links, maps and rules of ours, nothing else. Stop the agent first.")
    .option(
      "--hand-back",
      "to a kube-proxy that serves again: new connections are its, and ours go when the old have ended",
    )
    .option("--wait <t>", "with --hand-back: for so long", parseDuration, WAIT_MS)
    .addOption(bpffsOption())
    .addOption(stateDirOption())
    .action(run);
}

async function run({ bpffs, handBack = false, wait }: CleanupFlags): Promise<void> {
  const { cleanup } = await import("../agent/cleanup.ts");
  const say = (line: string) => process.stderr.write(`portolan: ${line}\n`);
  const { links, maps, chains, left, modes } = await cleanup(bpffs, handBack ? { waitMs: wait, say } : undefined);
  if (left > 0) {
    say(`${left} flows are served on; ask again to wait on, or without --hand-back to end them`);
    process.exitCode = EXIT_NO;
    return;
  }
  const parts = [`${links} links`, `${maps} maps`, ...(chains > 0 ? [`${chains} chains of netfilter`] : [])];
  for (const mode of modes) process.stdout.write(`removed the rules of mode ${mode}\n`);
  if (links + maps + chains > 0) process.stdout.write(`removed ${parts.join(" and ")}\n`);
  else if (modes.length === 0) process.stdout.write("nothing to clean up\n");
}
