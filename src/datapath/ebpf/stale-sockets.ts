// SPDX-License-Identifier: Apache-2.0
// Takes connected sockets off endpoints that serve no more, in every network namespace of the node. Which those are
// the program finds out by itself, from the maps that say what serves; here is only when it runs, and where.

import type { BpfProgram } from "../../libbpf/types.ts";
import type { Namespaces } from "./namespaces.ts";
import type { RcuSync } from "./reclaim.ts";

/** From one pass to the next, however many changes there are: so long at least, and as long as the pass took. */
const GAP_MS = 1000;

/** It has gone, with its sockets; or a file beside the mounts is none. */
const NO_NAMESPACE: ReadonlySet<string> = new Set(["ENOENT", "ESRCH", "EINVAL"]);

/** struct left_socket in bpf/leave.bpf.c */
const LEFT_SOCKET_BYTES = 52;

export type SocketProtocol = "UDP" | "TCP";

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

/** One for each protocol: it goes through the sockets of a network namespace. */
export type SocketPrograms = Readonly<Record<SocketProtocol, Pick<BpfProgram, "iterate">>>;

export class StaleSockets implements Disposable {
  readonly #programs: SocketPrograms;
  readonly #options: StaleSocketsOptions;
  readonly #passes: Record<SocketProtocol, number> = { UDP: 0, TCP: 0 };
  /** A pass is under way, or it is too early for the next. */
  #busy = false;
  #gap: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(programs: SocketPrograms, options: StaleSocketsOptions) {
    this.#programs = programs;
    this.#options = options;
  }

  /** After an endpoint of a Service whose flows leave it has gone from the maps. */
  look(protocol: SocketProtocol): void {
    // A connect() that chose before the change may still be on its way when the first pass goes by.
    this.#passes[protocol] = 2;
    if (!this.#busy) void this.#run();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#gap);
  }

  async #run(): Promise<void> {
    this.#busy = true;
    const due = this.#due();
    for (const protocol of due) this.#passes[protocol]--;
    const began = performance.now();
    await this.#pass(due).then(this.#options.onPass, this.#options.onError);
    if (this.#closed) return;
    this.#gap = setTimeout(
      () => {
        this.#busy = false;
        if (this.#due().length > 0) void this.#run();
      },
      Math.max(GAP_MS, performance.now() - began),
    );
  }

  #due(): readonly SocketProtocol[] {
    return (["UDP", "TCP"] as const).filter((protocol) => this.#passes[protocol] > 0);
  }

  /** What fails in one namespace leaves none of the others out. */
  async #pass(due: readonly SocketProtocol[]): Promise<SocketPass> {
    await this.#options.rcuSync(); // hooks that began before the change have made their choice
    const { paths, hidden } = this.#options.namespaces();
    const failures: unknown[] = [];
    let sockets = 0;
    // The kernel has one table of TCP's sockets for all namespaces: each of them is a way through the whole of it.
    for (const [protocol, ways] of due.flatMap((protocol) => paths.map((ways) => [protocol, ways] as const))) {
      if (this.#closed) break;
      try {
        sockets += (await this.#lookIn(ways, protocol)) / LEFT_SOCKET_BYTES;
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) {
      throw new AggregateError(failures, `${failures.length} of ${paths.length} namespaces: ${String(failures[0])}`);
    }
    return { sockets, namespaces: paths.length, hidden };
  }

  /** How many bytes the program wrote, by the first way that is there; 0: the namespace has gone. */
  async #lookIn(ways: readonly string[], protocol: SocketProtocol): Promise<number> {
    for (const path of ways) {
      try {
        return (await this.#programs[protocol].iterate(path, this.#options.byReader)).length;
      } catch (error) {
        if (!NO_NAMESPACE.has((error as { code?: string }).code ?? "")) throw error;
      }
    }
    return 0;
  }
}
