// SPDX-License-Identifier: Apache-2.0
// What a field of Portolan's own configuration may hold: how it is checked and made a flag's value, and the JSON schema
// that says the same to an editor.

import * as v from "valibot";
import { PORT_RANGE_HINT, portRangeOf } from "../port-range.ts";
import { goDurationMs } from "./go-duration.ts";
import {
  check,
  checkedList,
  checkedText,
  durationProblem,
  flag,
  type ProblemOf,
  serverAddressProblem,
  text,
  wholeNumber,
} from "./values.ts";

export interface Kind {
  /** Its output is the flag's value. */
  readonly schema: v.GenericSchema<unknown, unknown>;
  readonly json: Readonly<Record<string, unknown>>;
  /** Text that means a place in the file system, relative to the file's own. */
  readonly isPath?: true;
}

export const TEXT: Kind = { schema: text, json: { type: "string" } };
export const FLAG: Kind = { schema: flag, json: { type: "boolean" } };
export const PATH: Kind = { ...TEXT, isPath: true };

/** Where to listen; the empty one is nowhere. */
export const SERVER_ADDRESS: Kind = {
  schema: checkedText((value) => (value === "" ? undefined : serverAddressProblem(value))),
  json: { type: "string" },
};

export function word(choices: readonly string[]): Kind {
  const last = choices.at(-1) ?? "";
  const problem = `must be ${choices.slice(0, -1).join(", ")} or ${last}`;
  return { schema: v.nullish(v.picklist(choices, problem)), json: { enum: choices } };
}

export function list(problemOf: ProblemOf<readonly string[]> = emptyItem): Kind {
  return { schema: checkedList(problemOf), json: { type: "array", items: { type: "string" } } };
}

export function whole([min, max]: readonly [number, number]): Kind {
  return { schema: wholeNumber(min, max), json: { type: "integer", minimum: min, maximum: max } };
}

/** `MIN-MAX` */
export const PORT_RANGE: Kind = {
  schema: v.nullish(
    v.pipe(
      v.string(`must be text: ${PORT_RANGE_HINT}`),
      check((value: string) => (portRangeOf(value) ? undefined : PORT_RANGE_HINT)),
      v.transform(portRangeOf),
    ),
  ),
  json: { type: "string", pattern: "^[0-9]+-[0-9]+$" },
};

/** Two different bits: in, out. */
export const MARK_BITS: Kind = {
  schema: v.nullish(
    v.pipe(
      v.array(v.number("must be a number"), "must be a list of two bits"),
      check((bits: number[]) =>
        bits.length === 2 && bits[0] !== bits[1] && bits.every((bit) => Number.isInteger(bit) && bit >= 0 && bit <= 31)
          ? undefined
          : "must be two different bits from 0 to 31: [29, 30]",
      ),
      v.transform(([inbound, outbound]) => ({ inbound, outbound })),
    ),
  ),
  json: {
    type: "array",
    items: { type: "integer", minimum: 0, maximum: 31 },
    minItems: 2,
    maxItems: 2,
    uniqueItems: true,
  },
};

/** As Go writes it -> milliseconds. */
export const DURATION: Kind = {
  schema: v.nullish(
    v.pipe(v.string("must be text: use one such as 30s or 1m30s"), check(durationProblem), v.transform(goDurationMs)),
  ),
  json: { type: "string", pattern: "^(0|([0-9]+([.][0-9]*)?(ns|us|µs|ms|s|m|h))+)$" },
};

function emptyItem(items: readonly string[]): string | undefined {
  return items.some((item) => item.trim() === "") ? "has an empty item" : undefined;
}
