// SPDX-License-Identifier: Apache-2.0
// Histories at random: clients that come again to a random world, which changes and changes back.

import fc from "fast-check";
import { verdictOf } from "../model/model.ts";
import type { Packet, World } from "../model/world.ts";
import { SOCKET_POD } from "./affine-world.ts";
import type { Step } from "./history.ts";
import { addressIn } from "./places.ts";
import { type Draw, drawsAtRandom, packetOf } from "./random-packet.ts";
import { worldAtRandom } from "./random-world.ts";
import { socketWays } from "./real-node.ts";

export interface RandomHistory {
  readonly world: World;
  readonly steps: readonly Step[];
}

/** Connections while one world is in force. */
const CONNECTIONS = 25;
const SECONDS = [1, 20, 100, 550, 700, 11_000] as const;

/** By bridges the real node's packets do not come. */
export function withoutBridges(world: World): World {
  return { ...world, interfaces: { pod: { name: "veth1" }, outside: { name: "eth0" } } };
}

const worlds = worldAtRandom().map(withoutBridges);

/** Some endpoints gone. */
function thinned(world: World, keep: readonly boolean[]): World {
  const slices = world.slices.map((slice, s) => ({
    ...slice,
    endpoints: slice.endpoints.filter((_, e) => keep[(7 * s + e) % keep.length] ?? true),
  }));
  return { ...world, slices };
}

type Drawn =
  | { readonly kind: "new"; readonly draws: readonly Draw[] }
  | { readonly kind: "again"; readonly which: number }
  | { readonly kind: "later"; readonly seconds: number };

const period: fc.Arbitrary<readonly Drawn[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("new"), draws: drawsAtRandom(8) }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("again"), which: fc.nat({ max: 100 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("later"), seconds: fc.constantFrom(...SECONDS) }) },
  ),
  { minLength: CONNECTIONS, maxLength: CONNECTIONS },
);

/** before: connections of this history so far, which may come again. */
function stepsIn(world: World, drawn: readonly Drawn[], before: Step[]): readonly Step[] {
  return drawn.flatMap((one): readonly Step[] => {
    if (one.kind === "later") return [{ do: "later", seconds: one.seconds }];
    if (one.kind === "again") return before.length === 0 ? [] : before.slice(one.which % before.length).slice(0, 1);
    const made = one.draws.flatMap((draw) => connection(world, draw));
    const step = made.find((each) => each.do === "connect" && isServed(world, each.packet)) ?? made[0];
    if (step === undefined) return [];
    before.push(step);
    return [step];
  });
}

/** Most are to be. */
function isServed(world: World, packet: Packet): boolean {
  return verdictOf(world, packet).verdict === "dnat";
}

function connection(world: World, draw: Draw): readonly Step[] {
  const packet = packetOf(world, draw);
  if (packet.hook === "wire") return [{ do: "connect", packet, way: "wire" }];
  const ways = socketWays(packet);
  const way = ways[draw.frontend % Math.max(1, ways.length)];
  if (way === undefined) return [];
  const family = packet.destination.includes(":") ? 6 : 4;
  const source = packet.client === "pod" ? addressIn("here", family, SOCKET_POD) : packet.source;
  return [{ do: "connect", packet: { ...packet, source }, way }];
}

/** A world, less of it, another one with the same names, and the first again. */
export const historyAtRandom: fc.Arbitrary<RandomHistory> = fc
  .record({
    world: worlds,
    other: worlds,
    keep: fc.array(fc.boolean(), { minLength: 11, maxLength: 11 }),
    periods: fc.tuple(period, period, period, period),
  })
  .map(({ world, other, keep, periods: [first, second, third, last] }) => {
    const less = thinned(world, keep);
    const change = (to: World): Step => ({ do: "change", world: to });
    const before: Step[] = [];
    return {
      world,
      steps: [
        ...stepsIn(world, first, before),
        ...[change(less), ...stepsIn(less, second, before)],
        ...[change(other), ...stepsIn(other, third, before)],
        ...[change(world), ...stepsIn(world, last, before)],
      ],
    };
  });
