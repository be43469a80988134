// SPDX-License-Identifier: Apache-2.0
// Flags that every listing takes, and the loop that prints it once or, with --watch, whenever it changes.

import { setTimeout as delay } from "node:timers/promises";
import { type Command, Option } from "commander";
import type { RowFilter } from "../inspect/filter.ts";
import { bpffsOption, stateDirOption } from "./flags.ts";
import { OUTPUT_FORMATS, type OutputFormat } from "./format/listing.ts";

const WATCH_INTERVAL_MS = 1000;
const CLEAR_SCREEN = "\u001b[H\u001b[2J";

export interface StateOptions {
  readonly bpffs: string;
  readonly stateDir: string;
}

export interface ListingOptions extends StateOptions, RowFilter {
  readonly output: OutputFormat;
  readonly watch?: boolean;
}

export function addStateOptions(command: Command): Command {
  return command.addOption(bpffsOption()).addOption(stateDirOption());
}

export function addListingOptions(command: Command): Command {
  return addFilterOptions(command).option("--watch", "print again whenever it changes, until interrupted");
}

/** Of a command that looks once. */
export function addFilterOptions(command: Command): Command {
  command
    .addOption(new Option("-o, --output <format>", "how to print").choices(OUTPUT_FORMATS).default("table"))
    .option("-n, --namespace <namespace>", "only Services of this namespace")
    .option("--service <name>", "only this Service: [NAMESPACE/]NAME[:PORT]")
    .option("--address <address>", "only entries with this address, or address:port")
    .addOption(
      new Option("--protocol <protocol>", "only this protocol").choices(["tcp", "udp", "sctp", "TCP", "UDP", "SCTP"]),
    );
  return addStateOptions(command);
}

/** Prints once; with watch on a terminal it repaints, elsewhere every changed state is printed whole. */
export async function printOrWatch(read: () => string | Promise<string>, watch: boolean): Promise<void> {
  let shown = await read();
  if (!watch) {
    process.stdout.write(shown);
    return;
  }
  const clear = process.stdout.isTTY ? CLEAR_SCREEN : "";
  process.stdout.write(clear + shown);
  for (;;) {
    await delay(WATCH_INTERVAL_MS);
    const now = await read();
    if (now === shown) continue;
    shown = now;
    process.stdout.write(clear + shown);
  }
}
