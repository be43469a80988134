// SPDX-License-Identifier: Apache-2.0
// Keeps the map `devices` and the tc programs in step with the devices of this network namespace as they come, go,
// change and are renamed.

import { readdirSync } from "node:fs";
import { BpfError, type BpfMap, detachTc, type TcDirection } from "../../libbpf/index.ts";
import type { DeviceChanges } from "../contract.ts";
import { classifyDevices, type Device, type DeviceRules } from "../devices/classify.ts";
import { LastingRoles } from "../devices/lasting-roles.ts";
import type { NetworkView } from "../network.ts";
import { deviceKey, encodeDevice, knownDevices, knownRoles, withLocal } from "./devices-map.ts";
import { dropLink, ensureLink, isAttached } from "./links.ts";
import { linkPin, type Pins } from "./pins.ts";
import type { TcPrograms } from "./takeover.ts";

/** How programs hang on a device: links where the kernel has them (6.6), else filters of the clsact qdisc. */
export type TcAttachment = "tcx" | "clsact";

/** Priority of our clsact filters: before others. */
const TC_PRIORITY = 1;
/** Egress first: a flow begins at an ingress, and by then its replies must find their way. */
const DIRECTIONS: readonly TcDirection[] = ["egress", "ingress"];
/** In place of what the map says: attaching failed on the way, and the device may have a hook, a pin, an entry. */
const UNFINISHED: Uint8Array = new Uint8Array();

export class DeviceHooks {
  #programs: TcPrograms;
  readonly #map: BpfMap;
  readonly #pins: Pins;
  readonly #attachment: TcAttachment;
  /** ifindex → what the map says of it */
  readonly #attached = new Map<number, Uint8Array>();
  readonly #earlier = new LastingRoles();
  /** As last classified. */
  #devices: readonly Device[] = [];
  #adopted = false;

  constructor(programs: TcPrograms, map: BpfMap, pins: Pins, attachment: TcAttachment) {
    this.#programs = programs;
    this.#map = map;
    this.#pins = pins;
    this.#attachment = attachment;
  }

