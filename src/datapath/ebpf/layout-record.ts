// SPDX-License-Identifier: Apache-2.0
// How the structs in pinned maps lie in memory, written down beside them, so that an agent of another version can read
// flows it has no codec for. BTF would say it too, but only to CAP_SYS_ADMIN.

import { existsSync, mkdirSync } from "node:fs";
import * as v from "valibot";
import { createMap, openPinnedMap } from "../../libbpf/index.ts";
import { layouts } from "./abi.gen.ts";
import { PADDING, type StructLayout } from "./abi-layout.ts";
import { LayoutError } from "./errors.ts";
import type { LayoutPins } from "./pins.ts";

export type Layouts = Readonly<Record<string, StructLayout>>;

const BPF_MAP_TYPE_ARRAY = 2;
const KEY = new Uint8Array(4);
/** Bytes of UTF-8 JSON, zero-padded: C struct → {size, fields: {name: [offset, type]}}. This never changes. */
const CELL = 65_536;

const Recorded = v.record(
  v.string(),
  v.object({
    size: v.number(),
    fields: v.record(v.string(), v.tuple([v.number(), v.string()])),
  }),
);

/**
 * Writes down how our own structs lie, before the first of our maps. Throws LayoutError when another build of the same
 * version was here whose structs lie otherwise.
 */
export function recordLayout(pins: LayoutPins): void {
  if (existsSync(pins.layout)) {
    if (flowPlaces(recordedLayout(pins)) === undefined) return;
    throw new LayoutError(`struct flow lies otherwise in ${pins.maps}, which an unreleased build has left`);
  }
  mkdirSync(pins.version, { recursive: true });
  const text = new TextEncoder().encode(JSON.stringify(layouts));
  using map = createMap({ name: "layout", type: BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: CELL, maxEntries: 1 });
  const cell = new Uint8Array(CELL);
  cell.set(text);
  map.update(KEY, cell);
  map.pin(pins.layout);
}

/** Throws LayoutError when nothing legible is there. */
export function recordedLayout(pins: LayoutPins): Layouts {
  if (!existsSync(pins.layout))
    throw new LayoutError(`${pins.layout} is not there: nobody says how the maps beside it lie`);
  using map = openPinnedMap(pins.layout);
  const text = new TextDecoder().decode(map.lookup(KEY)).replace(/\0+$/, "");
  try {
    return v.parse(Recorded, JSON.parse(text));
  } catch (cause) {
    throw new LayoutError(`${pins.layout} does not say how the maps beside it lie: ${String(cause)}`, { cause });
  }
}

/** Structs that no pinned map holds. */
const PASSING: ReadonlySet<string> = new Set(["explanation", "socket_question", "sweep_report", "migration"]);
/** What before.bpf.h translates, field by field. */
const TRANSLATED = "flow";

/** bytes; a field that the other layout does not have is undefined */
export type FlowPlaces = Readonly<Record<string, number | undefined>>;

/**
 * Where our fields of struct flow stood in another layout; undefined if all stand where they did. Throws LayoutError that
 * names what cannot be taken over: any other struct that differs, or a field whose type has changed.
 */
export function flowPlaces(theirs: Layouts, ours: Layouts = layouts): FlowPlaces | undefined {
  for (const [name, layout] of Object.entries(ours)) {
    const before = theirs[name];
    if (!before || PASSING.has(name) || name === TRANSLATED || same(layout, before)) continue;
    throw new LayoutError(`struct ${name} lies otherwise there; only flows can be taken over`);
  }
  const [now, before] = [ours[TRANSLATED], theirs[TRANSLATED]];
  if (!now || !before) throw new LayoutError(`nothing says how struct ${TRANSLATED} lies there`);
  if (same(now, before)) return undefined;
  const fields = Object.entries(now.fields).filter(([field]) => !PADDING.test(field));
  return Object.fromEntries(
    fields.map(([field, [, type]]) => {
      const [offset, typeBefore] = before.fields[field] ?? [undefined, type];
      if (typeBefore === type) return [field, offset];
      throw new LayoutError(`struct ${TRANSLATED}: field ${field} is ${typeBefore} there and ${type} here`);
    }),
  );
}

function same(a: StructLayout, b: StructLayout): boolean {
  const words = ({ size, fields }: StructLayout) =>
    [
      size,
      ...Object.entries(fields)
        .map(([name, [offset, type]]) => `${name} ${offset} ${type}`)
        .sort(),
    ].join();
  return words(a) === words(b);
}
