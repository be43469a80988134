// SPDX-License-Identifier: Apache-2.0
// The node_addrs map: the addresses of this node, and which of them serve NodePorts.

import type { BpfMap } from "../../libbpf/types.ts";
import { type Ip, ipFromBytes, ipToBytes } from "../../model/ip.ts";
import type { NodeAddress } from "../contract.ts";
import * as abi from "./abi.gen.ts";
import { decode, encode } from "./codec.ts";
import { MapFullError } from "./errors.ts";

const { NODE_ADDR_NODEPORT, NODE_ADDR_LOOPBACK } = abi.NodeAddrFlags;

export class NodeAddressTable {
  readonly #map: BpfMap;
  /** Address bytes as latin1 → flags, as in the map */
  readonly #flags = new Map<string, number>();

  constructor(map: BpfMap) {
    this.#map = map;
  }

  adopt(): void {
    for (const [key, value] of this.#map.entries()) {
      this.#flags.set(Buffer.from(key).toString("latin1"), decode(abi.nodeAddr, value).flags);
    }
  }

  /** Those that serve NodePorts, as the map says. */
  serving(): readonly Ip[] {
    const serving = [...this.#flags].filter(([, flags]) => (flags & NODE_ADDR_NODEPORT) !== 0);
    return serving.map(([id]) => ipFromBytes(Buffer.from(id, "latin1")));
  }

  /** Makes the map say exactly this: new addresses first, then gone ones. Throws MapFullError before any write. */
  replace(addresses: readonly NodeAddress[]): void {
    const wanted = new Map<string, number>();
    for (const { address, loopback, nodePort } of addresses) {
      const flags = (nodePort ? NODE_ADDR_NODEPORT : 0) | (loopback ? NODE_ADDR_LOOPBACK : 0);
      wanted.set(Buffer.from(ipToBytes(address)).toString("latin1"), flags);
    }
    if (wanted.size > this.#map.maxEntries) {
      throw new MapFullError("node_addrs", this.#map.maxEntries, `${wanted.size} addresses`);
    }
    for (const [id, flags] of wanted) {
      if (this.#flags.get(id) === flags) continue;
      this.#map.update(Buffer.from(id, "latin1"), encode(abi.nodeAddr, { flags }));
      this.#flags.set(id, flags);
    }
    for (const id of [...this.#flags.keys()]) {
      if (wanted.has(id)) continue;
      this.#map.delete(Buffer.from(id, "latin1"));
      this.#flags.delete(id);
    }
  }
}
