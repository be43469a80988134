// SPDX-License-Identifier: Apache-2.0
// The reading side for the CLI: opens the pinned maps of an agent, running or not, and decodes them.

import { type BpfMap, openPinnedMap } from "../../libbpf/index.ts";
import { ipFromBytes } from "../../model/ip.ts";
import * as abi from "./abi.gen.ts";
import { decode, HOST_LITTLE_ENDIAN } from "./codec.ts";
import { readDrops } from "./counters.ts";
import { mapPin, type Pins, pinsUnder } from "./pins.ts";
import { protocolName } from "./service-plan.ts";
import { ServiceReader } from "./state-services.ts";
import type {
  AffinityState,
  AgentInfo,
  BackendState,
  ClientNetnsState,
  DatapathState,
  DeviceState,
  DropState,
  FlowState,
  FrontendState,
  MapFill,
  NodeAddressState,
  OptedOutState,
  ServiceState,
} from "./state-types.ts";
import { servingLayout } from "./takeover.ts";

/** BPF_MAP_TYPE_LRU_HASH of linux/bpf.h */
const LRU_HASH = 9;

/** There is no datapath where one was looked for. */
export class NoStateError extends Error {
  override readonly name = "NoStateError";
  readonly code = "PORTOLAN_NO_STATE";
}

/** bpffs is what `--bpffs` names. Throws NoStateError when no agent ever pinned its maps there, else BpfError. */
export function openState(bpffs: string): DatapathState {
  const pins = pinsUnder(bpffs);
  const serving = servingLayout(pins) ?? pins.number;
  if (serving === pins.number) return new PinnedState(pins);
  throw new NoStateError(
    `an agent of another version of Portolan serves, with maps of layout v${serving}: ask the command line of that version`,
  );
}

class PinnedState implements DatapathState {
  readonly #pins: Pins;
  readonly #maps = new Map<string, BpfMap>();
  readonly #services: ServiceReader;

  constructor(pins: Pins) {
    this.#pins = pins;
    try {
      this.#services = new ServiceReader((name) => this.#map(name));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  services(): readonly ServiceState[] {
    return this.#services.services();
  }

  frontends(): readonly FrontendState[] {
    return this.#services.frontends();
  }

  backends(): readonly BackendState[] {
    return this.#services.backends();
  }

  *flows(): IterableIterator<FlowState> {
    const answered = this.#map("flows");
    for (const map of [answered, this.#map("nascent")]) {
      for (const [key, value] of map.entries()) {
        const flow = decode(abi.flow, value);
        if (flow.role !== abi.FlowRole.FLOW_OWNER) continue;
        if (map !== answered && answered.lookup(key) !== undefined) continue;
        yield this.#toFlow(flow);
      }
    }
  }

  affinity(): readonly AffinityState[] {
    return [...this.#map("affinity").entries()].map(([keyBytes, value]) => {
      const { client, netns, service } = decode(abi.affinityKey, keyBytes);
      const { backend, port, epoch, lastUsed } = decode(abi.affinity, value);
      return {
        client: netns === 0n ? ipFromBytes(client) : undefined,
        netns,
        serviceId: service,
        epoch,
        backend: ipFromBytes(backend),
        backendPort: port,
        lastUsed,
      };
    });
  }

  clientNetns(): readonly ClientNetnsState[] {
    return [...this.#map("client_netns").entries()].map(([key, value]) => ({
      address: ipFromBytes(key),
      netns: decode(abi.clientNetns, value).cookie,
    }));
  }

  optedOut(): readonly OptedOutState[] {
    return [...this.#map("opted_out").entries()].map(([key, value]) => {
      const { namespace, pod, addr4, addr6 } = decode(abi.optOut, value);
      const by = decode(abi.optOutKey, key).level === abi.OptOutLevel.OPT_OUT_NETNS ? "netns" : "cgroup";
      const addresses = [addr4, addr6].filter((bytes) => bytes.some((byte) => byte !== 0)).map(ipFromBytes);
      return { namespace, name: pod, by, addresses };
    });
  }

  drops(): readonly DropState[] {
    return readDrops(this.#map("drops"));
  }

  devices(): readonly DeviceState[] {
    return [...this.#map("devices").entries()].map(([key, value]) => ({
      ifindex: new DataView(key.buffer, key.byteOffset, 4).getUint32(0, HOST_LITTLE_ENDIAN),
      ...decode(abi.device, value),
    }));
  }

  nodeAddresses(): readonly NodeAddressState[] {
    const { ADDRESS_NODE, ADDRESS_NODE_PORT, ADDRESS_LOOPBACK } = abi.AddressFlags;
    return [...this.#map("addresses").entries()].flatMap(([key, value]) => {
      const { flags } = decode(abi.address, value);
      if ((flags & ADDRESS_NODE) === 0) return [];
      const [nodePort, loopback] = [(flags & ADDRESS_NODE_PORT) !== 0, (flags & ADDRESS_LOOPBACK) !== 0];
      return [{ address: ipFromBytes(key), nodePort, loopback }];
    });
  }

  agent(): AgentInfo | undefined {
    const state = decode(abi.agentState, this.#map("agent_state").lookup(new Uint8Array(4)) ?? new Uint8Array());
    if (state.abiVersion === 0) return undefined;
    return { ...state, nodeName: this.#services.nameOf(state.node) };
  }

  fill(): readonly MapFill[] {
    const hashes = ["flows", "nascent", "affinity", "devices", "addresses"].map((name) => {
      const map = this.#map(name);
      return { map: name, used: count(map.entries()), size: map.maxEntries, evicts: map.type === LRU_HASH };
    });
    return [...this.#services.fill(), ...hashes];
  }

  [Symbol.dispose](): void {
    for (const map of this.#maps.values()) map[Symbol.dispose]();
    this.#maps.clear();
  }

  #map(name: string): BpfMap {
    const open = this.#maps.get(name);
    if (open) return open;
    const path = mapPin(this.#pins, name);
    try {
      const map = openPinnedMap(path);
      this.#maps.set(name, map);
      return map;
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
      const hint = "no agent has run with this --bpffs, or `portolan cleanup` took its datapath away";
      throw new NoStateError(`no Portolan datapath: ${path} is not there: ${hint}`, { cause: error });
    }
  }

  #toFlow(flow: abi.Flow): FlowState {
    const has = (flag: number) => (flow.flags & flag) !== 0;
    return {
      protocol: protocolName(flow.proto),
      client: ipFromBytes(flow.client),
      clientPort: flow.clientPort,
      vip: ipFromBytes(flow.vip),
      vipPort: flow.vipPort,
      backend: ipFromBytes(flow.backend),
      backendPort: flow.backendPort,
      mappedPort: flow.mappedPort,
      snat: has(abi.FlowFlags.FLOW_SNAT) ? { address: ipFromBytes(flow.snat), port: flow.snatPort } : undefined,
      transit: has(abi.FlowFlags.FLOW_TRANSIT),
      direct: has(abi.FlowFlags.FLOW_DIRECT),
      answered: (flow.state & abi.FlowState.FLOW_ANSWERED) !== 0,
      state: flow.state,
      serviceId: flow.service,
      service: this.#services.keyOf(flow.service),
      backendId: flow.backendId,
      created: flow.created,
      lastSeen: flow.lastSeen,
    };
  }
}

function count(entries: Iterable<unknown>): number {
  let entriesSeen = 0;
  for (const _ of entries) entriesSeen++;
  return entriesSeen;
}
