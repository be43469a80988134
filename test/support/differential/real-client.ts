// SPDX-License-Identifier: Apache-2.0
// A network namespace with processes of one kind, the node's own or a pod's: real sockets, and packets through the real
// tc program, over the explained node's maps.

import { fileURLToPath } from "node:url";
import { NamespaceProcess } from "../namespace-process.ts";
import { TestCgroup } from "../socket-datapath.ts";
import type { Dial, Heard, Server } from "./dial.ts";

/** Indexes of the devices by which clients outside and pods come in, and the MAC of both. */
export const DEVICES = { outside: 1001, pod: 1003 } as const;
export const MAC = "02:00:00:00:10:01";

export type RealAsk =
  | { readonly do: "cookie" }
  | { readonly do: "enter"; readonly cgroup: string }
  | { readonly do: "run"; readonly pin: string; readonly ifindex: number; readonly data: Uint8Array }
  | { readonly do: "dial"; readonly servers: readonly Server[]; readonly dials: readonly Dial[] };

/** verdict: TC_ACT_*, signed. */
export interface Ran {
  readonly verdict: number;
  readonly data: Uint8Array;
}

export class RealClient implements AsyncDisposable {
  readonly cookie: bigint;
  readonly #process: NamespaceProcess;
  readonly #cgroup: TestCgroup;

  private constructor(started: NamespaceProcess, cgroup: TestCgroup, cookie: bigint) {
    this.#process = started;
    this.#cgroup = cgroup;
    this.cookie = cookie;
  }

  static async start(name: string): Promise<RealClient> {
    const started = await NamespaceProcess.start(fileURLToPath(new URL("real-child.ts", import.meta.url)));
    const ask = (asked: RealAsk) => started.ask(asked);
    const cgroup = new TestCgroup(`differential-${name}`);
    await ask({ do: "enter", cgroup: cgroup.path });
    return new RealClient(started, cgroup, (await ask({ do: "cookie" })) as bigint);
  }

  /** Where its sockets live. */
  get cgroup(): string {
    return this.#cgroup.path;
  }

  /** A packet that comes in by a device, for the program pinned there. */
  run(pin: string, ifindex: number, data: Uint8Array): Promise<Ran> {
    return this.#ask({ do: "run", pin, ifindex, data }) as Promise<Ran>;
  }

  /** Each by a socket of its own, one after the other. */
  dial(servers: readonly Server[], dials: readonly Dial[]): Promise<readonly Heard[]> {
    return this.#ask({ do: "dial", servers, dials }) as Promise<readonly Heard[]>;
  }

  #ask(ask: RealAsk): Promise<unknown> {
    return this.#process.ask(ask);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    this.#cgroup[Symbol.dispose]();
  }
}
