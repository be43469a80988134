// SPDX-License-Identifier: Apache-2.0
// `portolan demo`: two nodes, pods and a client in network namespaces, with real traffic.

import { Command } from "commander";

export function demoCommand(): Command {
  return new Command("demo")
    .description("Two nodes, pods and an outside client in network namespaces, real traffic; prints what went where.")
    .option("--keep", "leave it up until Ctrl-C and say what to try")
    .action(run);
}

async function run(flags: { readonly keep?: boolean }): Promise<void> {
  // The lab's tools (sysctl, iptables) are where Debian's plain su does not look.
  process.env.PATH = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;
  const [{ runDemo }, { columns }] = await Promise.all([import("../demo/demo.ts"), import("./format/columns.ts")]);
  const print = (text: string): void => void process.stdout.write(text);
  process.exitCode = await runDemo({ keep: flags.keep ?? false, columns, print });
}
