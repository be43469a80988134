// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DROP_EXPLANATIONS } from "../../../src/inspect/drop-reasons.ts";

test("every drop reason of abi.h that is in use has a name and an explanation, in the same order", () => {
  const header = readFileSync(new URL("../../../bpf/abi_flows.h", import.meta.url), "utf8");
  const body = /enum drop_reason \{([^}]*)\}/.exec(header)?.[1] ?? "";
  const names = [...body.matchAll(/^\tDROP_(\w+)/gm)].map((match) => match[1]?.toLowerCase());
  expect(names.slice(0, 2)).toEqual(["none", "no_endpoints"]);
  expect(names[9]).toBe("unused9");
  expect(Object.keys(DROP_EXPLANATIONS)).toEqual(names.filter((name) => name !== "unused9").slice(1, -1));
});
