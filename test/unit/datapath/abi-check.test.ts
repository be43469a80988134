// SPDX-License-Identifier: Apache-2.0
// An object built from another abi.h is refused, by struct and field.

import { describe, expect, it } from "vitest";
import { checkAbi } from "../../../src/datapath/ebpf/abi-check.ts";
import type { BtfField, BtfType } from "../../../src/libbpf/types.ts";

const u32: BtfType = { kind: "int", name: "__u32", size: 4, bigEndian: false, char: false };
const be32: BtfType = { kind: "int", name: "__be32", size: 4, bigEndian: true, char: false };

function serviceWord(fields: readonly BtfField[], size = 8): ReadonlyMap<string, BtfType> {
  return new Map<string, BtfType>([["service_word", { kind: "struct", name: "service_word", size, fields }]]);
}

const row: BtfField = { name: "row", offset: 0, type: u32 };
const epoch: BtfField = { name: "epoch", offset: 4, type: u32 };

describe("the check of an object's ABI", () => {
  it("accepts the layout the codec was generated from, and structs it does not know", () => {
    expect(() => checkAbi("tc.bpf.o", serviceWord([row, epoch]))).not.toThrow();
    expect(() =>
      checkAbi("tc.bpf.o", new Map([["work", { kind: "struct", name: "work", size: 4, fields: [] }]])),
    ).not.toThrow();
  });

  it.each([
    ["a struct of another size", serviceWord([row, epoch], 12), "tc.bpf.o: struct service_word: 12 bytes, expected 8"],
    [
      "a field elsewhere",
      serviceWord([
        { ...row, offset: 4 },
        { ...epoch, offset: 0 },
      ]),
      "tc.bpf.o: struct service_word: field row is u32 at byte 4, expected u32 at byte 0",
    ],
    [
      "a field of another byte order",
      serviceWord([{ ...row, type: be32 }, epoch]),
      "tc.bpf.o: struct service_word: field row is be32 at byte 0, expected u32 at byte 0",
    ],
    [
      "a field that is gone",
      serviceWord([row]),
      "tc.bpf.o: struct service_word: field epoch is absent, expected u32 at byte 4",
    ],
    [
      "a field that is new",
      serviceWord([row, epoch, { name: "flags", offset: 4, type: u32 }]),
      "tc.bpf.o: struct service_word: field flags is u32 at byte 4, expected absent",
    ],
  ])("refuses %s", (_, types, message) => {
    expect(() => checkAbi("tc.bpf.o", types)).toThrow(message);
  });
});
