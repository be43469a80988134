// SPDX-License-Identifier: Apache-2.0
// Writes Services as rules of nftables, in one table of our own for both families: each write is one transaction.

import type { ServiceKey } from "../../compile/state.ts";
import type { Family } from "../../model/ip.ts";
import type { ApplyReport } from "../contract.ts";
import { findCommand, NetfilterError, runCommand } from "../netfilter/command.ts";
import type { RuleSettings, RuleWriter, Wanted } from "../rules/writer.ts";
import { idOf } from "./elements.ts";
import { readElements, readTable } from "./listing.ts";
import { nodePart } from "./node-part.ts";
import { NOTHING, type Part, TABLE } from "./part.ts";
import { type Change, Ruleset } from "./ruleset.ts";
import { servicePart } from "./service-part.ts";
import { fixedTables } from "./tables.ts";

/** Of which an earlier agent may have served others. */
const BOTH: readonly Family[] = [4, 6];

/** A service port, or the node itself. */
type Owner = ServiceKey | "node";

export class NftablesWriter implements RuleWriter {
  readonly mode = "nftables";
  readonly #settings: RuleSettings;
  /** undefined: not known. */
  #ruleset: Ruleset | undefined;
  #parts = new Map<Owner, Part>();

  constructor(settings: RuleSettings) {
    this.#settings = settings;
  }

  async write(wanted: Wanted): Promise<ApplyReport> {
    const nft = command();
    if (wanted.whole || this.#ruleset === undefined) return await this.#writeWhole(nft, wanted);
    const ruleset = this.#ruleset;
    const owners: readonly Owner[] = [...wanted.changed, ...(wanted.surroundingsChanged ? ["node" as const] : [])];
    const coming = new Map(owners.map((owner) => [owner, this.#partOf(owner, wanted)]));
    const gone = owners.flatMap((owner) => this.#parts.get(owner) ?? []);
    const change = ruleset.change(gone, [...coming.values()], performance.now());
    await this.#run(nft, change.lines);
    const left = owners.filter((owner) => owner !== "node" && !wanted.services.has(owner) && this.#parts.has(owner));
    for (const [owner, part] of coming) this.#parts.set(owner, part);
    for (const owner of left) this.#parts.delete(owner);
    return reportOf(change, coming, left.length);
  }

  async intact(): Promise<boolean> {
    const nft = command();
    if (!(await this.#inUse(nft, this.#settings.families[0] ?? 4))) return false;
    const lines = this.#ruleset?.reclaim(performance.now()) ?? [];
    await this.#run(nft, lines);
    return true;
  }

  /** What endpoints a map holds is not listed: a map flushed by hand goes unseen. */
  async faults(): Promise<readonly string[]> {
    if (!this.#ruleset) return [];
    const found = await this.#read(command());
    const { chains, added, removed } = found.replace([...this.#parts.values()], performance.now());
    const faults = [
      ...[...chains].map((name) => `chain ${name}`),
      ...[...added, ...removed].map(({ of, key }) => `${of} ${key}`),
    ];
    return faults.map((fault) => `${TABLE} ${fault}`);
  }

  async present(): Promise<boolean> {
    const nft = findCommand("nft");
    if (nft === undefined) return false;
    for (const family of BOTH) if (await this.#inUse(nft, family)) return true;
    return false;
  }

  /** At once in any case: what has begun does not need the rules. */
  async cleanup(): Promise<boolean> {
    const nft = findCommand("nft");
    this.#ruleset = undefined;
    if (nft !== undefined) await runCommand(nft, ["-f", "-"], `add table ${TABLE}\ndelete table ${TABLE}\n`);
    return true;
  }

  async #writeWhole(nft: string, wanted: Wanted): Promise<ApplyReport> {
    this.#ruleset = undefined;
    const ruleset = await this.#read(nft);
    const owners: readonly Owner[] = ["node", ...wanted.services.keys()];
    const coming = new Map(owners.map((owner) => [owner, this.#partOf(owner, wanted)]));
    const change = ruleset.replace([...coming.values()], performance.now());
    await this.#run(nft, change.lines);
    this.#ruleset = ruleset;
    const left = [...this.#parts.keys()].filter((owner) => !coming.has(owner));
    this.#parts = coming;
    return reportOf(change, coming, left.length);
  }

  #partOf(owner: Owner, { services, surroundings }: Wanted): Part {
    if (owner === "node") return nodePart(surroundings, this.#settings);
    const service = services.get(owner);
    if (service === undefined || !this.#settings.families.includes(service.family)) return NOTHING;
    return servicePart(service, this.#settings);
  }

  /** What is in the kernel is not known after a failure. */
  async #run(nft: string, lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    try {
      await runCommand(nft, ["-f", "-"], `${lines.join("\n")}\n`);
    } catch (error) {
      this.#ruleset = undefined;
      throw error;
    }
  }

  async #read(nft: string): Promise<Ruleset> {
    const { families } = this.#settings;
    const listed = await orNothing(runCommand(nft, ["-j", "-t", "list", "table", ...TABLE.split(" ")]));
    if (listed === undefined) return new Ruleset(families, undefined, []);
    const found = readTable(listed);
    const present = BOTH.flatMap(fixedTables).filter(({ name }) => found.names.includes(name));
    const contents = present.map(({ kind, name }) => {
      return runCommand(nft, ["-j", "-p", "list", kind, ...TABLE.split(" "), name]);
    });
    return new Ruleset(families, found, (await Promise.all(contents)).flatMap(readElements));
  }

  /**
   * Listing a chain lists all of them, which takes long. To delete a set that a rule uses is refused, quickly; --check sees to
   * it that nothing is deleted in any case.
   */
  async #inUse(nft: string, family: Family): Promise<boolean> {
    const set = `nodeport-ips${family}`;
    try {
      await runCommand(nft, ["--check", "delete", "set", ...TABLE.split(" "), set]);
      return false;
    } catch (error) {
      if (isAbsent(error)) return false;
      if (error instanceof NetfilterError && /Device or resource busy/.test(error.message)) return true;
      throw error;
    }
  }
}

/** Whether it takes our rules has been asked before (src/datapath/probe). Throws NetfilterError. */
function command(): string {
  const nft = findCommand("nft");
  if (nft !== undefined) return nft;
  throw new NetfilterError("nft is not installed: install the package nftables, or choose another --mode");
}

function reportOf(
  { chains, removed, added, endpoints }: Change,
  coming: ReadonlyMap<Owner, Part>,
  left: number,
): ApplyReport {
  const touched = new Set([...removed, ...added].map(idOf));
  const services = [...coming].filter(([owner, part]) => {
    if (owner === "node") return false;
    return (
      part.chains.some(({ name }) => chains.has(name)) || part.elements.some((element) => touched.has(idOf(element)))
    );
  });
  const frontends = (elements: Change["added"]) =>
    elements.filter(({ of }) => /^(?:frontends|nodeports)/.test(of)).length;
  return {
    servicesWritten: services.length,
    servicesRemoved: left,
    frontendsWritten: frontends(added),
    frontendsRemoved: frontends(removed),
    backendsWritten: endpoints,
  };
}

async function orNothing(listing: Promise<string>): Promise<string | undefined> {
  try {
    return await listing;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof NetfilterError && /No such file or directory/.test(error.message);
}
