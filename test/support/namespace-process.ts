// SPDX-License-Identifier: Apache-2.0
// A child process in a network namespace of its own (unshare), because test runs and sockets resolve devices, routes and
// each other in their caller's. The namespace ends with the child, the child with this process.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

type Question = { readonly id: number; readonly ask: unknown };
type Answer = { readonly id: number; readonly value?: unknown; readonly error?: string };
type Settle = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void };

export class NamespaceProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Settle>();
  #next = 1;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (answer: Answer) => {
      const settle = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) settle?.resolve(answer.value);
      else settle?.reject(new Error(answer.error));
    });
    child.on("exit", (code, signal) => {
      for (const settle of this.#waiting.values()) settle.reject(new Error(`child ended: ${code ?? signal}`));
      this.#waiting.clear();
    });
  }

  /** Of a TypeScript file that calls answerParent(). */
  static async start(script: string): Promise<NamespaceProcess> {
    const child = spawn("unshare", ["--net", process.execPath, "--import", "tsx", script], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
    });
    const made = new NamespaceProcess(child);
    await new Promise((resolve, reject) => made.#waiting.set(0, { resolve, reject }));
    return made;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Rejects with the child's error and stack. */
  ask(ask: unknown): Promise<unknown> {
    const question: Question = { id: this.#next++, ask };
    return new Promise((resolve, reject) => {
      this.#waiting.set(question.id, { resolve, reject });
      this.#child.send(question);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.disconnect();
    await ended;
  }
}

/** In the child, once it is ready: answers one question at a time until the parent is gone. */
export function answerParent<Ask>(answer: (ask: Ask) => Promise<unknown>): void {
  process.on("message", ({ id, ask }: { id: number; ask: Ask }) => {
    answer(ask).then(
      (value) => process.send?.({ id, value }),
      (error: unknown) => process.send?.({ id, error: error instanceof Error ? error.stack : String(error) }),
    );
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.({ id: 0, value: "ready" });
}
