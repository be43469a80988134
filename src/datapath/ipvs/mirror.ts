// SPDX-License-Identifier: Apache-2.0
// What the kernel holds of this mode, as it was read or last written, and the lines that make it fit what is wanted. A connection
// keeps its endpoint for as long as there is a real server for it (row 50): so one that is not wanted any more gets weight 0, and
// goes, with its virtual server if need be, when it carries nothing. Datagrams are not waited for. Pure.

import type { Ip } from "../../model/ip.ts";
import { IPVS_DEVICE } from "../netfilter/ipvs-names.ts";
import { at, serverName } from "../netfilter/virtual-servers.ts";
import type { Ledger, Touched } from "./ledger.ts";
import type { Server } from "./share.ts";

/** Its connections by real server, ended ones too while IPVS remembers them. */
export interface KernelServer extends Server {
  readonly connections: ReadonlyMap<string, number>;
}

export interface KernelState {
  readonly servers: readonly KernelServer[];
  readonly vips: ReadonlySet<Ip>;
  readonly members: ReadonlySet<string>;
}

/** In the order in which they are to be run: what refers to something comes after it, and goes before it. */
export interface Lines {
  readonly addMembers: readonly string[];
  readonly servers: readonly string[];
  readonly addAddresses: readonly string[];
  readonly removeAddresses: readonly string[];
  readonly removeMembers: readonly string[];
}

export interface Counts {
  frontendsWritten: number;
  frontendsRemoved: number;
  backendsWritten: number;
}

interface Mirrored {
  readonly server: Server;
  readonly reals: Map<string, number>;
}

export class Mirror {
  readonly #servers: Map<string, Mirrored>;
  readonly #vips: Set<Ip>;
  readonly #members: Set<string>;
  /** Names of servers with something that is not wanted any more and may still carry a connection. */
  readonly #draining = new Set<string>();

  constructor({ servers, vips, members }: KernelState = { servers: [], vips: new Set(), members: new Set() }) {
    this.#servers = new Map(servers.map((server) => [serverName(server), { server, reals: new Map(server.reals) }]));
    this.#vips = new Set(vips);
    this.#members = new Set(members);
  }

  get drains(): boolean {
    return this.#draining.size > 0;
  }

  get serverCount(): number {
    return this.#servers.size;
  }

  get vipCount(): number {
    return this.#vips.size;
  }

