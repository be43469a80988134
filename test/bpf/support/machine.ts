// SPDX-License-Identifier: Apache-2.0
// A node for test runs: a child process in a network namespace of its own, with devices and routes.

import { fileURLToPath } from "node:url";
import { bpfDirectory } from "../../../src/datapath/ebpf/programs.ts";
import { NamespaceProcess } from "../../support/namespace-process.ts";
import type { FuzzPlan, FuzzReport } from "./fuzz/fuzz.ts";

export type Entry = readonly [key: Uint8Array, value: Uint8Array];

export interface LoadOptions {
  /** `const volatile` variables of bpf/config.bpf.h, host order */
  readonly rodata: Readonly<Record<string, Uint8Array>>;
  /** max_entries by map */
  readonly sizes: Readonly<Record<string, number>>;
}

export type Hook = "ingress" | "egress" | "xdp";

export interface Packet {
  readonly program: `pt_${Hook}`;
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
  | { readonly do: "handOn"; readonly handle: number; readonly to: number }
  | { readonly do: "fuzz"; readonly handle: number; readonly plan: FuzzPlan }
  | { readonly do: "listen"; readonly proto: "tcp" | "udp"; readonly address: string; readonly port: number }
  | { readonly do: "closeSockets" }
  | { readonly do: "command"; readonly argv: readonly string[] };

export interface Reply {
  /** Index of the loaded copy. */
  load: number;
  /** verdict: TC_ACT_*, signed; XDP's own. */
  run: { readonly verdict: number; readonly data: Uint8Array; readonly mark: number };
  write: undefined;
  remove: readonly boolean[];
  entries: readonly Entry[];
  /** Names the tc programs of another copy as those of the layout before. */
  handOn: undefined;
  fuzz: FuzzReport;
  /** struct sweep_report */
  sweep: Uint8Array;
  listen: undefined;
  closeSockets: undefined;
  command: string;
}

export class Machine implements AsyncDisposable {
  readonly #child: NamespaceProcess;

  private constructor(child: NamespaceProcess) {
    this.#child = child;
  }

  static async start(): Promise<Machine> {
    return new Machine(await NamespaceProcess.start(fileURLToPath(new URL("machine-child.ts", import.meta.url))));
  }

  /** Rejects with the child's error and stack. */
  ask<A extends Ask>(ask: A): Promise<Reply[A["do"]]> {
    return this.#child.ask(ask) as Promise<Reply[A["do"]]>;
  }

  /** Loads tc.bpf.o and, over the same maps, sweep.bpf.o and xdp.bpf.o. */
  load(options: LoadOptions): Promise<number> {
    return this.ask({ do: "load", directory: bpfDirectory(), options });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child[Symbol.asyncDispose]();
  }
}
