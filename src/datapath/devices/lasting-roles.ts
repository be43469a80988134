// SPDX-License-Identifier: Apache-2.0
// Which devices were uplinks or bridges in use before, in this agent or an earlier one: what makes them so comes and goes
// (an address that DHCP renews, a route that flaps, a Node manifest that is broken just now), and hooks that went with it
// would take established connections along.

import { type DeviceRole, type DeviceRules, type EarlierRoles, matchesAny } from "./classify.ts";

export class LastingRoles implements EarlierRoles {
  readonly uplinks: Set<number> = new Set();
  readonly bridges: Set<number> = new Set();

  /** A port of a bridge is an uplink by its bridge, and no longer than it is the port. */
  add(ifindex: number, role: DeviceRole): void {
    if (role.uplink && !role.bridgePort) this.uplinks.add(ifindex);
    if (role.bridge) this.bridges.add(ifindex);
  }

  /** An uplink by its name is one while it has the name: plugins move devices about under names for the moment. */
  note(ifindex: number, name: string, role: DeviceRole, { uplinkPatterns }: DeviceRules): void {
    this.add(ifindex, { ...role, uplink: role.uplink && !matchesAny(name, uplinkPatterns) });
  }

  /** The kernel gives an ifindex to no other device, unless it is told to. */
  keep(exists: (ifindex: number) => boolean): void {
    for (const set of [this.uplinks, this.bridges]) {
      for (const ifindex of set) if (!exists(ifindex)) set.delete(ifindex);
    }
  }
}
