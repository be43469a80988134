// SPDX-License-Identifier: Apache-2.0
// Asks programs/arrive.c from a host of the lab, which connects in a loop, when the first connection reached somebody.
import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { Host } from "../../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../../src/demo/lab/process.ts";

export interface Arrival {
  /** By CLOCK_MONOTONIC in nanoseconds, as process.hrtime.bigint(). */
  readonly at: bigint;
  /** Connections begun until then, and those that nobody answered. */
  readonly tries: number;
  readonly failed: number;
}

export class Arrivals {
  readonly #process: LabProcess;
  #lines = 0;

  /** program: the compiled arrive.c. timeoutMs: of one connection. */
  constructor(lab: Lab, host: Host, program: string, timeoutMs: number) {
    this.#process = lab.spawn(host, [program, "watch", String(timeoutMs)]);
  }

  /** One at a time. Resolves once a connection to address:port was answered by one of these addresses. */
  async wait(address: string, port: number, wanted: readonly string[]): Promise<Arrival> {
    const line = this.#lines++;
    this.#process.write(`${address} ${port} ${wanted.join(",")}\n`);
    await this.#process.waitForOutput(new RegExp(`^(\\d+ \\d+ \\d+\\n){${line + 1}}`), 130_000);
    const [at = "0", tries, failed] = (this.#process.stdout.split("\n")[line] ?? "").split(" ");
    if (at === "0")
      throw new Error(`no connection to ${address}:${port} reached ${wanted.join(" or ")} in two minutes`);
    return { at: BigInt(at), tries: Number(tries), failed: Number(failed) };
  }
}
