// SPDX-License-Identifier: Apache-2.0
// The driver that serves by rules of iptables, as kube-proxy's iptables mode does and in chains of the same names. Whose they are
// tells a canary (own-chains.ts).

import type { Family } from "../../model/ip.ts";
import type { ApplyReport } from "../contract.ts";
import { hasChain, type Variant } from "../netfilter/iptables.ts";
import { CANARY } from "../netfilter/own-chains.ts";
import type { RuleSettings, RuleWriter, Wanted } from "../rules/writer.ts";
import { destroyAffinitySets } from "./affinity-sets.ts";
import { TABLES } from "./family-rules.ts";
import { FamilyWriter } from "./family-writer.ts";
import { ownRemoval } from "./removal.ts";
import { sum } from "./report.ts";
import { chooseVariant, tableInUse, type VariantChoice } from "./variant.ts";

const FAMILIES: readonly Family[] = [4, 6];
const VARIANTS: readonly Variant[] = ["nft", "legacy"];

export interface IptablesOptions {
  readonly variant: VariantChoice;
  /** Told, in whole sentences, what works in part only. */
  readonly warn: (message: string) => void;
}

export class IptablesWriter implements RuleWriter {
  readonly mode = "iptables";
  readonly #settings: RuleSettings;
  readonly #options: IptablesOptions;
  #families: readonly FamilyWriter[] | undefined;

  constructor(settings: RuleSettings, options: IptablesOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  async write(wanted: Wanted): Promise<ApplyReport> {
    if (this.#families) return await writeAll(this.#families, wanted);
    const { families } = this.#settings;
    const variant = await chooseVariant(families, this.#options.variant);
    const writers = families.map((one) => new FamilyWriter(one, this.#settings, variant, this.#options.warn));
    const report = await writeAll(writers, wanted);
    this.#families = writers;
    await removeFrom(variant === "nft" ? "legacy" : "nft");
    return report;
  }

  async intact(): Promise<boolean> {
    const looks = (this.#families ?? []).map((family) => family.intact());
    return (await Promise.all(looks)).every((intact) => intact);
  }

  async faults(): Promise<readonly string[]> {
    return (await Promise.all((this.#families ?? []).map((family) => family.faults()))).flat();
  }

  /** By our canary: chains of a kube-proxy that it has taken over since may be beside it. */
  async present(): Promise<boolean> {
    const tables = VARIANTS.flatMap((variant) =>
      FAMILIES.flatMap((family) => tableInUse(family, "nat", variant) ?? []),
    );
    return (await Promise.all(tables.map((table) => hasChain(table, CANARY)))).includes(true);
  }

  async cleanup(): Promise<boolean> {
    for (const variant of VARIANTS) await removeFrom(variant);
    this.#families = undefined;
    return await destroyAffinitySets();
  }
}

/** To the end of both, though one fails. */
async function writeAll(families: readonly FamilyWriter[], wanted: Wanted): Promise<ApplyReport> {
  const writes = await Promise.allSettled(families.map((family) => family.write(wanted)));
  for (const write of writes) if (write.status === "rejected") throw write.reason;
  return sum(writes.flatMap((write) => (write.status === "fulfilled" ? write.value : [])));
}

/** Of both families, whichever are served. */
async function removeFrom(variant: Variant): Promise<void> {
  for (const family of FAMILIES) {
    for (const name of TABLES) {
      const table = tableInUse(family, name, variant);
      const lines = table ? ownRemoval(name, await table.rules()) : [];
      if (lines.length > 0) await table?.restore(lines);
    }
  }
}
