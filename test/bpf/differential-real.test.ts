// SPDX-License-Identifier: Apache-2.0
// The reference model held against the real programs: random Services met by packets that come in by tc, and by sockets
// that connect and send; and session affinity, rows 51, 52 and 56, by histories of clients that come again, with `explain`
// over the same maps. Each planted fault makes them disagree. Seed and counts are printed.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { affineTour, affineWorld, SOCKET_POD } from "../support/differential/affine-world.ts";
import {
  AFFINITY_EXPLAIN_FAULTS,
  AFFINITY_PROGRAM_FAULTS,
  AFFINITY_STATE_FAULTS,
} from "../support/differential/affinity-faults.ts";
import { Disagreement } from "../support/differential/compare.ts";
import type { Fault } from "../support/differential/explained-node.ts";
import { type Counts, History } from "../support/differential/history.ts";
import {
  everyPacket,
  landmarkNumbers,
  landmarkPackets,
  landmarkWorld,
  withLandmarks,
} from "../support/differential/landmarks.ts";
import { addressIn, FAMILIES } from "../support/differential/places.ts";
import { BY_DEVICE } from "../support/differential/random-detector.ts";
import { historyAtRandom, withoutBridges } from "../support/differential/random-history.ts";
import { drawsAtRandom, packetOf } from "../support/differential/random-packet.ts";
import { worldAtRandom } from "../support/differential/random-world.ts";
import { REAL_FAULTS } from "../support/differential/real-faults.ts";
import { type Asked, onRealNode, RealNode, socketWays } from "../support/differential/real-node.ts";

import { verdictOf } from "../support/model/model.ts";
import type { Packet, World } from "../support/model/world.ts";
import { useMutant } from "../support/mutant.ts";

const HISTORIES = 30;
const WORLDS = 100;
/** Of each world: at random, besides one to each verdict with each family, protocol of packets and way of a socket. */
const DRAWS = 30;
const VERDICTS = 4;
const CELLS = VERDICTS * 2 * (3 + 3);
/** Of one test; the file takes under a minute alone on two cores. */
const TIMEOUT_MS = 300_000;

const seed = Number(process.env.PORTOLAN_SEED ?? Date.now() % 2 ** 31);
let started: RealNode | undefined;

beforeAll(async () => {
  console.log(`differential: seed ${seed} (PORTOLAN_SEED repeats it)`);
  started = await RealNode.start();
  for (const family of FAMILIES) {
    started.explained.knowPod(addressIn("here", family, SOCKET_POD), started.podCookie);
  }
});
afterAll(() => started?.[Symbol.asyncDispose]());

function node(): RealNode {
  if (started === undefined) throw new Error("the node is there only while tests run");
  return started;
}

/** Each packet as it is, and by every way of a socket. */
function byEveryWay(world: World, packets: readonly Packet[]): readonly Asked[] {
  return packets.flatMap((packet) => {
    const ways = packet.hook === "wire" ? (["wire"] as const) : socketWays(packet);
    return ways.map((way) => ({ packet, way, verdict: onRealNode(verdictOf(world, packet)) }));
  });
}

describe("the reference model, real packets and real sockets", { timeout: TIMEOUT_MS }, () => {
  test("rows 24 to 34, 44: agree on whom they reach and whom they are shown, on the wire, by connect and by sendmsg", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const counts = new Map<string, number>();
    const parts = [worldAtRandom(), drawsAtRandom(DRAWS), landmarkNumbers] as const;
    const property = fc.asyncProperty(...parts, async (drawn, draws, numbers) => {
      const world = withLandmarks(withoutBridges(drawn));
      await node().explained.forget();
      await node().explained.serve(world);
      const packets = [...draws.map((draw) => packetOf(world, draw)), ...landmarkPackets(numbers)];
      const asked = byEveryWay(world, packets);
      await node().ask(world, asked);
      for (const { packet, way, verdict } of asked) {
        const met = verdict.hook === packet.hook ? verdict.verdict : "pass";
        const by = way === "wire" ? `${packet.protocol} packet` : way;
        const cell = `${met} ${packet.destination.includes(":") ? "IPv6" : "IPv4"} ${by}`;
        counts.set(cell, (counts.get(cell) ?? 0) + 1);
      }
    });
    await fc.assert(property, { numRuns: WORLDS, seed, endOnFailure: true });
    console.log([...counts].map(([cell, count]) => `${String(count).padStart(6)} ${cell}`).join("\n"));
    expect(counts.size).toBe(CELLS);
    expect([...counts].filter(([, count]) => count < WORLDS)).toEqual([]);
  });

  async function landmarks(): Promise<void> {
    const world = withoutBridges(landmarkWorld(BY_DEVICE));
    await node().explained.forget();
    await node().explained.serve(world);
    await node().ask(world, byEveryWay(world, everyPacket(world)));
  }

  test("rows 24 to 34, 44: agree at every landmark", landmarks);

  test.each(Object.entries(REAL_FAULTS))(
    "disagree over a planted fault: %s",
    async (_, { object = "cgroup", ...mutation }) => {
      using _mutant = useMutant(mutation, [object]);
      node().programs.use(object);
      try {
        await expect(landmarks()).rejects.toBeInstanceOf(Disagreement);
      } finally {
        node().programs.drop();
      }
    },
  );
});

describe("the reference model, explain and the real programs", { timeout: TIMEOUT_MS }, () => {
  test("rows 51, 52, 56: agree on whom clients meet who come again", async () => {
    const world = affineWorld();
    const counts = await History.play(node(), world, affineTour(world));
    console.log(counts);
    expect(counts.kept).toBeGreaterThan(2000);
    expect(counts.free).toBeGreaterThan(300);
    expect(counts.expired).toBeGreaterThan(100);
  });

  test("rows 51, 52, 56: agree in random histories", async () => {
    const total: Counts = { kept: 0, free: 0, expired: 0, either: 0, none: 0, refused: 0 };
    const property = fc.asyncProperty(historyAtRandom, async ({ world, steps }) => {
      const counts = await History.play(node(), world, steps);
      for (const kind of Object.keys(total) as (keyof Counts)[]) total[kind] += counts[kind];
    });
    await fc.assert(property, { numRuns: HISTORIES, seed, endOnFailure: true });
    console.log(total);
  });

  async function caught(fault: Fault = {}): Promise<void> {
    const world = affineWorld("some");
    const playing = History.play(node(), world, affineTour(world), fault);
    await expect(playing).rejects.toBeInstanceOf(Disagreement);
    await playing.catch((error: Error) => console.log(error.message.slice(0, 300)));
  }

  test.each(Object.entries(AFFINITY_STATE_FAULTS))("disagree over a planted fault: %s", (_, fault) => caught(fault()));

  test.each(Object.entries(AFFINITY_PROGRAM_FAULTS))(
    "disagree over a planted fault: %s",
    async (_, { object = "tc", ...mutation }) => {
      using _mutant = useMutant(mutation, [object]);
      node().programs.use(object);
      try {
        await caught();
      } finally {
        node().programs.drop();
      }
    },
  );

  test.each(Object.entries(AFFINITY_EXPLAIN_FAULTS))("disagree over a planted fault: %s", async (_, mutation) => {
    using _mutant = useMutant(mutation, ["explain"]);
    node().explained.usePrograms();
    try {
      await caught();
    } finally {
      node().explained.dropPrograms();
    }
  });
});
