// SPDX-License-Identifier: Apache-2.0
// What our table holds, and the lines for nft that make it hold something else: publish, then reclaim. Chains keep their names,
// so that a change of endpoints replaces rules alone; the block of endpoints that a packet under way may still look at goes a
// moment later, and so do chains, which kernels before 6.2 think in use within the same transaction (row 79). Pure.

import type { Family } from "../../model/ip.ts";
import { Elements } from "./elements.ts";
import { type FoundTable, type Seal, sealOf } from "./listing.ts";
import { type Chain, digestOf, type Element, type Part, TABLE, type Translation, WORDS } from "./part.ts";
import { type Block, Shards } from "./shards.ts";
import { fixedTables } from "./tables.ts";

/** From when nothing leads to it any more, until it goes. */
const RECLAIM_MS = 1000;
/** In one line. */
const ELEMENTS = 1000;

interface WrittenChain {
  readonly seal: Seal;
  readonly blocks: readonly Block[];
}

/** A transaction, and what it does. */
export interface Change {
  /** None: everything is as it should be. */
  readonly lines: readonly string[];
  /** Names of chains that get other rules. */
  readonly chains: ReadonlySet<string>;
  readonly removed: readonly Element[];
  readonly added: readonly Element[];
  /** Endpoints that rules are to choose from. */
  readonly endpoints: number;
}

export class Ruleset {
  readonly #families: readonly Family[];
  #exists: boolean;
  /** Of maps and sets. */
  readonly #names: Set<string>;
  readonly #chains: Map<string, WrittenChain>;
  readonly #elements: Elements;
  readonly #shards: Shards;
  /** Chains that nothing leads to any more, and since when: milliseconds of the caller's clock, as below. */
  readonly #leaving = new Map<string, number>();
  readonly #freed: { readonly block: Block; readonly atMs: number }[] = [];

