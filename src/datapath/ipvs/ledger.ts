// SPDX-License-Identifier: Apache-2.0
// What all service ports together want of IPVS, and which parts of it a change has touched: several share an address or a
// member, so these are counted.

import type { ServiceKey } from "../../compile/state.ts";
import type { Ip } from "../../model/ip.ts";
import { NOTHING, type Server, type Share } from "./share.ts";

export interface Touched {
  readonly servers: ReadonlySet<string>;
  readonly vips: ReadonlySet<Ip>;
  readonly members: ReadonlySet<string>;
}

export class Ledger {
  readonly #shares = new Map<ServiceKey, Share>();
  /** By serverName(): the last service that wants it. */
  readonly #servers = new Map<string, Server>();
  readonly #vips = new Counted<Ip>();
  readonly #members = new Counted<string>();
  #touched = { servers: new Set<string>(), vips: new Set<Ip>(), members: new Set<string>() };

  /** share: undefined where the service is gone. Returns whether anything is different. */
  put(key: ServiceKey, share: Share | undefined): boolean {
    const before = this.#shares.get(key) ?? NOTHING;
    const now = share ?? NOTHING;
    if (share) this.#shares.set(key, share);
    else this.#shares.delete(key);
    const touched = [
      this.#putServers(before, now),
      this.#vips.put(before.vips, now.vips, this.#touched.vips),
      this.#members.put(before.members, now.members, this.#touched.members),
    ];
    return touched.includes(true);
  }

  #putServers(before: Share, now: Share): boolean {
    let different = false;
    for (const [name, server] of before.servers) {
      if (now.servers.has(name) || this.#servers.get(name) !== server) continue; // another service has it by now
      this.#servers.delete(name);
      this.#touched.servers.add(name);
      different = true;
    }
    for (const [name, server] of now.servers) {
      const there = this.#servers.get(name);
      this.#servers.set(name, server);
      if (there && sameServer(there, server)) continue;
      this.#touched.servers.add(name);
      different = true;
    }
    return different;
  }

  keys(): Iterable<ServiceKey> {
    return this.#shares.keys();
  }

  server(name: string): Server | undefined {
    return this.#servers.get(name);
  }

  get servers(): ReadonlyMap<string, Server> {
    return this.#servers;
  }

  wantsVip(address: Ip): boolean {
    return this.#vips.has(address);
  }

  wantsMember(member: string): boolean {
    return this.#members.has(member);
  }

  get vips(): Iterable<Ip> {
    return this.#vips.values();
  }

  get members(): Iterable<string> {
    return this.#members.values();
  }

  /** Since the last call. */
  takeTouched(): Touched {
    const touched = this.#touched;
    this.#touched = { servers: new Set(), vips: new Set(), members: new Set() };
    return touched;
  }
}

class Counted<T> {
  readonly #counts = new Map<T, number>();

  /** Returns whether any has come or gone. */
  put(before: ReadonlySet<T>, now: ReadonlySet<T>, touched: Set<T>): boolean {
    let different = false;
    const change = (value: T, by: 1 | -1): void => {
      const count = (this.#counts.get(value) ?? 0) + by;
      if (count === 0) this.#counts.delete(value);
      else this.#counts.set(value, count);
      if (count > 1 || (count === 1 && by === -1)) return;
      touched.add(value);
      different = true;
    };
    for (const value of now) if (!before.has(value)) change(value, 1);
    for (const value of before) if (!now.has(value)) change(value, -1);
    return different;
  }

  has(value: T): boolean {
    return this.#counts.has(value);
  }

  values(): Iterable<T> {
    return this.#counts.keys();
  }
}

function sameServer(a: Server, b: Server): boolean {
  return (
    a.scheduler === b.scheduler &&
    a.persistentSeconds === b.persistentSeconds &&
    a.reals.size === b.reals.size &&
    [...a.reals].every(([real, weight]) => b.reals.get(real) === weight)
  );
}
