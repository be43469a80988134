// SPDX-License-Identifier: Apache-2.0
// One table of one family: the chains that are wanted, those that were written last, and what makes the one of the other. Pure.

/** What iptables-restore is told, and what that comes to. */
export interface TableChange {
  /** Chains are replaced whole; none: nothing is to be done. */
  readonly lines: readonly string[];
  /** Chains that are new or different. */
  readonly written: ReadonlySet<string>;
  readonly removed: ReadonlySet<string>;
}

export class TableChains {
  readonly #wanted = new Map<string, readonly string[]>();
  #written = new Map<string, readonly string[]>();
  #held: ReadonlySet<string> = new Set();
  /** Chains that may differ. */
  readonly #touched = new Set<string>();

  /** undefined: not at all. */
  want(chain: string, rules: readonly string[] | undefined): void {
    if (rules) this.#wanted.set(chain, rules);
    else this.#wanted.delete(chain);
    this.#touched.add(chain);
  }

  wanted(chain: string): readonly string[] | undefined {
    return this.#wanted.get(chain);
  }

  /** The kernel holds these chains of ours; those of held cannot be deleted. */
  found(chains: ReadonlyMap<string, readonly string[]>, held: ReadonlySet<string>): void {
    this.#written = new Map(chains);
    this.#held = held;
    for (const chain of [...chains.keys(), ...this.#wanted.keys()]) this.#touched.add(chain);
  }

  /** Rules that the chain had when it was written last. */
  written(chain: string): readonly string[] {
    return this.#written.get(chain) ?? [];
  }

  /** Chains that are not as they were written last, or are nobody's. found: those of ours in the kernel. */
  differing(found: ReadonlyMap<string, readonly string[]>): readonly string[] {
    const chains = [...new Set([...this.#written.keys(), ...found.keys()])];
    return chains.filter((chain) => {
      const [written, there] = [this.#written.get(chain), found.get(chain)];
      return !(written && there && sameRules(written, there));
    });
  }

  /** jumps: rules that chains of others are to begin with, each as `-I CHAIN RULE`. */
  change(jumps: readonly string[] = []): TableChange {
    const written = new Set<string>();
    const removed = new Set<string>();
    for (const chain of this.#touched) {
      const wanted = this.#wanted.get(chain);
      const before = this.#written.get(chain);
      if (wanted && !(before && sameRules(before, wanted))) written.add(chain);
      if (!wanted && before && !(this.#held.has(chain) && before.length === 0)) removed.add(chain);
    }
    const rules = [...written].flatMap((chain) => (this.#wanted.get(chain) ?? []).map((rule) => `-A ${chain} ${rule}`));
    const lines = [
      ...quickest([...written, ...removed]).map((chain) => `:${chain} - [0:0]`),
      ...rules,
      ...jumps,
      ...[...removed].filter((chain) => !this.#held.has(chain)).map((chain) => `-X ${chain}`),
    ];
    return { lines, written, removed };
  }

  /** The last change() is in the kernel. */
  done({ written, removed }: TableChange): void {
    for (const chain of written) this.#written.set(chain, this.#wanted.get(chain) ?? []);
    for (const chain of removed) {
      if (this.#held.has(chain)) this.#written.set(chain, []);
      else this.#written.delete(chain);
    }
    this.#touched.clear();
  }
}

/**
 * The last name first: the nft variant keeps its chains sorted in a list and looks for the place of each from the front. 11 000 in
 * any order take it 5 s, in this one 1 s.
 */
function quickest(chains: readonly string[]): readonly string[] {
  return chains.toSorted((a, b) => (a < b ? 1 : -1));
}

function sameRules(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((rule, index) => rule === b[index]));
}