  /** found: undefined if there is no table. elements: of its maps and sets that fixedTables() names. */
  constructor(families: readonly Family[], found: FoundTable | undefined, elements: readonly Element[]) {
    this.#families = families;
    this.#exists = found !== undefined;
    this.#names = new Set(found?.names);
    this.#shards = new Shards(found?.names ?? []);
    this.#elements = new Elements(elements);
    this.#chains = new Map(
      found?.chains.map(({ name, seal, shards }) => {
        return [name, { seal, blocks: shards.flatMap((shard) => this.#shards.adopt(shard) ?? []) }];
      }),
    );
  }

  /** gone and coming: of the owners that change, as they were and as they will be. */
  change(gone: readonly Part[], coming: readonly Part[], nowMs: number): Change {
    const before = namesOf(gone);
    return this.#change({ ...before, elements: gone.flatMap(({ elements }) => elements) }, coming, nowMs);
  }

  /** coming: of all owners there are. What else there is goes. */
  replace(coming: readonly Part[], nowMs: number): Change {
    const clients = [...this.#names].filter((name) => name.startsWith("clients"));
    return this.#change({ chains: [...this.#chains.keys()], clients, elements: [] }, coming, nowMs);
  }

  /** What nothing has led to for a while. */
  reclaim(nowMs: number): readonly string[] {
    const due = (atMs: number) => nowMs - atMs >= RECLAIM_MS;
    const chains = [...this.#leaving].filter(([, atMs]) => due(atMs)).map(([name]) => name);
    for (const name of chains) {
      this.#leaving.delete(name);
      this.#chains.delete(name);
    }
    const blocks = this.#freed.filter(({ atMs }) => due(atMs)).map(({ block }) => block);
    this.#freed.splice(0, blocks.length); // oldest first
    for (const block of blocks) this.#shards.free(block);
    const idle = this.#shards.takeIdle();
    for (const name of idle) this.#names.delete(name);
    return [
      ...chains.map((name) => `delete chain ${TABLE} ${name}`),
      ...blocks.filter(({ shard }) => !shard.closed).map(removeKeys),
      ...idle.map((name) => `delete map ${TABLE} ${name}`),
    ];
  }

  #change(before: Before, coming: readonly Part[], nowMs: number): Change {
    const after = namesOf(coming);
    const fresh: string[] = [];
    const rules: string[] = [];
    const rewritten = new Set<string>();
    let endpoints = 0;
    const declared = [...this.#declareFixed(), ...this.#declareClients(coming)];
    for (const chain of coming.flatMap(({ chains }) => chains)) {
      this.#leaving.delete(chain.name);
      const seal = sealOf(chain.rules.length, digestOf(chain));
      if (this.#chains.get(chain.name)?.seal === seal) continue;
      rewritten.add(chain.name);
      declared.push(...this.#declareChain(chain));
      const blocks = this.#rewrite(chain, fresh, rules, nowMs);
      endpoints += blocks.reduce((sum, { size }) => sum + size, 0);
      this.#chains.set(chain.name, { seal, blocks });
    }
    for (const element of before.elements) this.#elements.drop(element);
    for (const element of coming.flatMap(({ elements }) => elements)) this.#elements.want(element);
    const { removed, added } = this.#elements.changes();
    const kept = new Set(after.chains);
    const emptied = before.chains.filter((name) => !kept.has(name)).flatMap((name) => this.#leave(name, nowMs));
    const lines = [
      ...declared,
      ...inLines("delete", removed.map(withoutValue)),
      ...fresh,
      ...rules,
      ...inLines("add", added),
      ...emptied,
      ...this.#removeClients(before.clients, new Set(after.clients)),
      ...this.reclaim(nowMs),
    ];
    return { lines, chains: rewritten, removed, added, endpoints };
  }

  #declareFixed(): readonly string[] {
    const missing = this.#families.flatMap(fixedTables).filter(({ name }) => !this.#names.has(name));
    for (const { name } of missing) this.#names.add(name);
    const table = this.#exists ? [] : [`add table ${TABLE}`];
    this.#exists = true;
    return [...table, ...missing.map(({ kind, name, type }) => `add ${kind} ${TABLE} ${name} { type ${type} ; }`)];
  }

  #declareClients(coming: readonly Part[]): readonly string[] {
    const missing = coming.flatMap(({ clientSets }) => clientSets).filter(({ name }) => !this.#names.has(name));
    for (const { name } of missing) this.#names.add(name);
    return missing.map(({ name, family }) => {
      return `add set ${TABLE} ${name} { type ${WORDS[family].type} ; size ${CLIENTS} ; flags dynamic, timeout ; }`;
    });
  }

  #declareChain({ name, hook }: Chain): readonly string[] {
    if (this.#chains.has(name)) return [];
    return [`add chain ${TABLE} ${name}${hook === undefined ? "" : ` { ${hook} ; policy accept ; }`}`];
  }

  /** Its rules to `rules`, what they need first to `fresh`. */
  #rewrite(chain: Chain, fresh: string[], rules: string[], nowMs: number): readonly Block[] {
    const written = this.#chains.get(chain.name);
    if (written && written.seal !== "") rules.push(`flush chain ${TABLE} ${chain.name}`);
    this.#free(written, nowMs);
    const blocks: Block[] = [];
    for (const [index, rule] of chain.rules.entries()) {
      const text = typeof rule === "string" ? rule : this.#translation(rule, blocks, fresh);
      const comment = index === 0 ? ` comment "${digestOf(chain)}"` : "";
      rules.push(`add rule ${TABLE} ${chain.name} ${text}${comment}`);
    }
    return blocks;
  }

  #translation({ family, protocol, match, members }: Translation, blocks: Block[], fresh: string[]): string {
    const { block, fresh: isNew } = this.#shards.place(family, protocol, members.length);
    blocks.push(block);
    const { ip } = WORDS[family];
    const { name } = block.shard;
    this.#names.add(name);
    const type = `typeof numgen random mod 1 : ${ip} daddr . ${protocol.toLowerCase()} dport`;
    if (isNew) fresh.push(`add map ${TABLE} ${name} { ${type} ; }`);
    const entries = members.map(({ address, port }, index) => {
      return { of: name, key: String(block.offset + index), value: `${address} . ${port}` };
    });
    fresh.push(...inLines("add", entries));
    return `${match} dnat ${ip} to numgen random mod ${block.size} offset ${block.offset} map @${name}`;
  }

  /** Nothing leads to it from now on. */
  #leave(name: string, nowMs: number): readonly string[] {
    const written = this.#chains.get(name);
    if (written === undefined || this.#leaving.has(name)) return [];
    this.#leaving.set(name, nowMs);
    this.#free(written, nowMs);
    this.#chains.set(name, { seal: "", blocks: [] });
    return written.seal === "" ? [] : [`flush chain ${TABLE} ${name}`];
  }

  #free(written: WrittenChain | undefined, nowMs: number): void {
    for (const block of written?.blocks ?? []) this.#freed.push({ block, atMs: nowMs });
  }

  /** At once, unlike chains: an endpoint that comes back knows nobody (row 56). */
  #removeClients(before: readonly string[], kept: ReadonlySet<string>): readonly string[] {
    const gone = [...new Set(before)].filter((name) => !kept.has(name));
    for (const name of gone) this.#names.delete(name);
    return gone.map((name) => `delete set ${TABLE} ${name}`);
  }
}

/** Clients that an endpoint remembers: more are served without being remembered. */
const CLIENTS = 65_536;

interface Before {
  readonly chains: readonly string[];
  readonly clients: readonly string[];
  readonly elements: readonly Element[];
}

function namesOf(parts: readonly Part[]): Pick<Before, "chains" | "clients"> {
  return {
    chains: parts.flatMap(({ chains }) => chains.map(({ name }) => name)),
    clients: parts.flatMap(({ clientSets }) => clientSets.map(({ name }) => name)),
  };
}

function removeKeys({ shard, offset, size }: Block): string {
  const keys = Array.from({ length: size }, (_, index) => offset + index);
  return `delete element ${TABLE} ${shard.name} { ${keys.join(", ")} }`;
}

function withoutValue({ of, key }: Element): Element {
  return { of, key, value: "" };
}

/** `add element inet portolan frontends4 { 10.96.0.1 . 6 . 80 : goto ..., ... }` */
function inLines(verb: "add" | "delete", elements: readonly Element[]): readonly string[] {
  const tables = new Map<string, string[]>();
  for (const { of, key, value } of elements) {
    const texts = tables.get(of) ?? [];
    tables.set(of, texts);
    texts.push(value === "" ? key : `${key} : ${value}`);
  }
  return [...tables].flatMap(([of, texts]) => {
    const lines = Math.ceil(texts.length / ELEMENTS);
    const slices = Array.from({ length: lines }, (_, n) => texts.slice(n * ELEMENTS, (n + 1) * ELEMENTS));
    return slices.map((slice) => `${verb} element ${TABLE} ${of} { ${slice.join(", ")} }`);
  });
}
