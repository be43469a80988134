// SPDX-License-Identifier: Apache-2.0
// Random Services, slices and packets: the reference model and the loaded programs, asked as `explain --batch` asks
// them, agree on every one; and each planted fault makes them disagree. Seed and counts are printed.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compare, Disagreement, missedBackends } from "../support/differential/compare.ts";
import { ExplainedNode, type Fault } from "../support/differential/explained-node.ts";
import { MASQUERADING_FAULTS, PROGRAM_FAULTS, STATE_FAULTS } from "../support/differential/faults.ts";
import {
  CELLS,
  everyPacket,
  landmarkNumbers,
  landmarkPackets,
  landmarkWorld,
  withLandmarks,
} from "../support/differential/landmarks.ts";
import {
  BY_BRIDGE,
  BY_CLUSTER_CIDR,
  BY_CLUSTER_CIDR6,
  BY_DEVICE,
  BY_NODE_CIDR,
  BY_PREFIX,
  type Told,
} from "../support/differential/random-detector.ts";
import { drawsAtRandom, packetOf } from "../support/differential/random-packet.ts";
import { worldAtRandom } from "../support/differential/random-world.ts";
import type { Packet, Verdict, World } from "../support/model/world.ts";
import { useMutant } from "../support/mutant.ts";

const WORLDS = 100;
/** Of each world: at random, and one to each verdict with each family, protocol and hook. */
const DRAWS = 60;
const PACKETS = WORLDS * (DRAWS + CELLS);
/** Questions of a world that are asked until every endpoint has answered. */
const REPEATED = 3;
/** Where planted faults are looked for, beside the world of landmarks. */
const FAULTY_WORLDS = 25;
/** Half a minute alone on two cores. */
const TIMEOUT_MS = 300_000;

const seed = Number(process.env.PORTOLAN_SEED ?? Date.now() % 2 ** 31);

const EVERY_MODE = [
  ["the device", BY_DEVICE],
  ["ClusterCIDR", BY_CLUSTER_CIDR],
  ["ClusterCIDR of IPv6 alone", BY_CLUSTER_CIDR6],
  ["NodeCIDR", BY_NODE_CIDR],
  ["BridgeInterface", BY_BRIDGE],
  ["InterfaceNamePrefix", BY_PREFIX],
] as const;

/** Call inside describe(): the returned function gives the node from within tests. */
function useNode(masqueradeAll: boolean): () => ExplainedNode {
  let node: ExplainedNode | undefined;
  beforeAll(async () => {
    console.log(`differential: seed ${seed} (PORTOLAN_SEED repeats it)`);
    node = await ExplainedNode.make({ masqueradeAll });
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

interface Asking {
  readonly worlds: fc.Arbitrary<World>;
  readonly fault?: Fault;
  readonly masqueradeAll?: boolean;
}

/** Throws Disagreement; counts what was asked, by verdict, family, protocol and hook. */
function agreement(node: ExplainedNode, counts: Map<string, number>, { worlds, fault, masqueradeAll }: Asking) {
  return fc.asyncProperty(worlds, drawsAtRandom(DRAWS), landmarkNumbers, async (drawn, draws, numbers) => {
    const world = { ...withLandmarks(drawn), masqueradeAll: masqueradeAll ?? false };
    await node.serve(world, fault);
    const packets = [...draws.map((draw) => packetOf(world, draw)), ...landmarkPackets(numbers)];
    const balanced: Packet[] = [];
    for (const [i, packet] of packets.entries()) {
      const { verdict } = compare(node, world, packet, 30000 + i);
      const cell = cellOf(verdict, packet);
      counts.set(cell, (counts.get(cell) ?? 0) + 1);
      if (verdict.backends.length > 1) balanced.push(packet);
    }
    for (const packet of balanced.slice(-REPEATED)) missedBackends(node, world, packet);
  });
}

/** Throws Disagreement: in the world of landmarks every fault shows. */
async function tour(node: ExplainedNode, told: Told, fault: Fault = {}): Promise<number> {
  const world = { ...landmarkWorld(told), masqueradeAll: node.config.masqueradeAll };
  await node.serve(world, fault);
  const packets = everyPacket(world);
  for (const [i, packet] of packets.entries()) compare(node, world, packet, 20000 + i);
  // a pod's, for which the choice is random
  const pods = packets.filter(({ hook, client }) => hook === "socket" && client === "pod");
  for (const packet of pods.slice(0, REPEATED)) missedBackends(node, world, packet);
  return packets.length;
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
      await fc.assert(agreement(node(), counts, { worlds: worldAtRandom(true) }), { numRuns: WORLDS, seed });
      console.log(
        [...counts]
          .map(([cell, count]) => `${String(count).padStart(6)} ${cell}`)
          .sort()
          .join("\n"),
      );
      expect(sum(counts)).toBe(PACKETS);
      expect(counts.size).toBe(CELLS);
      expect([...counts].filter(([, count]) => count < WORLDS)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test.each(EVERY_MODE)("rows 34 to 38: agree on every packet to the landmarks, pods told by %s", async (_, told) => {
    console.log(`${await tour(node(), told)} packets`);
  });

  /** How many packets it took at the landmarks, and what worlds at random make of it. */
  async function caught(fault: Fault, told: Told): Promise<string> {
    await node().forget();
    await expect(tour(node(), told, fault)).rejects.toBeInstanceOf(Disagreement);
    const counts = new Map<string, number>();
    const worlds = worldAtRandom().map((world) => ({ ...world, ...told }));
    const options = { numRuns: FAULTY_WORLDS, seed, endOnFailure: true };
    const { failed, numRuns, errorInstance } = await fc.check(agreement(node(), counts, { worlds, fault }), options);
    await node().forget();
    if (!failed) return `caught at the landmarks, not in ${numRuns} random worlds`;
    expect(errorInstance).toBeInstanceOf(Disagreement);
    return `caught at the landmarks, and in random world ${numRuns} after ${sum(counts)} packets`;
  }

  test.each(Object.entries(STATE_FAULTS))("disagree over a planted fault: %s", async (name, { told, ...fault }) => {
    console.log(`${name}: ${await caught(fault, told ?? BY_DEVICE)}`);
  });

  test.each(Object.entries(PROGRAM_FAULTS))(
    "disagree over a planted fault: %s",
    async (name, { told, ...mutation }) => {
      using _mutant = useMutant(mutation);
      node().usePrograms();
      try {
        console.log(`${name}: ${await caught({}, told ?? BY_DEVICE)}`);
      } finally {
        node().dropPrograms();
      }
    },
  );
});

describe("the reference model and explain, with every connection masqueraded", () => {
  const node = useNode(true);

  test("row 37: agree", async () => {
    const counts = new Map<string, number>();
    const worlds = worldAtRandom(true);
    await fc.assert(agreement(node(), counts, { worlds, masqueradeAll: true }), { numRuns: 25, seed });
  });

  test.each(EVERY_MODE)("row 37: agree on every packet to the landmarks, pods told by %s", async (_, told) => {
    console.log(`${await tour(node(), told)} packets`);
  });

  test.each(Object.entries(MASQUERADING_FAULTS))("disagree over a planted fault: %s", async (_, mutation) => {
    using _mutant = useMutant(mutation);
    node().usePrograms();
    try {
      await expect(tour(node(), BY_DEVICE)).rejects.toBeInstanceOf(Disagreement);
    } finally {
      node().dropPrograms();
    }
  });
});
