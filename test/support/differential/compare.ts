// SPDX-License-Identifier: Apache-2.0
// Holds an answer of `explain` against the reference model's verdict.

import type { Answer } from "../../../src/inspect/answer.ts";
import { endpointOf } from "../model/address.ts";
import { verdictOf } from "../model/model.ts";
import type { Packet, Verdict, World } from "../model/world.ts";

/** What the two disagree on; undefined when they agree. */
export function disagreement(verdict: Verdict, answer: Answer): string | undefined {
  if (answer.verdict !== verdict.verdict) return `verdict ${answer.verdict} instead of ${verdict.verdict}`;
  if (answer.service !== (verdict.service ?? null)) {
    return `Service ${answer.service} instead of ${verdict.service}`;
  }
  if (verdict.verdict !== "dnat") return undefined;
  const candidates = answer.endpoints.map(endpointOf).sort();
  const wanted = verdict.backends.map(({ endpoint }) => endpoint).sort();
  if (candidates.join(" ") !== wanted.join(" ")) return `candidates ${candidates} instead of ${wanted}`;
  const chosen = endpointOf(answer.chosen ?? "");
  const backend = verdict.backends.find(({ endpoint }) => endpoint === chosen);
  if (backend === undefined) return `chosen ${chosen}, which is none of ${wanted}`;
  if (answer.masquerade !== backend.masquerade) return `masquerade ${answer.masquerade} of ${chosen}`;
  return undefined;
}

/** Model and programs do not say the same; the message has all that is needed to look at it. */
export class Disagreement extends Error {
  constructor(problem: string, packet?: Packet, verdict?: Verdict, answer?: Answer) {
    const said = answer === undefined ? "" : `, explain ${JSON.stringify(answer)}`;
    super(`${problem}: ${JSON.stringify(packet)}, model ${JSON.stringify(verdict)}${said}`);
  }
}

export interface Asked {
  explain(packet: Packet, sourcePort: number): Answer;
}

export interface Agreed {
  readonly verdict: Verdict;
  readonly answer: Answer;
}

/** Throws Disagreement. */
export function compare(node: Asked, world: World, packet: Packet, sourcePort: number): Agreed {
  const verdict = verdictOf(world, packet);
  const answer = node.explain(packet, sourcePort);
  const problem = disagreement(verdict, answer);
  if (problem !== undefined) throw new Disagreement(problem, packet, verdict, answer);
  return { verdict, answer };
}

/** One of 18 endpoints, the most there are, is missed by all of them once in 10^14 times. */
const TRIES = 600;

/** Asks again and again: every backend of the set must come, and no other. Throws Disagreement. */
export function missedBackends(node: Asked, world: World, packet: Packet): void {
  const verdict = verdictOf(world, packet);
  const missing = new Set(verdict.backends.map(({ endpoint }) => endpoint));
  for (let i = 0; i < TRIES && missing.size > 0; i++) {
    const { answer } = compare(node, world, packet, 20000 + 7 * i);
    missing.delete(endpointOf(answer.chosen ?? ""));
  }
  if (missing.size > 0) throw new Disagreement(`never chosen: ${[...missing]}`, packet, verdict);
}