  /** Whether the kernel holds all of this. */
  isIn({ servers, vips, members }: KernelState): boolean {
    const there = new Map(servers.map((server) => [serverName(server), server]));
    const sameReals = ({ reals }: Mirrored, server: Server | undefined) =>
      server !== undefined && [...reals].every(([real, weight]) => server.reals.get(real) === weight);
    return (
      [...this.#servers].every(([name, mirrored]) => sameReals(mirrored, there.get(name))) &&
      [...this.#vips].every((address) => vips.has(address)) &&
      [...this.#members].every((member) => members.has(member))
    );
  }

  /** Everything that is here or wanted. */
  all(ledger: Ledger): Touched {
    return {
      servers: new Set([...this.#servers.keys(), ...ledger.servers.keys()]),
      vips: new Set([...this.#vips, ...ledger.vips]),
      members: new Set([...this.#members, ...ledger.members]),
    };
  }

  /** The kernel is believed to hold what these lines make; if one fails, this mirror is worth nothing. */
  fit(touched: Touched, ledger: Ledger, counts: Counts): Lines {
    const servers = [...touched.servers].flatMap((name) => this.#fitServer(name, ledger.server(name), counts));
    const members = [...touched.members].map((member) => this.#fitMember(member, ledger));
    const addAddresses = [...touched.vips].filter((address) => ledger.wantsVip(address) && !this.#vips.has(address));
    for (const address of addAddresses) this.#vips.add(address);
    return {
      addMembers: members.flatMap(({ add }) => add),
      servers,
      addAddresses: addAddresses.map((address) => `address add ${wholeAddress(address)}`),
      removeAddresses: this.#dropVips(touched.vips, ledger),
      removeMembers: members.flatMap(({ remove }) => remove),
    };
  }

  /** What is left of what drains, by what the kernel says that it carries. */
  drain(kernel: ReadonlyMap<string, KernelServer>, ledger: Ledger): Pick<Lines, "servers" | "removeAddresses"> {
    const freed = new Set<Ip>();
    const servers: string[] = [];
    for (const name of [...this.#draining]) {
      const mirrored = this.#servers.get(name);
      const wanted = ledger.server(name);
      const connections = kernel.get(name)?.connections;
      if (!mirrored) {
        this.#draining.delete(name);
        continue;
      }
      const { server, reals } = mirrored;
      const idle = [...reals.keys()].filter((real) => !wanted?.reals.has(real) && (connections?.get(real) ?? 0) === 0);
      for (const real of idle) {
        reals.delete(real);
        servers.push(`-d ${serviceOf(server)} -r ${real}`);
      }
      if ([...reals.keys()].every((real) => wanted?.reals.has(real))) this.#draining.delete(name);
      if (wanted || reals.size > 0) continue;
      servers.push(`-D ${serviceOf(server)}`);
      this.#servers.delete(name);
      freed.add(server.address);
    }
    return { servers, removeAddresses: this.#dropVips(freed, ledger) };
  }

  #fitServer(name: string, wanted: Server | undefined, counts: Counts): readonly string[] {
    const mirrored = this.#servers.get(name);
    if (!wanted) return mirrored ? this.#retire(name, mirrored, counts) : [];
    const lines: string[] = [];
    if (!mirrored) lines.push(`-A ${serviceOf(wanted)} ${waysOfServing(wanted)}`);
    else if (!servesAlike(mirrored.server, wanted)) lines.push(`-E ${serviceOf(wanted)} ${waysOfServing(wanted)}`);
    const reals = mirrored?.reals ?? new Map<string, number>();
    this.#servers.set(name, { server: wanted, reals });
    for (const [real, weight] of wanted.reals) {
      const before = reals.get(real);
      if (before === weight) continue;
      lines.push(`-${before === undefined ? "a" : "e"} ${serviceOf(wanted)} -r ${real} -m -w ${weight}`);
      reals.set(real, weight);
      counts.backendsWritten++;
    }
    const unwanted = [...reals.keys()].filter((real) => !wanted.reals.has(real));
    lines.push(...unwanted.flatMap((real) => this.#retireReal(name, wanted, reals, real)));
    if (lines.length > 0) counts.frontendsWritten++;
    return lines;
  }

  #retire(name: string, { server, reals }: Mirrored, counts: Counts): readonly string[] {
    if (!this.#draining.has(name)) counts.frontendsRemoved++;
    if (server.protocol === "UDP" || reals.size === 0) {
      this.#servers.delete(name);
      return [`-D ${serviceOf(server)}`];
    }
    this.#draining.add(name);
    return [...reals.keys()].flatMap((real) => this.#retireReal(name, server, reals, real));
  }

  #retireReal(name: string, server: Server, reals: Map<string, number>, real: string): readonly string[] {
    if (server.protocol === "UDP") {
      reals.delete(real);
      return [`-d ${serviceOf(server)} -r ${real}`];
    }
    this.#draining.add(name);
    if (reals.get(real) === 0) return [];
    reals.set(real, 0);
    return [`-e ${serviceOf(server)} -r ${real} -m -w 0`];
  }

  /** Not those at which something drains: its packets must come in. */
  #dropVips(some: Iterable<Ip>, ledger: Ledger): readonly string[] {
    const inUse = new Set([...this.#servers.values()].map(({ server }) => server.address));
    const gone = [...some].filter(
      (address) => this.#vips.has(address) && !ledger.wantsVip(address) && !inUse.has(address),
    );
    for (const address of gone) this.#vips.delete(address);
    return gone.map((address) => `address delete ${wholeAddress(address)}`);
  }

  #fitMember(member: string, ledger: Ledger): { readonly add: readonly string[]; readonly remove: readonly string[] } {
    const [there, wanted] = [this.#members.has(member), ledger.wantsMember(member)];
    if (there === wanted) return { add: [], remove: [] };
    const other = opposite(member);
    if (wanted) {
      const replaced = this.#members.delete(other);
      this.#members.add(member);
      return { add: [...(replaced ? [deletion(other)] : []), `add ${member}`], remove: [] };
    }
    this.#members.delete(member);
    return { add: [], remove: ledger.wantsMember(other) ? [] : [deletion(member)] };
  }
}

const NOMATCH = / nomatch$/;

function opposite(member: string): string {
  return NOMATCH.test(member) ? member.replace(NOMATCH, "") : `${member} nomatch`;
}

function deletion(member: string): string {
  return `del ${member.replace(NOMATCH, "")}`;
}

function serviceOf({ protocol, address, port }: Server): string {
  return `--${protocol.toLowerCase()}-service ${at(address, port)}`;
}

function waysOfServing({ scheduler, persistentSeconds }: Server): string {
  // kube-proxy's: clients behind one address are told apart by their port.
  const flags = scheduler === "mh" ? " -b mh-port" : "";
  return `-s ${scheduler}${persistentSeconds > 0 ? ` -p ${persistentSeconds}` : ""}${flags}`;
}

function servesAlike(a: Server, b: Server): boolean {
  return a.scheduler === b.scheduler && a.persistentSeconds === b.persistentSeconds;
}

function wholeAddress(address: Ip): string {
  return `${address}/${address.includes(":") ? "128" : "32"} dev ${IPVS_DEVICE}`;
}
