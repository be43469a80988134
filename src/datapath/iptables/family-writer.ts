// SPDX-License-Identifier: Apache-2.0
// Writes the rules of one family to one variant of iptables: at first by what is there, then by what it wrote.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Family } from "../../model/ip.ts";
import type { ApplyReport } from "../contract.ts";
import { NetfilterError } from "../netfilter/command.ts";
import { type RuleTable, restoreAll, type TableLines, type TableName, type Variant } from "../netfilter/iptables.ts";
import { CANARY, CANARY_RULE } from "../netfilter/own-chains.ts";
import type { RuleSettings, Wanted } from "../rules/writer.ts";
import { AffinitySets, findAffinityStore } from "./affinity-sets.ts";
import type { BaseRules, GuestRule } from "./base-rules.ts";
import type { AffinityStore } from "./endpoint-rules.ts";
import { FamilyRules, TABLES } from "./family-rules.ts";
import { type Listing, listingOf } from "./listing.ts";
import { reportOf } from "./report.ts";
import type { TableChange } from "./table.ts";
import { tableToWrite } from "./variant.ts";

const LIBERAL = "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal";
const ROUTE_LOCALNET = "/proc/sys/net/ipv4/conf/all/route_localnet";

export class FamilyWriter {
  readonly #family: Family;
  readonly #rules: FamilyRules;
  readonly #tables: Readonly<Record<TableName, RuleTable>>;
  readonly #sets: AffinitySets;
  readonly #warn: (message: string) => void;
  #store: AffinityStore | undefined;
  /** In force when the tables were looked into last. */
  #martians: string | undefined;

  /** warn: told what works in part only. Throws NetfilterError where the variant is not installed. */
  constructor(family: Family, settings: RuleSettings, variant: Variant, warn: (message: string) => void) {
    this.#family = family;
    this.#rules = new FamilyRules(family, { ...settings, liberal: isLiberal() });
    const table = (name: TableName) => tableToWrite(family, name, variant);
    this.#tables = { filter: table("filter"), nat: table("nat"), mangle: table("mangle") };
    this.#sets = new AffinitySets(family);
    this.#warn = warn;
  }

