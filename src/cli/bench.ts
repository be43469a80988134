// SPDX-License-Identifier: Apache-2.0
// `portolan bench`: the benchmark harness. One scenario so far.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import type { BenchRecord } from "../bench/record.ts";
import { parseCount } from "./flags.ts";
import { columns } from "./format/columns.ts";

interface SyncFlags {
  readonly services: readonly number[];
  readonly endpoints: number;
  readonly changes: number;
  readonly memory: boolean;
  readonly output: "table" | "json";
  readonly out?: string;
}

/** The size at which the agent's memory is measured. */
const MEMORY_SERVICES = 10_000;

export function benchCommand(): Command {
  return new Command("bench")
    .description("Measure Portolan on this machine. Needs root; everything happens in maps and namespaces of its own.")
    .addCommand(syncCommand())
    .addCommand(readerCommand(), { hidden: true });
}

function syncCommand(): Command {
  return new Command("sync")
    .description("Services into the kernel: first write, changes of one endpoint, restart, the agent's memory.")
    .option("--services <n,...>", "sizes of the cluster", parseSizes, [1000, 10_000, 50_000])
    .option("--endpoints <n>", "endpoints of each Service", parseCount(1, 1000), 10)
    .option("--changes <n>", "changes to measure at each size", parseCount(1, 1_000_000), 1000)
    .option("--no-memory", "leave out the agent's memory")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"))
    .option("--out <dir>", "write the records there as well, as sync.json")
    .action(runSync);
}

/** What `bench sync` starts to read back what it wrote. */
function readerCommand(): Command {
  return new Command("sync-reader").requiredOption("--bpffs <dir>").action(async ({ bpffs }: { bpffs: string }) => {
    const { serveReader } = await import("../bench/sync-reader.ts");
    serveReader(bpffs);
  });
}

async function runSync(flags: SyncFlags): Promise<void> {
  const [{ benchSync }, { benchMemory }, { Lab }] = await Promise.all([
    import("../bench/sync.ts"),
    import("../bench/sync-memory.ts"),
    import("../demo/lab/lab.ts"),
  ]);
  const records: BenchRecord[] = [];
  for (const services of flags.services) {
    process.stderr.write(`sync: ${services} Services of ${flags.endpoints} endpoints\n`);
    await using lab = await Lab.create({ nodes: [{ name: "n1" }], clientRoutes: [] });
    const size = { services, endpoints: flags.endpoints, changes: flags.changes };
    records.push(...(await benchSync(size, lab.node("n1").bpffs, entryPoint())));
  }
  if (flags.memory) {
    process.stderr.write(`sync: memory of an idle agent, ${MEMORY_SERVICES} Services\n`);
    records.push(...(await benchMemory(MEMORY_SERVICES, flags.endpoints)));
  }
  process.stdout.write(flags.output === "json" ? `${JSON.stringify(records, null, 2)}\n` : table(records));
  if (flags.out === undefined) return;
  mkdirSync(flags.out, { recursive: true });
  writeFileSync(join(flags.out, "sync.json"), `${JSON.stringify(records, null, 2)}\n`);
}

/** The bundle, or the entry point of the source. */
function entryPoint(): string {
  const self = fileURLToPath(import.meta.url);
  return self.endsWith(".ts") ? join(import.meta.dirname, "main.ts") : self;
}

function table(records: readonly BenchRecord[]): string {
  return columns(
    ["SCENARIO", "SERVICES", "ENDPOINTS", "METRIC", "VALUE", "UNIT"],
    records.map(({ scenario, params, metric, median, unit }) => [
      scenario,
      String(params.services),
      String(params.endpoints),
      metric,
      String(median),
      unit,
    ]),
  );
}

function parseSizes(value: string): readonly number[] {
  const sizes = value.split(",").map(Number);
  if (sizes.every((size) => Number.isInteger(size) && size >= 1 && size <= 500_000)) return sizes;
  throw new InvalidArgumentError("give numbers of Services, 1 to 500000 each, separated by commas.");
}
