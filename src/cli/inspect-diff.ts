// SPDX-License-Identifier: Apache-2.0
// `portolan diff`: what the source says should be in the kernel against what is there. Exit status 1 if anything differs.

import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { filterRows } from "../inspect/filter.ts";
import type { DifferenceRow } from "../inspect/rows.ts";
import { addSourceOptions } from "./cluster-services.ts";
import type { DesiredFlags } from "./desired-state.ts";
import { type Listing, renderListing } from "./format/listing.ts";
import { addFilterOptions, type ListingOptions } from "./inspect-options.ts";
import { EXIT_NO } from "./run.ts";

/** A change may be on its way: what differs is looked at once more after this, and counts if it is still the same. */
const SECOND_LOOK_MS = 1000;

type DiffOptions = ListingOptions & DesiredFlags;

export const DIFFERENCE_LISTING: Listing<DifferenceRow> = {
  name: (row) => row.service ?? row.name ?? "",
  columns: [
    { header: "SERVICE", cell: (row) => row.service ?? "" },
    { header: "PROTO", cell: (row) => row.protocol },
    { header: "FAMILY", cell: (row) => row.family ?? "" },
    { header: "WHAT", cell: (row) => row.what },
    { header: "NAME", cell: (row) => row.name ?? "" },
    { header: "WANTED", cell: (row) => row.wanted ?? "" },
    { header: "FOUND", cell: (row) => row.found ?? "" },
  ],
};

export function diffCommand(): Command {
  const command = new Command("diff")
    .description("What the Services of the source ask for and the kernel has otherwise: nothing when all is well.")
    .option("--config <file>", "the agent's configuration file, which names its source")
    .option("--node-name <name>", "this node's name in the cluster (default: the agent's)");
  return addFilterOptions(addSourceOptions(command)).action(run);
}

async function run(options: DiffOptions): Promise<void> {
  const [{ openKernel }, { desiredBy, readDesired }, { differences, lasting }] = await Promise.all([
    import("./inspect-kernel.ts"),
    import("./desired-state.ts"),
    import("../inspect/difference.ts"),
  ]);
  using kernel = await openKernel(options);
  const desired = desiredBy(options, kernel.nodeName);
  const said = new Set<string>();
  const look = async (): Promise<readonly DifferenceRow[]> => {
    const { services, warnings } = await readDesired(desired, kernel);
    for (const warning of warnings) if (!said.has(warning)) process.stderr.write(`portolan: ${warning}\n`);
    for (const warning of warnings) said.add(warning);
    return differences(services, await kernel.find());
  };
  let rows = await look();
  if (rows.length > 0) {
    await delay(SECOND_LOOK_MS);
    rows = lasting(rows, await look());
  }
  const shown = filterRows(rows, options, ({ name }) => (name === null ? [] : [name]));
  process.stdout.write(renderListing(DIFFERENCE_LISTING, shown, options.output));
  if (shown.length > 0) process.exitCode = EXIT_NO;
}
