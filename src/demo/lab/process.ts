// SPDX-License-Identifier: Apache-2.0
// A long-running process of the lab: its output kept, its end awaited, stopped by its own pid.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { LabError } from "./errors.ts";

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class LabProcess {
  readonly name: string;
  readonly pid: number;
  /** Resolves when the process has ended and its output is read: to the end of all who inherited it. */
  readonly exited: Promise<Exit>;
  stdout = "";
  stderr = "";
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #listeners = new Set<() => void>();
  readonly #ended: Promise<Exit>;
  #exit: Exit | undefined;

  /** In a process group of its own, so that Ctrl-C in the terminal reaches the lab, which then stops it in order. */
  constructor(name: string, argv: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const [command = "", ...args] = argv;
    this.name = name;
    this.#child = spawn(command, args, { stdio: "pipe", detached: true, env: { ...process.env, ...environment } });
    if (this.#child.pid === undefined) throw new LabError(`cannot start ${name}: ${argv.join(" ")}`);
    this.pid = this.#child.pid;
    this.#child.stdin.on("error", () => {}); // the process is gone: `exited` says so
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#changed();
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#changed();
    });
    this.#ended = new Promise((resolve) => {
      this.#child.on("exit", (code, signal) => resolve({ code, signal }));
    });
    this.exited = new Promise((resolve) => {
      this.#child.on("close", (code, signal) => {
        this.#exit = { code, signal };
        this.#changed();
        resolve(this.#exit);
      });
    });
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Calls back after every piece of output and at the end; returns what to call to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Waits until the output (stdout, then stderr) matches; rejects with all output when the process ends or time is up. */
  waitForOutput(pattern: RegExp, timeoutMs = 10_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (error?: string) => {
        clearTimeout(timer);
        stop();
        if (error === undefined) resolve();
        else reject(new LabError(`${this.name}: ${error}\n${this.stdout}${this.stderr}`));
      };
      const check = () => {
        if (pattern.test(this.stdout) || pattern.test(this.stderr)) finish();
        else if (this.#exit !== undefined)
          finish(`ended (${this.#exit.code ?? this.#exit.signal}) before it said ${pattern}`);
      };
      const timer = setTimeout(() => finish(`did not say ${pattern} within ${timeoutMs} ms`), timeoutMs);
      const stop = this.onChange(check);
      check();
    });
  }

  /** Sends the signal, then SIGKILL if it has not ended within the grace time; resolves when it has. */
  async stop(signal: NodeJS.Signals = "SIGTERM", graceMs = 3000): Promise<Exit> {
    if (this.#exit !== undefined) return this.#exit;
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), graceMs);
    const exit = await this.#ended;
    clearTimeout(timer);
    return exit;
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
