// SPDX-License-Identifier: Apache-2.0
// Worlds do not change: what follows from one is worked out once, for it is asked for with every packet.

/** The same function, which remembers its result for as long as the thing lives. */
export function once<Thing extends object, Result>(work: (thing: Thing) => Result): (thing: Thing) => Result {
  const done = new WeakMap<Thing, { readonly result: Result }>();
  return (thing) => {
    const known = done.get(thing) ?? { result: work(thing) };
    done.set(thing, known);
    return known.result;
  };
}
