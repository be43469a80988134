// SPDX-License-Identifier: Apache-2.0
// Follows the file of --config (row 83): what an agent can take up while it runs counts at once, of the rest the log says
// that it waits for the next start. A file that cannot be read changes nothing.

import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { DirectoryWatch } from "../../source/directory-watch.ts";
import { stampOf } from "../../source/file-round.ts";
import { UsageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type AgentFlags, type AgentOptions, agentOptions, type FileFlags } from "../options.ts";
import { type ReadConfig, readConfig } from "./config-file.ts";
import { readText } from "./document.ts";
import { FIELDS } from "./fields.ts";

/** A file is read when it has not been written for so long: editors write in several steps. */
const SETTLE_MS = 100;

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
  readonly #watch: DirectoryWatch;
  #timer: NodeJS.Timeout | undefined;
  /** Of the file, when it was last looked at; it may have changed since the start. */
  #stamp = "";
  #text: string;
  /** As the agent works now. */
  #flags: AgentFlags;
  /** Error code of what is wrong with the directory. */
  #trouble: string | undefined;

  /** apply: takes up what may change while the agent runs. */
  constructor(file: ConfigFile, apply: (options: AgentOptions) => void, log: Log) {
    this.#file = file;
    this.#text = file.text;
    this.#flags = file.flags;
    this.#apply = apply;
    this.#log = log;
    // A ConfigMap's file is a link through `..data`, which kubelet replaces: any sign in the directory may be one of it.
    this.#watch = new DirectoryWatch(dirname(file.path), {
      onSign: () => this.#look(),
      onLook: () => this.#look(),
      onTrouble: (error) => this.#tellTrouble(error),
    });
    void this.#watch.look();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#watch[Symbol.dispose]();
  }

  #look(): void {
    const stamp = stampOf(this.#file.path);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#reload(), SETTLE_MS);
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
      this.#flags = Object.fromEntries(taken) as unknown as AgentFlags; // each key keeps its kind of value
      this.#apply(agentOptions(this.#flags));
      this.#log.info({ changed: names(live) }, `${this.#file.path} is in force as it is now`);
    }
    if (later.length > 0) this.#log.warn(`${this.#file.path}: takes effect at the next start: ${names(later)}`);
  }

  #tellTrouble(error: NodeJS.ErrnoException | undefined): void {
    if (error && error.code !== this.#trouble) {
      this.#log.warn(
        `${dirname(this.#file.path)} cannot be watched for changes of the configuration: ${error.message}`,
      );
    }
    this.#trouble = error?.code;
  }
}

function keysOf(flags: AgentFlags): readonly (keyof AgentFlags)[] {
  return Object.keys(flags) as (keyof AgentFlags)[];
}

function valueIn(flags: AgentFlags): (flag: keyof AgentFlags) => [string, unknown] {
  return (flag) => [flag, flags[flag]];
}