  /**
   * What an earlier agent served in this network namespace as an uplink or a bridge is one still, while it exists; whatever
   * else a device may be is known at once.
   */
  adopt(): void {
    for (const [ifindex, role] of knownRoles(this.#map)) this.#earlier.add(ifindex, role);
  }

  /** Makes hooks and map fit the network. The first that succeeds also puts right what an earlier agent left. */
  reconcile(network: NetworkView, rules: DeviceRules): Omit<DeviceChanges, "graded"> {
    const wanted = this.#classify(network, rules);
    this.#devices = [...wanted.values()];
    const added: Device[] = [];
    const changed: Device[] = [];
    const failed: DeviceChanges["failed"][number][] = [];
    for (const device of wanted.values()) {
      const value = encodeDevice(device);
      const before = this.#attached.get(device.ifindex);
      if (before && Buffer.compare(before, value) === 0) continue;
      const isNew = before === undefined || before === UNFINISHED;
      const error = this.#serve(device.ifindex, value, isNew);
      if (error) {
        if (isNew) this.#attached.set(device.ifindex, UNFINISHED);
        failed.push({ device, error });
        continue;
      }
      this.#attached.set(device.ifindex, value);
      (isNew ? added : changed).push(device);
    }
    const removed = this.#servedBefore().filter((ifindex) => !wanted.has(ifindex));
    for (const ifindex of removed) this.#detach(ifindex);
    this.#adopted = true;
    return { added, changed, removed, failed };
  }

  /** Those that were wanted last. */
  get devices(): readonly Device[] {
    return this.#devices;
  }

  /**
   * Puts hooks back that somebody has taken off. among: the devices to look at. Filters say nothing of themselves, so each is put
   * in its own place again. Returns the devices whose links were gone.
   */
  heal(among: (ifindex: number) => boolean): readonly number[] {
    const healed: number[] = [];
    for (const [ifindex, value] of this.#attached) {
      if (value === UNFINISHED || !among(ifindex)) continue;
      const pins = DIRECTIONS.map((direction) => tcxPin(this.#pins, ifindex, direction));
      if (this.#attachment === "tcx" && pins.every(isAttached)) continue;
      if (this.#serve(ifindex, value, true)) this.#attached.set(ifindex, UNFINISHED);
      else if (this.#attachment === "tcx") healed.push(ifindex);
    }
    return healed;
  }

  /** Programs of ours hang on every device that is to have them. */
  get complete(): boolean {
    return this.#adopted && ![...this.#attached.values()].includes(UNFINISHED);
  }

  /** Other programs from now on. Where they cannot take the place of the old ones (false), the next reconcile() tries again. */
  replace(programs: TcPrograms): boolean {
    this.#programs = programs;
    for (const [ifindex, value] of this.#attached) {
      if (this.#serve(ifindex, value, true)) this.#attached.set(ifindex, UNFINISHED);
    }
    return this.complete;
  }

  #classify(network: NetworkView, rules: DeviceRules): ReadonlyMap<number, Device> {
    const present = new Set(network.links.map(({ ifindex }) => ifindex));
    this.#earlier.keep((ifindex) => present.has(ifindex));
    const devices = classifyDevices(network, { ...rules, earlier: this.#earlier });
    for (const { ifindex, name, role } of devices.values()) this.#earlier.note(ifindex, name, role, rules);
    return devices;
  }

  /**
   * Map first: the programs must never see a packet of a device that they do not know. Those of an earlier agent may still
   * be there, and ask for a flag that ours do not: they find it until ours have taken their places.
   */
  #serve(ifindex: number, value: Uint8Array, attach: boolean): BpfError | undefined {
    try {
      const key = deviceKey(ifindex);
      const before = attach ? this.#map.lookup(key) : undefined;
      const first = before ? withLocal(value, before) : value;
      this.#map.update(key, first);
      if (attach) for (const direction of DIRECTIONS) this.#attachDirection(ifindex, direction);
      if (first !== value) this.#map.update(key, value);
      return undefined;
    } catch (error) {
      if (error instanceof BpfError) return error;
      throw error;
    }
  }

  #attachDirection(ifindex: number, direction: TcDirection): void {
    const program = this.#programs[direction];
    if (this.#attachment === "clsact") {
      program.attachTc(ifindex, direction, TC_PRIORITY);
      return;
    }
    ensureLink(
      tcxPin(this.#pins, ifindex, direction),
      program,
      (target) => target.ifindex === ifindex,
      () => program.attachTcx(ifindex, direction, direction === "ingress"),
    );
    // A filter left from before the kernel had TCX: the marks of clause E3 keep the two from doing the work twice.
    detachTc(ifindex, direction, TC_PRIORITY, program.name);
  }

  #detach(ifindex: number): void {
    for (const direction of DIRECTIONS) dropLink(tcxPin(this.#pins, ifindex, direction));
    detachFilters(ifindex);
    this.#map.delete(deviceKey(ifindex));
    this.#attached.delete(ifindex);
  }

  /** Our devices, and at first those that an earlier agent left: gone meanwhile, or not to be served any more. */
  #servedBefore(): readonly number[] {
    if (this.#adopted) return [...this.#attached.keys()];
    return [...new Set([...this.#attached.keys(), ...pinnedDevices(this.#pins), ...knownDevices(this.#map)])];
  }
}

/** Takes our clsact filters off a device. Nothing there, or no device, is fine. */
export function detachFilters(ifindex: number): void {
  for (const direction of DIRECTIONS) detachTc(ifindex, direction, TC_PRIORITY, `pt_${direction}`);
}

function pinnedDevices(pins: Pins): readonly number[] {
  const names = readdirSync(pins.links).map((name) => /^tcx-(\d+)-/.exec(name)?.[1]);
  return names.filter((ifindex) => ifindex !== undefined).map(Number);
}

function tcxPin(pins: Pins, ifindex: number, direction: TcDirection): string {
  return linkPin(pins, `tcx-${ifindex}-${direction}`);
}
