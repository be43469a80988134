// SPDX-License-Identifier: Apache-2.0
// What our verdict maps and sets hold, and what they should: several owners may want one element, a Service's ClusterIP for each
// of its ports.

import type { Element } from "./part.ts";

interface Wish {
  value: string;
  owners: number;
}

export class Elements {
  readonly #wanted = new Map<string, Wish>();
  /** Values, as the kernel has them. */
  readonly #written = new Map<string, Element>();
  readonly #touched = new Map<string, Element>();

  /** found: all that is in the kernel; what nobody wants of it goes with the next changes(). */
  constructor(found: readonly Element[]) {
    for (const element of found) {
      this.#written.set(idOf(element), element);
      this.#touched.set(idOf(element), element);
    }
  }

  want(element: Element): void {
    const id = idOf(element);
    const { owners } = this.#wanted.get(id) ?? { owners: 0 };
    this.#wanted.set(id, { value: element.value, owners: owners + 1 });
    this.#touched.set(id, element);
  }

  /** The counterpart of want(). What changes hands is dropped before it is wanted anew. */
  drop(element: Element): void {
    const id = idOf(element);
    const wish = this.#wanted.get(id);
    if (wish && --wish.owners === 0) this.#wanted.delete(id);
    this.#touched.set(id, element);
  }

  /** What differs, once: it counts as written from now on. removed goes first: it may be added with another value. */
  changes(): { readonly removed: readonly Element[]; readonly added: readonly Element[] } {
    const removed: Element[] = [];
    const added: Element[] = [];
    for (const [id, { of, key }] of this.#touched) {
      const before = this.#written.get(id);
      const value = this.#wanted.get(id)?.value;
      if (before?.value === value) continue;
      if (before) removed.push(before);
      if (value === undefined) {
        this.#written.delete(id);
      } else {
        const element = { of, key, value };
        added.push(element);
        this.#written.set(id, element);
      }
    }
    this.#touched.clear();
    return { removed, added };
  }
}

export function idOf({ of, key }: Element): string {
  return `${of} ${key}`;
}
