// SPDX-License-Identifier: Apache-2.0
// The one cell in which the agent says who it is and how far it got; the CLI reads it with the agent stopped too.

import type { BpfMap } from "../../libbpf/types.ts";
import * as abi from "./abi.gen.ts";
import { decode, encode } from "./codec.ts";

const KEY = new Uint8Array(4);

export class AgentStateCell {
  readonly #map: BpfMap;
  #state: abi.AgentState;

  /** Begins with what the last agent said. */
  constructor(map: BpfMap) {
    this.#map = map;
    this.#state = decode(abi.agentState, map.lookup(KEY) ?? new Uint8Array(abi.agentState.size));
  }

  get state(): abi.AgentState {
    return this.#state;
  }

  update(change: Partial<abi.AgentState>): void {
    this.#state = { ...this.#state, ...change };
    this.#map.update(KEY, encode(abi.agentState, this.#state));
  }
}
