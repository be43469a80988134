// SPDX-License-Identifier: Apache-2.0
// Parsers of flag values: what they take, and what they say of the rest.
import { Command } from "commander";
import { afterEach, describe, expect, test, vi } from "vitest";
import { bpffsOption, parseCount, parseList, parseMarkBits, parsePortRange } from "../../../src/cli/flags.ts";

describe("where the pins are", () => {
  afterEach(() => vi.unstubAllEnvs());
  const bpffs = (...flags: readonly string[]) =>
    new Command().addOption(bpffsOption()).parse(flags, { from: "user" }).opts<{ bpffs: string }>().bpffs;

  test("the flag says, else the environment, as in the DaemonSet's pods, else it is the usual place", () => {
    expect(bpffs()).toBe("/sys/fs/bpf");
    vi.stubEnv("PORTOLAN_BPFFS", "/host/bpf");
    expect(bpffs()).toBe("/host/bpf");
    expect(bpffs("--bpffs", "/x")).toBe("/x");
  });
});

describe("a port range", () => {
  test("has its lower port first", () => {
    expect(parsePortRange("30000-32767")).toEqual({ min: 30_000, max: 32_767 });
    expect(parsePortRange("4000-4000")).toEqual({ min: 4000, max: 4000 });
  });

  test.each(["", "30000", "32767-30000", "0-10", "1-65536", "a-b", "1-2-3", "1 - 2"])("is not %j", (value) => {
    expect(() => parsePortRange(value)).toThrow("give two ports from 1 to 65535, lower one first: 30000-32767.");
  });
});

describe("mark bits", () => {
  test("are two different bits", () => {
    expect(parseMarkBits("29,30")).toEqual({ inbound: 29, outbound: 30 });
    expect(parseMarkBits("31,0")).toEqual({ inbound: 31, outbound: 0 });
  });

  test.each(["", "29", "29,29", "29,32", "-1,3", "1,2,3", "0x1,2"])("are not %j", (value) => {
    expect(() => parseMarkBits(value)).toThrow("give two different bits from 0 to 31: 29,30.");
  });
});

describe("a count", () => {
  test("is a whole number in its range", () => {
    expect(parseCount(16, 1000)("16")).toBe(16);
    expect(parseCount(16, 1000)("1000")).toBe(1000);
  });

  test.each(["15", "1001", "1.5", "1e2", "", "-20", "many"])("is not %j", (value) => {
    expect(() => parseCount(16, 1000)(value)).toThrow("give a whole number from 16 to 1000.");
  });
});

describe("a list", () => {
  test("is separated by commas, and goes on when the flag comes again", () => {
    expect(parseList("a, b", undefined)).toEqual(["a", "b"]);
    expect(parseList("c", ["a", "b"])).toEqual(["a", "b", "c"]);
  });

  test("has no empty items", () => {
    expect(() => parseList("a,,b", undefined)).toThrow('an empty item in "a,,b".');
  });
});
