// SPDX-License-Identifier: Apache-2.0
// docs/kernels.md says what is on record of each kernel.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { KERNELS, readKernelRecord } from "../../matrix/kernel-record.ts";
import { kernelsDocument } from "../../matrix/kernels-document.ts";
import { root } from "./source-files.ts";

test("docs/kernels.md is what its generator makes of the records", () => {
  expect(readFileSync(`${root}/docs/kernels.md`, "utf8")).toBe(kernelsDocument());
});

test.each(KERNELS)("the record of %s is of that kernel, and has an answer of every mode", (version) => {
  const { release, modes, hooks } = readKernelRecord(version);
  expect(release.startsWith(`${version}.`)).toBe(true);
  expect(modes.map(({ mode }) => mode)).toEqual(["ebpf", "nftables", "ipvs", "iptables"]);
  for (const { usable, reason } of modes)
    expect([typeof usable, reason]).toEqual(["boolean", expect.stringMatching(/\S/)]);
  expect(Object.keys(hooks)).toEqual(Object.keys(readKernelRecord(KERNELS[0]).hooks));
});
