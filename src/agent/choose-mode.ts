// SPDX-License-Identifier: Apache-2.0
// Which mode serves this node, and why: the one that is asked for, or the best that the node can.

import { MODES, type Mode } from "../datapath/probe/answer.ts";
import { probeMode, probeModes } from "../datapath/probe/modes.ts";
import { NodeError } from "./errors.ts";
import type { Log } from "./log.ts";
import type { AgentOptions } from "./options.ts";

export interface Choice {
  readonly mode: Mode;
  /** For people: a sentence for each mode that would have been better, or why it is this one. */
  readonly reasons: readonly string[];
}

type Options = Pick<AgentOptions, "mode" | "bpffs" | "cgroupRoot">;

/** unable: modes that looked usable and could not begin, and why. Throws NodeError where the node can serve in none. */
export async function chooseMode(options: Options, unable: ReadonlyMap<Mode, string> = new Map()): Promise<Choice> {
  const asked = MODES.find((mode) => mode === options.mode);
  if (asked === "ebpf") return { mode: asked, reasons: ["--mode ebpf"] }; // what it lacks is said as it begins
  if (asked !== undefined) {
    const { usable, reason } = await probeMode(asked, options);
    if (usable) return { mode: asked, reasons: [`--mode ${asked}`] };
    throw new NodeError(`this node cannot be served in mode ${asked}: ${reason}`);
  }
  const answers = await probeModes(options, unable);
  const best = answers.find(({ usable }) => usable);
  const passed = answers
    .filter(({ usable }) => !usable)
    .map(({ mode, reason }) => `mode ${mode} cannot serve here: ${reason}`);
  if (!best) throw new NodeError(`this node can be served in no mode: ${passed.join("; ")}`);
  return { mode: best.mode, reasons: passed.length > 0 ? passed : [`the best of all, and ${best.reason}`] };
}

/** At each SIGHUP the node is asked again; signal is aborted once another mode than this one is to serve. */
export function reconsiderOnHangup(
  options: Options,
  { mode }: Choice,
  log: Log,
): Disposable & { readonly signal: AbortSignal } {
  const other = new AbortController();
  const ask = async (): Promise<void> => {
    try {
      const choice = await chooseMode(options);
      log.info(
        { mode: choice.mode },
        choice.mode === mode ? "asked again: the mode stays" : "asked again: the mode changes",
      );
      if (choice.mode !== mode) other.abort(`mode ${choice.mode} follows`);
    } catch (error) {
      log.error({ err: error }, "the node could not be asked again, the mode stays");
    }
  };
  const hangup = (): void => void ask();
  process.on("SIGHUP", hangup);
  return { signal: other.signal, [Symbol.dispose]: () => void process.off("SIGHUP", hangup) };
}
