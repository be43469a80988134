// SPDX-License-Identifier: Apache-2.0
// `portolan env`: the variables by which a pod that is started now would be told of Services.

import { Command, Option } from "commander";
import type { SourceFlags } from "../agent/source-options.ts";
import type { NamedService } from "../inspect/pod-env.ts";
import type { EnvRow } from "../inspect/rows.ts";
import { addSourceOptions, readCluster } from "./cluster-services.ts";
import { type Listing, OUTPUT_FORMATS, type OutputFormat, renderListing } from "./format/listing.ts";
import { addStateOptions, type StateOptions } from "./inspect-options.ts";

const LISTING: Listing<EnvRow> = {
  name: (row) => row.name,
  columns: [
    { header: "NAME", cell: (row) => row.name },
    { header: "VALUE", cell: (row) => row.value },
    { header: "SERVICE", cell: (row) => row.service },
  ],
};

interface EnvOptions extends StateOptions, SourceFlags {
  readonly output: OutputFormat;
  readonly serviceLinks: boolean;
}

export function envCommand(): Command {
  const command = new Command("env")
    .description("The variables of Services that a pod started now in this namespace would get.")
    .argument("<pod-namespace>", "the pod's")
    .addOption(new Option("-o, --output <format>", "how to print").choices(OUTPUT_FORMATS).default("table"))
    .option("--no-service-links", "as a pod with enableServiceLinks: false");
  return addStateOptions(addSourceOptions(command)).action(run);
}

async function run(namespace: string, options: EnvOptions): Promise<void> {
  const { contested, podEnv } = await import("../inspect/pod-env.ts");
  const services = (await readCluster(options))?.services ?? (await readPinned(options));
  const rows = podEnv(services, namespace, options.serviceLinks);
  for (const name of contested(rows))
    process.stderr.write(`portolan: ${name}: set by two Services, a pod gets either\n`);
  process.stdout.write(renderListing(LISTING, rows, options.output));
}

/** As the node's datapath knows them; what that does not know goes to stderr. */
export async function readPinned(options: StateOptions): Promise<readonly NamedService[]> {
  const [{ openInspection }, { openRules }, { pinnedServices }] = await Promise.all([
    import("./inspect-state.ts"),
    import("./inspect-rules.ts"),
    import("../inspect/pinned-services.ts"),
  ]);
  const rules = await openRules(options, true);
  using opened = rules ? undefined : openInspection(options);
  const { services, gaps } = opened
    ? pinnedServices(opened.state.services())
    : pinnedServices((await rules?.())?.state.services() ?? [], "agent's rules");
  for (const gap of gaps) process.stderr.write(`portolan: ${gap} (--manifests or --kubeconfig does)\n`);
  return services;
}
