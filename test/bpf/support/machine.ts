// SPDX-License-Identifier: Apache-2.0
// A node for test runs: a child process in a network namespace of its own (unshare), because a test run resolves
// devices, routes and sockets in its caller's. The namespace ends with the child, the child with this process.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { bpfDirectory } from "../../../src/datapath/ebpf/programs.ts";
import type { FuzzPlan, FuzzReport } from "./fuzz/fuzz.ts";

export type Entry = readonly [key: Uint8Array, value: Uint8Array];

export interface LoadOptions {
  /** `const volatile` variables of bpf/config.bpf.h, host order */
  readonly rodata: Readonly<Record<string, Uint8Array>>;
  /** max_entries by map */
  readonly sizes: Readonly<Record<string, number>>;
}

export interface Packet {
  readonly program: "pt_ingress" | "pt_egress";
  readonly ifindex: number;
  readonly mark: number;
  /** Bytes of TCP payload in each of two segments, when the packet stands for both; 0: it is one. */
  readonly gsoSize: number;
  /** from the Ethernet header on */
  readonly data: Uint8Array;
}

/** Every request by its verb, and what comes back. */
export type Ask =
  | { readonly do: "load"; readonly directory: string; readonly options: LoadOptions }
  | { readonly do: "run"; readonly handle: number; readonly packet: Packet }
  | { readonly do: "write"; readonly handle: number; readonly map: string; readonly entries: readonly Entry[] }
  | { readonly do: "remove"; readonly handle: number; readonly map: string; readonly keys: readonly Uint8Array[] }
  | { readonly do: "entries"; readonly handle: number; readonly map: string }
  | { readonly do: "sweep"; readonly handle: number }
  | { readonly do: "fuzz"; readonly handle: number; readonly plan: FuzzPlan }
  | { readonly do: "listen"; readonly proto: "tcp" | "udp"; readonly address: string; readonly port: number }
  | { readonly do: "closeSockets" }
  | { readonly do: "command"; readonly argv: readonly string[] };

export interface Reply {
  /** Index of the loaded copy. */
  load: number;
  /** verdict: TC_ACT_*, signed. */
  run: { readonly verdict: number; readonly data: Uint8Array; readonly mark: number };
  write: undefined;
  remove: readonly boolean[];
  entries: readonly Entry[];
  fuzz: FuzzReport;
  /** struct sweep_report */
  sweep: Uint8Array;
  listen: undefined;
  closeSockets: undefined;
  command: string;
}

export interface Request {
  readonly id: number;
  readonly ask: Ask;
}
type Answer = { readonly id: number; readonly value?: unknown; readonly error?: string };
type Settle = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void };

export class Machine implements AsyncDisposable {
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
      for (const settle of this.#waiting.values()) settle.reject(new Error(`machine ended: ${code ?? signal}`));
      this.#waiting.clear();
    });
  }

  static async start(): Promise<Machine> {
    const script = fileURLToPath(new URL("machine-child.ts", import.meta.url));
    const child = spawn("unshare", ["--net", process.execPath, "--import", "tsx", script], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
    });
    const machine = new Machine(child);
    await new Promise((resolve, reject) => machine.#waiting.set(0, { resolve, reject }));
    return machine;
  }

  /** Rejects with the child's error and stack. */
  ask<A extends Ask>(ask: A): Promise<Reply[A["do"]]> {
    const request: Request = { id: this.#next++, ask };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve: resolve as Settle["resolve"], reject });
      this.#child.send(request);
    });
  }

  /** Loads tc.bpf.o and, over the same maps, sweep.bpf.o. */
  load(options: LoadOptions): Promise<number> {
    return this.ask({ do: "load", directory: bpfDirectory(), options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.disconnect();
    await ended;
  }
}
