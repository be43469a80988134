// SPDX-License-Identifier: Apache-2.0
// `portolan dns`: what cluster DNS holds for Services. Exit status 1 when a name is asked for that has no record.

import { Command, InvalidArgumentError, Option } from "commander";
import type { SourceFlags } from "../agent/source-options.ts";
import type { DnsRow } from "../inspect/rows.ts";
import { addSourceOptions, readCluster } from "./cluster-services.ts";
import { type Listing, OUTPUT_FORMATS, type OutputFormat, renderListing } from "./format/listing.ts";
import { readPinned } from "./inspect-env.ts";
import { addStateOptions, type StateOptions } from "./inspect-options.ts";
import { EXIT_NO } from "./run.ts";

const LISTING: Listing<DnsRow> = {
  name: (row) => row.name,
  columns: [
    { header: "NAME", cell: (row) => row.name },
    { header: "TYPE", cell: (row) => row.type },
    { header: "VALUE", cell: (row) => row.value },
    { header: "SERVICE", cell: (row) => row.service ?? "" },
  ],
};

interface DnsOptions extends StateOptions, SourceFlags {
  readonly output: OutputFormat;
  readonly clusterDomain: string;
  readonly namespace?: string;
}

export function dnsCommand(): Command {
  const command = new Command("dns")
    .description("The records that cluster DNS holds for Services: all, or those of a name or address.")
    .argument("[name]", "as a pod would ask: web, web.shop, _http._tcp.web.shop, 10.96.0.10")
    .addOption(new Option("-o, --output <format>", "how to print").choices(OUTPUT_FORMATS).default("table"))
    .option("-n, --namespace <namespace>", "of the pod that asks; without a name: only Services of it")
    .addOption(new Option("--cluster-domain <zone>", "kubelet's").argParser(parseZone).default("cluster.local"));
  return addStateOptions(addSourceOptions(command)).action(run);
}

async function run(name: string | undefined, options: DnsOptions): Promise<void> {
  const { dnsRecords, lookUp } = await import("../inspect/dns-records.ts");
  const { clusterDomain: zone, namespace } = options;
  const cluster = await readCluster(options);
  const all = cluster
    ? dnsRecords(cluster.services, cluster.slices, zone)
    : dnsRecords(await readPinned(options), [], zone);
  const rows = name === undefined ? all.filter(isOf(namespace)) : lookUp(all, name, zone, namespace);
  if (name !== undefined && rows.length === 0) {
    process.stderr.write(`portolan: ${name}: no such record\n`);
    process.exitCode = EXIT_NO;
  }
  process.stdout.write(renderListing(LISTING, rows, options.output));
}

function isOf(namespace: string | undefined): (row: DnsRow) => boolean {
  return ({ service }) => namespace === undefined || (service?.startsWith(`${namespace}/`) ?? false);
}

function parseZone(value: string): string {
  const zone = value.replace(/\.$/, "");
  if (/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/i.test(zone)) return zone;
  throw new InvalidArgumentError("give a domain such as cluster.local.");
}
