// SPDX-License-Identifier: Apache-2.0
// The way of a change: model → compile → datapath. Nothing that arrives here ends the agent.

import { Compiler } from "../compile/compiler.ts";
import type { CompiledService, Delta, ServiceKey } from "../compile/state.ts";
import type { ApplyReport, Datapath } from "../datapath/contract.ts";
import type { ModelChanges } from "../model/changes.ts";
import type { Log } from "./log.ts";

export class ServiceFollower {
  readonly #compiler: Compiler;
  readonly #datapath: Datapath;
  readonly #log: Log;
  /** What was applied before the state was complete; undefined once it is. */
  #untilSynced: Map<ServiceKey, CompiledService> | undefined = new Map();

  constructor(nodeName: string, datapath: Datapath, log: Log) {
    this.#compiler = new Compiler(nodeName);
    this.#datapath = datapath;
    this.#log = log;
  }

  update(changes: ModelChanges): void {
    try {
      const { delta, warnings } = this.#compiler.update(changes);
      for (const { message } of warnings) this.#log.warn(message);
      const begin = performance.now();
      const report = this.#publish(delta, changes.synced);
      const tookMs = Math.round((performance.now() - begin) * 1000) / 1000;
      this.#log.debug({ ...report, tookMs }, "state published");
    } catch (error) {
      for (const failure of failuresOf(error)) this.#log.error({ err: failure }, "a change could not be published");
    }
  }

  /** The first complete state takes away what an earlier agent left and nobody asks for any more. */
  #publish(delta: Delta, synced: boolean): ApplyReport {
    const before = this.#untilSynced;
    if (!before) return this.#datapath.apply(delta);
    for (const key of delta.remove) before.delete(key);
    for (const service of delta.upsert) before.set(service.key, service);
    if (!synced) return this.#datapath.apply(delta);
    this.#untilSynced = undefined;
    return this.#datapath.sync({ upsert: [...before.values()], remove: [] });
  }
}

function failuresOf(error: unknown): readonly unknown[] {
  return error instanceof AggregateError ? error.errors : [error];
}
