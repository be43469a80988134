// SPDX-License-Identifier: Apache-2.0
// Session affinity, rows 51, 52 and 56: histories of clients that come again, answered by the reference model, by
// `explain`, and by the real programs over the same maps: packets through tc, sockets that connect and send. Each
// planted fault makes them disagree. Seed and counts are printed.

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
import { addressIn, FAMILIES } from "../support/differential/places.ts";
import { historyAtRandom } from "../support/differential/random-history.ts";
import { RealNode } from "../support/differential/real-node.ts";
import { useMutant } from "../support/mutant.ts";

const HISTORIES = 30;
/** Ten seconds alone on two cores. */
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

describe("the reference model, explain and the real programs", () => {
  test("rows 51, 52, 56: agree on whom clients meet who come again", async () => {
    const world = affineWorld();
    const counts = await History.play(node(), world, affineTour(world));
    console.log(counts);
    expect(counts.kept).toBeGreaterThan(2000);
    expect(counts.free).toBeGreaterThan(300);
    expect(counts.expired).toBeGreaterThan(100);
  });

  test("rows 51, 52, 56: agree in random histories", { timeout: TIMEOUT_MS }, async () => {
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