  /** Rejects with NetfilterError; the next call must be whole. */
  async write(wanted: Wanted): Promise<ApplyReport> {
    const rendered = this.#rules.want(wanted, await this.#affinityStore(wanted));
    const { base } = this.#rules;
    if (!base) throw new Error("nothing was wanted");
    const looks = wanted.whole || base.martians?.rule !== this.#martians;
    const guests = looks ? await this.#look(base, wanted.whole) : NO_GUESTS;
    const changes = eachTable((table) => this.#rules.tables[table].change(guests[table]));
    const report = reportOf(this.#rules, rendered, changes);
    await this.#sets.ensure(this.#rules.sets);
    await this.#restore(changes);
    for (const table of TABLES) this.#rules.tables[table].done(changes[table]);
    this.#martians = base.martians?.rule;
    if (looks && base.martians) this.#openLocalhost();
    await this.#sets.collect(this.#rules.sets);
    return report;
  }

  /** Whether packets still come to our chains. Rejects with NetfilterError. */
  async intact(): Promise<boolean> {
    const { base } = this.#rules;
    if (!base) return true;
    await this.#sets.collect(this.#rules.sets);
    const guests = base.martians ? [...base.jumps, base.martians] : base.jumps;
    const checks = TABLES.map((table): TableLines => {
      const jumps = guests.filter((guest) => guest.table === table).map(({ chain, rule }) => `-C ${chain} ${rule}`);
      return { table, lines: [`-C ${CANARY} ${CANARY_RULE}`, ...jumps] };
    });
    try {
      await restoreAll(this.#tables.nat.command, checks);
      return true;
    } catch (error) {
      // It exits alike for a rule that is not there and for all else: the next write will tell.
      if (error instanceof NetfilterError) return false;
      throw error;
    }
  }

  /** As `iptables -t TABLE` and a chain, or what puts a rule that is missing into a chain of others. Rejects with NetfilterError. */
  async faults(): Promise<readonly string[]> {
    const { base } = this.#rules;
    if (!base) return [];
    const found = await this.#list();
    return TABLES.flatMap((table) => {
      const chains = this.#rules.tables[table].differing(found[table].chains);
      const command = `${this.#family === 4 ? "iptables" : "ip6tables"} -t ${table}`;
      return [...chains, ...missing(base, table, found[table])].map((fault) => `${command} ${fault}`);
    });
  }

  /** Of Services that have not changed none needs one that is not known. */
  async #affinityStore({ services, changed, whole }: Wanted): Promise<AffinityStore> {
    if (this.#store) return this.#store;
    const touched = [...(whole ? services.keys() : changed)].flatMap((key) => services.get(key) ?? []);
    const isNeeded = touched.some((one) => one.affinitySeconds > 0 && one.family === this.#family);
    if (!isNeeded) return "ipset";
    const { store, reason } = await findAffinityStore(this.#family, this.#tables.nat);
    this.#store = store;
    if (reason !== undefined) {
      const limit = "session affinity remembers the last 100 clients of each endpoint";
      this.#warn(`IPv${this.#family}: ${limit} (${reason})`);
    }
    return store;
  }

  /** Returns what is missing in chains of others. */
  async #look(base: BaseRules, whole: boolean): Promise<Guests> {
    if (whole) await this.#sets.look();
    const found = await this.#list();
    if (whole) for (const table of TABLES) this.#rules.tables[table].found(found[table].chains, found[table].held);
    return eachTable((table) => missing(base, table, found[table]));
  }

  async #list(): Promise<Readonly<Record<TableName, Listing>>> {
    const lists = await Promise.all(TABLES.map(async (table) => listingOf(table, await this.#tables[table].rules())));
    return eachTable((table) => lists[TABLES.indexOf(table)] ?? listingOf(table, []));
  }

  async #restore(changes: Readonly<Record<TableName, TableChange>>): Promise<void> {
    const tables = TABLES.map((table) => ({ table, lines: changes[table].lines }));
    const changed = tables.filter(({ lines }) => lines.length > 0);
    if (changed.length > 0) await restoreAll(this.#tables.nat.command, changed);
  }

  /** Once the rule is there that keeps neighbours out. */
  #openLocalhost(): void {
    try {
      if (readFileSync(ROUTE_LOCALNET, "utf8").trim() !== "1") writeFileSync(ROUTE_LOCALNET, "1");
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#warn(`NodePorts are not served at 127.0.0.1: ${ROUTE_LOCALNET} cannot be set to 1: ${reason}`);
    }
  }
}

/** Lines that put rules into chains of others. */
type Guests = Readonly<Record<TableName, readonly string[]>>;

const NO_GUESTS: Guests = { filter: [], nat: [], mangle: [] };

function eachTable<T>(make: (table: TableName) => T): Readonly<Record<TableName, T>> {
  return { filter: make("filter"), nat: make("nat"), mangle: make("mangle") };
}

function missing({ jumps, martians }: BaseRules, table: TableName, { guests }: Listing): readonly string[] {
  const isMissing = (guest: GuestRule) =>
    guest.table === table && guests.get(guest.chain)?.includes(guest.rule) !== true;
  const lines = jumps.filter(isMissing).map(({ chain, rule }) => `-I ${chain} ${rule}`);
  if (!martians || table !== martians.table) return lines;
  const { chain, rule } = martians;
  const leading = ["INPUT", "OUTPUT"].filter((from) => guests.get(from)?.includes(`-j ${chain}`) !== true);
  return [
    ...lines,
    ...(guests.has(chain) ? [] : [`:${chain} - [0:0]`]),
    ...(isMissing(martians) ? [`-A ${chain} ${rule}`] : []),
    ...leading.map((from) => `-I ${from} -j ${chain}`),
  ];
}

/** Read once: what is set later does not change the rules. */
function isLiberal(): boolean {
  return existsSync(LIBERAL) && readFileSync(LIBERAL, "utf8").trim() !== "0";
}
