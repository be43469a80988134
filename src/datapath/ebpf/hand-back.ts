// SPDX-License-Identifier: Apache-2.0
// Leaves to another proxy what begins from now on, while what has begun goes on through our programs: a flow's record knows all
// that its packets need. Without frontends no other packet and no connect() is ours.

import { openObject, openPinnedMap } from "../../libbpf/index.ts";
import type { DatagramTimes } from "../netfilter/conntrack-times.ts";
import * as abi from "./abi.gen.ts";
import { decode, encode } from "./codec.ts";
import { dropLink } from "./links.ts";
import { linkPin, mapPin, type Pins } from "./pins.ts";
import { bpfObjectPath, isPinned } from "./programs.ts";
import { u32 } from "./rodata.ts";

/** Hooks that choose. Those that show a socket the VIP of what was chosen stay: answers may be under way. */
const CHOOSING = ["connect4", "connect6", "sendmsg4", "sendmsg6", "bind4", "bind6"] as const;
const VIP = abi.AddressFlags.ADDRESS_CLUSTER_IP | abi.AddressFlags.ADDRESS_EXTERNAL;
const FIRST = new Uint8Array(4);

/** A connection that both ends have closed: late segments, so long. Seconds. */
const LATE_S = 5;

/** Idempotent; the agent must have stopped, and another proxy serve already. Throws BpfError. */
export function leaveNew(pins: Pins): void {
  for (const hook of CHOOSING) dropLink(linkPin(pins, `cgroup-${hook}`));
  using addresses = openPinnedMap(mapPin(pins, "addresses"));
  for (const [key, value] of addresses.entries()) {
    const { flags, ...rest } = decode(abi.address, value);
    if (flags & VIP)
      addresses.update(key, encode(abi.address, { ...rest, flags: flags | abi.AddressFlags.ADDRESS_FOREIGN }));
  }
  using ranges = openPinnedMap(mapPin(pins, "service_ranges"));
  const known = decode(abi.serviceRanges, ranges.lookup(FIRST) ?? new Uint8Array(abi.serviceRanges.size));
  ranges.update(FIRST, encode(abi.serviceRanges, { ...known, used: 0 }));
  using frontends = openPinnedMap(mapPin(pins, "frontends"));
  for (const [key] of frontends.entries()) frontends.delete(key);
}

/** Deletes flows that are over, and counts the others. */
export interface Rest extends Disposable {
  /** Flows that may go on, after this look. */
  left(): number;
}

/**
 * The agent must have stopped. Ended flows go sooner than an agent lets them: the tuples that they rest on are in the way of
 * those that netfilter makes. times: after so long netfilter itself forgets datagrams. Throws BpfError.
 */
export function openRest(pins: Pins, { unansweredMs, streamMs }: DatagramTimes): Rest {
  using object = openObject(bpfObjectPath("sweep"));
  for (const name of object.mapNames.filter(isPinned)) {
    using map = openPinnedMap(mapPin(pins, name));
    object.reuseMap(name, map);
  }
  object.setRodata("timeout_tcp_closed", u32(LATE_S));
  object.setRodata("timeout_nascent", u32(Math.ceil(unansweredMs / 1000)));
  object.setRodata("timeout_udp", u32(Math.ceil(streamMs / 1000)));
  const loaded = object.load();
  return {
    left: () => {
      const { ctxOut } = loaded.program("pt_sweep").testRun({ ctx: new Uint8Array(abi.sweepReport.size) });
      return decode(abi.sweepReport, ctxOut).owners;
    },
    [Symbol.dispose]: () => loaded[Symbol.dispose](),
  };
}
