// SPDX-License-Identifier: Apache-2.0
// Follows the file of --config (row 83): what an agent can take up while it runs counts at once, of the rest the log says
// that it waits for the next start. A file that cannot be read changes nothing.

import { isDeepStrictEqual } from "node:util";
import { stampOf } from "../../source/file-round.ts";
import { UsageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type AgentFlags, type AgentOptions, agentOptions, type FileFlags } from "../options.ts";
import { type ReadConfig, readConfig } from "./config-file.ts";
import { readText } from "./document.ts";
import { FIELDS } from "./fields.ts";

/**
 * Between two looks at the file, which tell whether it is another one: whoever wrote it, moved it there, or moved the
 * directory that it is reached through, as kubelet does with a ConfigMap's `..data`. inotify would miss some of that.
 */
const LOOK_MS = 500;

const LIVE: ReadonlySet<string> = new Set(FIELDS.filter(({ live }) => live).map(({ flag }) => flag));

export interface ConfigFile {
  /** Absolute. */
  readonly path: string;
  /** As it was read at the start. */
  readonly text: string;
  /** The command line, with what the file said then. */
  readonly flags: AgentFlags;
  /** The command line, with what it says now. */
  merge(file: FileFlags): AgentFlags;
}

export class ConfigFollower implements Disposable {
  readonly #file: ConfigFile;
  readonly #apply: (options: AgentOptions) => void;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  /** Of the file, at the last look. */
  #seen: string | undefined;
  /** Of the file, when it was last read; it may have changed since the start. */
  #read: string | undefined;
  #text: string;
  /** As the agent works now. */
  #flags: AgentFlags;

  /** apply: takes up what may change while the agent runs. */
  constructor(file: ConfigFile, apply: (options: AgentOptions) => void, log: Log, lookMs: number = LOOK_MS) {
    this.#file = file;
    this.#text = file.text;
    this.#flags = file.flags;
    this.#apply = apply;
    this.#log = log;
    this.#timer = setInterval(() => this.#look(), lookMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Reads it once it stays as it is: editors write in several steps. */
  #look(): void {
    const stamp = stampOf(this.#file.path);
    if (stamp !== this.#seen) this.#seen = stamp;
    else if (stamp !== this.#read) {
      this.#read = stamp;
      this.#reload();
    }
  }

  #reload(): void {
    const { path } = this.#file;
    try {
      const text = readText(path);
      if (text === this.#text) return;
      this.#text = text;
      const config = readConfig(path, text);
      const wanted = this.#file.merge(config.flags);
      agentOptions(wanted); // refuses what does not go together
      for (const warning of config.warnings) this.#log.warn(warning);
      this.#take(wanted, config.nameOf);
    } catch (error) {
      const stays = "the agent goes on as it was";
      if (error instanceof UsageError) this.#log.error(`${error.message}; ${stays}`);
      else this.#log.error({ err: error }, `${path} could not be taken up; ${stays}`);
    }
  }

  #take(wanted: AgentFlags, nameOf: ReadConfig["nameOf"]): void {
    const all = new Set([...keysOf(wanted), ...keysOf(this.#flags)]);
    const changed = [...all].filter((flag) => !isDeepStrictEqual(wanted[flag], this.#flags[flag]));
    const [live, later] = [changed.filter((flag) => LIVE.has(flag)), changed.filter((flag) => !LIVE.has(flag))];
    const names = (flags: readonly (keyof AgentFlags)[]) => flags.map(nameOf).sort().join(", ");
    if (live.length > 0) {
      const taken = new Map<string, unknown>([...Object.entries(this.#flags), ...live.map(valueIn(wanted))]);
      const flags = Object.fromEntries(taken) as unknown as AgentFlags; // each key keeps its kind of value
      this.#apply(agentOptions(flags));
      this.#flags = flags;
      this.#log.info({ changed: names(live) }, `${this.#file.path} is in force as it is now`);
    }
    if (later.length > 0) this.#log.warn(`${this.#file.path}: takes effect at the next start: ${names(later)}`);
  }
}

function keysOf(flags: AgentFlags): readonly (keyof AgentFlags)[] {
  return Object.keys(flags) as (keyof AgentFlags)[];
}

function valueIn(flags: AgentFlags): (flag: keyof AgentFlags) => [string, unknown] {
  return (flag) => [flag, flags[flag]];
}
