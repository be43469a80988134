// SPDX-License-Identifier: Apache-2.0
// Random Services, slices and packets: the reference model and the loaded programs, asked as `explain --batch` asks
// them, agree on every one; and each planted fault makes them disagree. Seed and counts are printed.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compare, Disagreement, missedBackends } from "../support/differential/compare.ts";
import { ExplainedNode, type Fault } from "../support/differential/explained-node.ts";
import { PROGRAM_FAULTS, STATE_FAULTS } from "../support/differential/faults.ts";
import { drawsAtRandom, packetOf } from "../support/differential/random-packet.ts";
import { worldAtRandom } from "../support/differential/random-world.ts";
import type { Packet, Verdict } from "../support/model/world.ts";
import { useMutant } from "../support/mutant.ts";

const PACKETS = 10_000;
/** So often every verdict occurs with each family, protocol and hook. */
const EACH = 100;
/** Verdicts, families, protocols and hooks; but sockets leave all SCTP alone (row 48). */
const CELLS = 4 * 2 * 2 * 2 + 2 * (4 + 1);
/** Worlds of about 120 packets are drawn in batches until there is enough of everything; twice as many as it takes. */
const BATCH = 40;
const BATCHES = 15;
/** A fault must show within so many worlds. */
const FAULTY_WORLDS = 100;
/** Half a minute alone on two cores. */
const TIMEOUT_MS = 300_000;

const seed = Number(process.env.PORTOLAN_SEED ?? Date.now() % 2 ** 31);

/** Call inside describe(): the returned function gives the node from within tests. */
function useNode(masqueradeAll: boolean): () => ExplainedNode {
  let node: ExplainedNode | undefined;
  beforeAll(() => {
    console.log(`differential: seed ${seed} (PORTOLAN_SEED repeats it)`);
    node = new ExplainedNode(masqueradeAll);
  });
  afterAll(() => node?.[Symbol.dispose]());
  return () => {
    if (!node) throw new Error("the node is there only while tests run");
    return node;
  };
}

function cellOf({ verdict }: Verdict, { hook, protocol, destination }: Packet): string {
  return `${verdict} ${destination.includes(":") ? "IPv6" : "IPv4"} ${protocol} ${hook}`;
}

/** Throws Disagreement; counts what was asked, by verdict, family, protocol and hook. */
function agreement(node: ExplainedNode, counts: Map<string, number>, fault: Fault = {}, masqueradeAll = false) {
  return fc.asyncProperty(worldAtRandom, drawsAtRandom, async (drawn, draws) => {
    const world = { ...drawn, masqueradeAll };
    await node.serve(world, fault);
    const balanced = new Map<string, Packet>();
    for (const [i, draw] of draws.entries()) {
      const packet = packetOf(world, draw);
      const { verdict } = compare(node, world, packet, 30000 + i);
      const cell = cellOf(verdict, packet);
      counts.set(cell, (counts.get(cell) ?? 0) + 1);
      if (verdict.backends.length > 1) balanced.set(cell, packet);
    }
    for (const packet of balanced.values()) missedBackends(node, world, packet);
  });
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}

describe("the reference model and explain", () => {
  const node = useNode(false);

  test(
    `agree on ${PACKETS} packets`,
    async () => {
      const counts = new Map<string, number>();
      const scarce = () => [...counts].filter(([, count]) => count < EACH);
      const enough = () => sum(counts) >= PACKETS && counts.size === CELLS && scarce().length === 0;
      for (let batch = 0; batch < BATCHES && !enough(); batch++) {
        await fc.assert(agreement(node(), counts), { numRuns: BATCH, seed: seed + batch });
      }
      console.log(
        [...counts]
          .map(([cell, count]) => `${String(count).padStart(6)} ${cell}`)
          .sort()
          .join("\n"),
      );
      expect(sum(counts)).toBeGreaterThanOrEqual(PACKETS);
      expect(counts.size).toBe(CELLS);
      expect([...counts].filter(([, count]) => count < EACH)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  /** The worlds and packets it took. */
  async function caught(fault: Fault): Promise<string> {
    node().forget();
    const counts = new Map<string, number>();
    const options = { numRuns: FAULTY_WORLDS, seed, endOnFailure: true };
    const { failed, numRuns, errorInstance } = await fc.check(agreement(node(), counts, fault), options);
    expect(failed).toBe(true);
    expect(errorInstance).toBeInstanceOf(Disagreement);
    return `caught in world ${numRuns}, after ${sum(counts)} packets`;
  }

  test.each(Object.entries(STATE_FAULTS))("disagree over a planted fault: %s", async (name, fault) => {
    console.log(`${name}: ${await caught(fault)}`);
  });

  test.each(Object.entries(PROGRAM_FAULTS))("disagree over a planted fault: %s", async (name, mutation) => {
    using _mutant = useMutant(mutation);
    node().usePrograms();
    try {
      console.log(`${name}: ${await caught({})}`);
    } finally {
      node().dropPrograms();
    }
  });
});

describe("the reference model and explain, with every connection masqueraded", () => {
  const node = useNode(true);

  test("row 37: agree", async () => {
    const counts = new Map<string, number>();
    await fc.assert(agreement(node(), counts, {}, true), { numRuns: 40, seed });
    expect([...counts.keys()].filter((cell) => cell.endsWith("socket") && !cell.startsWith("pass"))).toEqual([]);
  });
});
