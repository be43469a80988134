// SPDX-License-Identifier: Apache-2.0
// Takes connected UDP sockets off endpoints that serve no more, in every network namespace of the node. Which those are
// the program finds out by itself, from the maps that say what serves; here is only when it runs, and where.

import type { BpfProgram } from "../../libbpf/types.ts";
import type { Namespaces } from "./namespaces.ts";
import type { RcuSync } from "./reclaim.ts";

/** From one pass to the next, however many changes there are. */
const GAP_MS = 1000;

/** It has gone, with its sockets; or a file beside the mounts is none. */
const NO_NAMESPACE: ReadonlySet<string> = new Set(["ENOENT", "ESRCH", "EINVAL"]);

/** struct left_socket in bpf/leave.bpf.c */
const LEFT_SOCKET_BYTES = 52;

/** What one pass over all namespaces did. */
export interface SocketPass {
  /** Sockets that were taken away; their owners got ECONNABORTED. */
  readonly sockets: number;
  readonly namespaces: number;
  /** Processes whose namespace could not be seen. */
  readonly hidden: number;
}

export interface SocketPassListener {
  readonly onPass: (pass: SocketPass) => void;
  readonly onError: (error: unknown) => void;
}

export interface StaleSocketsOptions extends SocketPassListener {
  readonly rcuSync: RcuSync;
  readonly namespaces: () => Namespaces;
  /** The program only names sockets; whoever reads it destroys them. */
  readonly byReader: boolean;
}

export class StaleSockets implements Disposable {
  readonly #program: Pick<BpfProgram, "iterate">;
  readonly #options: StaleSocketsOptions;
  #passes = 0;
  /** A pass is under way, or it is too early for the next. */
  #busy = false;
  #gap: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(program: Pick<BpfProgram, "iterate">, options: StaleSocketsOptions) {
    this.#program = program;
    this.#options = options;
  }

  /** After an endpoint of a UDP Service has gone from the maps. */
  look(): void {
    // A connect() that chose before the change may still be on its way when the first pass goes by.
    this.#passes = 2;
    if (!this.#busy) void this.#run();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#gap);
  }

  async #run(): Promise<void> {
    this.#busy = true;
    this.#passes--;
    await this.#pass().then(this.#options.onPass, this.#options.onError);
    if (this.#closed) return;
    this.#gap = setTimeout(() => {
      this.#busy = false;
      if (this.#passes > 0) void this.#run();
    }, GAP_MS);
  }

  /** What fails in one namespace leaves none of the others out. */
  async #pass(): Promise<SocketPass> {
    await this.#options.rcuSync(); // hooks that began before the change have made their choice
    const { paths, hidden } = this.#options.namespaces();
    const failures: unknown[] = [];
    let sockets = 0;
    for (const path of paths) {
      if (this.#closed) break;
      try {
        const written = await this.#program.iterate(path, this.#options.byReader);
        sockets += written.length / LEFT_SOCKET_BYTES;
      } catch (error) {
        if (!NO_NAMESPACE.has((error as { code?: string }).code ?? "")) failures.push(error);
      }
    }
    if (failures.length > 0) {
      throw new AggregateError(failures, `${failures.length} of ${paths.length} namespaces: ${String(failures[0])}`);
    }
    return { sockets, namespaces: paths.length, hidden };
  }
}
