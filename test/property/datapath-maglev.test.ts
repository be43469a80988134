// SPDX-License-Identifier: Apache-2.0
// Maglev tables: fair, the same on every node, and little disturbed when a member goes.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type MaglevMember, maglevSize, maglevTable, murmur3 } from "../../src/datapath/ebpf/maglev.ts";

function maglevMember(host: number, weight = 1): MaglevMember {
  const identity = Buffer.from("00000000000000000000ffff0a0000001f9006", "hex");
  identity.writeUInt16BE(host, 14);
  return { identity, weight };
}

const hosts = (max: number) => fc.uniqueArray(fc.nat({ max: 65535 }), { minLength: 1, maxLength: max });

/** Slots of each member. */
function shares(members: readonly MaglevMember[]): readonly number[] {
  const counts = new Array<number>(members.length).fill(0);
  for (const position of maglevTable(members)) counts[position] = (counts[position] ?? 0) + 1;
  return counts;
}

describe("a Maglev table", () => {
  it("has a prime size of at least 100 slots a member, up to 65521", () => {
    expect([1, 2, 3, 5, 10, 20, 40, 81, 163, 327, 655, 656, 65535].map(maglevSize)).toEqual([
      251, 251, 509, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 65521, 65521,
    ]);
  });

  it("is empty without members", () => {
    expect(maglevTable([])).toHaveLength(0);
  });

  it("hashes as MurmurHash3 x86_32 does", () => {
    const text = (words: string) => new TextEncoder().encode(words);
    expect(murmur3(text(""), 1)).toBe(0x514e28b7);
    expect(murmur3(text("test"), 0x9747b28c)).toBe(0x704b81dc);
    expect(murmur3(text("Hello, world!"), 0x9747b28c)).toBe(0x24884cba);
  });

  it("gives members of one weight their share within 2 %", () => {
    fc.assert(
      fc.property(hosts(80), (list) => {
        const members = list.map((host) => maglevMember(host));
        const fair = maglevSize(members.length) / members.length;
        for (const share of shares(members)) expect(Math.abs(share - fair) / fair).toBeLessThan(0.02);
      }),
      { numRuns: 60 },
    );
  });

  it("gives members shares in proportion to their weights, within 3 %", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 65535 }), { minLength: 4, maxLength: 40 }), (list) => {
        const members = list.map((host, i) => maglevMember(host, 1 + (i % 3)));
        const total = members.reduce((sum, { weight }) => sum + weight, 0);
        const size = maglevSize(members.length);
        for (const [i, share] of shares(members).entries()) {
          const fair = (size * (members[i]?.weight ?? 0)) / total;
          expect(Math.abs(share - fair)).toBeLessThan(Math.max(2, fair * 0.03));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("chooses the same members whatever the order of the set", () => {
    fc.assert(
      fc.property(hosts(30), fc.infiniteStream(fc.nat()), (list, random) => {
        const members = list.map((host) => maglevMember(host));
        const shuffled = members
          .map((one) => ({ one, at: random.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ one }) => one);
        const chosen = (set: readonly MaglevMember[]) => [...maglevTable(set)].map((position) => set[position]);
        expect(chosen(shuffled)).toEqual(chosen(members));
      }),
      { numRuns: 40 },
    );
  });

  it("moves few connections of members that stay when one goes", () => {
    let moved = 0;
    let kept = 0;
    for (let first = 0; first < 20; first++) {
      const members = Array.from({ length: 10 }, (_, i) => maglevMember(first * 100 + i));
      const before = maglevTable(members);
      const after = maglevTable(members.slice(0, 9));
      for (const [slot, position] of before.entries()) {
        if (position === 9) continue;
        if (after[slot] === position) kept++;
        else moved++;
      }
    }
    expect(moved / (moved + kept)).toBeLessThan(0.05);
  });
});
