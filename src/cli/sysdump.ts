// SPDX-License-Identifier: Apache-2.0
// `portolan sysdump`: what support asks for, in one archive. Works with the agent dead, and says what could not be had.

import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { hostname } from "node:os";
import type { Writable } from "node:stream";
import { Command, Option } from "commander";
import { UsageError } from "../agent/errors.ts";
import type { IndexLine } from "../sysdump/part.ts";
import { parseCount } from "./flags.ts";
import { addStateOptions, type StateOptions } from "./inspect-options.ts";
import type { OpenedState } from "./inspect-state.ts";

const FLOWS = 10_000;
const FLOW_LIMITS: readonly [min: number, max: number] = [0, 1_000_000];

/** Of a node's name in the archive's: paths in a tar file have 100 bytes. */
const NAME_LENGTH = 32;

interface SysdumpOptions extends StateOptions {
  readonly flows: number;
}

export function sysdumpCommand(): Command {
  const command = new Command("sysdump")
    .description("State, log, metrics and the node around them in one tar.gz, for whoever is to help. No secrets.")
    .argument("[file]", "where to; - is stdout (default: portolan-sysdump-NODE-TIME.tar.gz)")
    .addOption(
      new Option("--flows <n>", "so many connections at most").argParser(parseCount(...FLOW_LIMITS)).default(FLOWS),
    );
  return addStateOptions(command).action(run);
}

async function run(file: string | undefined, { bpffs, stateDir, flows }: SysdumpOptions): Promise<void> {
  const [{ openInspection }, { pinsUnder }, { VERSION }, sysdump] = await Promise.all([
    import("./inspect-state.ts"),
    import("../datapath/ebpf/pins.ts"),
    import("../agent/version.ts"),
    import("../sysdump/sysdump.ts"),
  ]);
  const inspection = lazily(() => openInspection({ bpffs, stateDir }));
  const name = `portolan-sysdump-${nodeName(inspection)}-${new Date().toISOString().replace(/[-:]|\.\d+/g, "")}`;
  const path = file ?? `${name}.tar.gz`;
  const out = await openFile(path);
  const parts = sysdump.parts({ open: inspection, pins: pinsUnder(bpffs), stateDir, flows, version: VERSION });
  const index = await sysdump.writeArchive(parts, name, out);
  if (path !== "-") process.stdout.write(`${path}\n`);
  process.stderr.write(missingText(index));
}

/** Once; what was thrown is thrown again to whoever asks. The process ends before anybody closes it. */
function lazily(openState: () => OpenedState): () => OpenedState {
  let opened: OpenedState | undefined;
  return () => {
    opened ??= openState();
    return opened;
  };
}

/** Fit for a file's name. */
function nodeName(inspection: () => OpenedState): string {
  let name = "";
  try {
    name = inspection().state.agent()?.nodeName ?? "";
  } catch {
    // Every part of the state says why in its place.
  }
  return (name || hostname()).replace(/[^\w.-]/g, "_").slice(0, NAME_LENGTH);
}

/** Throws UsageError for what cannot be written. */
async function openFile(path: string): Promise<Writable> {
  if (path === "-") {
    if (process.stdout.isTTY) throw new UsageError("-: an archive is nothing for a terminal: name a file, or a pipe");
    return process.stdout;
  }
  try {
    const handle = await open(path, "w", 0o600);
    return createWriteStream(path, { fd: handle });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`${path} cannot be written: ${reason}; name another file, or - for stdout`, { cause });
  }
}

function missingText(index: readonly IndexLine[]): string {
  const missing = index.filter(({ error }) => error !== null);
  const lines = missing.map(({ file, error }) => `  ${file}: ${error?.split("\n")[0]}\n`);
  const not = missing.length === 0 ? "all is in it" : `${missing.length} could not be had, or not whole:`;
  return `portolan: of ${index.length} parts ${not}\n${lines.join("")}`;
}
