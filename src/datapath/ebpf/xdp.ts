// SPDX-License-Identifier: Apache-2.0
// The XDP program on uplinks whose drivers can run it. tc does all that it does by the same records, so a device may do
// without: it is tried once on each, and again when the device is another one.

import { readdirSync } from "node:fs";
import { BpfError, type BpfProgram } from "../../libbpf/index.ts";
import type { GradedDevice } from "../contract.ts";
import type { Device } from "../devices/classify.ts";
import { dropLink, ensureLink, isAttached } from "./links.ts";
import { linkPin, type Pins } from "./pins.ts";

export class XdpHooks {
  /** undefined: no device has it. */
  readonly #program: BpfProgram | undefined;
  readonly #pins: Pins;
  /** Those that were tried, and whether it hangs there. */
  readonly #tried = new Map<number, boolean>();

  constructor(program: BpfProgram | undefined, pins: Pins) {
    this.#program = program;
    this.#pins = pins;
  }

  /** Returns the devices that were tried now. Throws BpfError. */
  reconcile(devices: readonly Device[]): readonly GradedDevice[] {
    const wanted = this.#program ? devices.filter(({ role }) => runsXdp(role)) : [];
    const present = new Set(wanted.map(({ ifindex }) => ifindex));
    this.#dropBut(present);
    return wanted.filter(({ ifindex }) => !this.#tried.has(ifindex)).map((device) => this.#try(device));
  }

  /** Takes it off all devices: until the next reconcile() tc is alone. */
  drop(): void {
    this.#dropBut(new Set());
  }

  /** Puts links back that somebody has taken off. among: the devices to look at. Returns those. */
  heal(among: (ifindex: number) => boolean): readonly number[] {
    const gone = [...this.#tried].filter(
      ([ifindex, hangs]) => hangs && among(ifindex) && !isAttached(xdpPin(this.#pins, ifindex)),
    );
    return gone.flatMap(([ifindex]) => (this.#attach(ifindex) ? [] : [ifindex]));
  }

  #try(device: Device): GradedDevice {
    const error = this.#attach(device.ifindex);
    if (error?.code !== "ENODEV") this.#tried.set(device.ifindex, error === undefined);
    return { device, error };
  }

  #attach(ifindex: number): BpfError | undefined {
    const program = this.#program;
    if (!program) return undefined;
    try {
      ensureLink(
        xdpPin(this.#pins, ifindex),
        program,
        (target) => target.ifindex === ifindex,
        () => program.attachXdp(ifindex),
      );
      return undefined;
    } catch (error) {
      if (error instanceof BpfError) return error;
      throw error;
    }
  }

  #dropBut(kept: ReadonlySet<number>): void {
    for (const name of readdirSync(this.#pins.links)) {
      const ifindex = /^xdp-(\d+)/.exec(name)?.[1];
      if (ifindex !== undefined && !kept.has(Number(ifindex))) dropLink(xdpPin(this.#pins, Number(ifindex)));
    }
    for (const ifindex of this.#tried.keys()) if (!kept.has(ifindex)) this.#tried.delete(ifindex);
  }
}

/** On frames as they come from another node: no tunnel's, and no bridge port's, whose packets stay on their bridge. */
function runsXdp({ uplink, overlay, l3, bridge, bridgePort }: Device["role"]): boolean {
  return uplink && !overlay && !l3 && !bridge && !bridgePort;
}

export function xdpPin(pins: Pins, ifindex: number): string {
  return linkPin(pins, `xdp-${ifindex}`);
}
