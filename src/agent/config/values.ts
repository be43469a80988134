// SPDX-License-Identifier: Apache-2.0
// Kinds of values in configuration files: what they may be, in words for who wrote something else. null counts as absent.

import * as v from "valibot";
import { parseCidr } from "../../model/ip.ts";
import { readBindAddress } from "../bind-address.ts";
import { goDurationMs } from "./go-duration.ts";

export const OBJECT = "must be an object with named fields";
const TEXT = "must be text: put it in quotes";
const BOOLEAN = "must be true or false";
const LIST = "must be a list";

export type Nullish<T> = T | null | undefined;
/** What is wrong with a value; undefined: nothing. */
export type ProblemOf<T> = (value: T) => string | undefined;

export const text: v.GenericSchema<unknown, Nullish<string>> = v.nullish(v.string(TEXT));
export const flag: v.GenericSchema<unknown, Nullish<boolean>> = v.nullish(v.boolean(BOOLEAN));
export const number: v.GenericSchema<unknown, Nullish<number>> = v.nullish(v.number("must be a number"));
export const featureGates: v.GenericSchema<unknown, Nullish<Record<string, boolean>>> = v.nullish(
  v.record(v.string(), v.boolean(BOOLEAN), OBJECT),
);

export function wholeNumber(min: number, max: number): v.GenericSchema<unknown, Nullish<number>> {
  const problem = `must be a whole number from ${min} to ${max}`;
  return v.nullish(v.pipe(v.number(problem), v.integer(problem), v.minValue(min, problem), v.maxValue(max, problem)));
}

export function checkedText(problemOf: ProblemOf<string>): v.GenericSchema<unknown, Nullish<string>> {
  return v.nullish(v.pipe(v.string(TEXT), check(problemOf)));
}

export function checkedList(problemOf: ProblemOf<string[]>): v.GenericSchema<unknown, Nullish<string[]>> {
  return v.nullish(v.pipe(v.array(v.string(TEXT), LIST), check(problemOf)));
}

export function check<T>(problemOf: ProblemOf<T>): v.CheckAction<T, (issue: v.CheckIssue<T>) => string> {
  return v.check(
    (value: T) => problemOf(value) === undefined,
    ({ input }) => problemOf(input) ?? "",
  );
}

export function durationProblem(value: string): string | undefined {
  if (goDurationMs(value) !== undefined) return undefined;
  return `${quoted(value)} is no duration: use one such as 30s or 1m30s`;
}

/** `ADDRESS` or `ADDRESS:PORT`, IPv6 with a port in brackets. */
export function serverAddressProblem(value: string): string | undefined {
  if (readBindAddress(value, 1)) return undefined;
  return `${quoted(value)} is no address: use one such as 0.0.0.0:10256`;
}

export function nodePortAddressProblem(items: readonly string[]): string | undefined {
  if (items.length === 1 && items[0] === "primary") return undefined;
  if (items.includes("primary")) return '"primary" must stand alone';
  return cidrsProblem(items);
}

/** Of the first item that is no CIDR. */
export function cidrsProblem(items: readonly string[]): string | undefined {
  const wrong = items.find((item) => !parseCidr(item));
  return wrong === undefined ? undefined : `${quoted(wrong)} is no CIDR: use one such as 192.0.2.0/24`;
}

export function quoted(value: string): string {
  return JSON.stringify(value);
}
