// SPDX-License-Identifier: Apache-2.0
// Histories of clients that come again: connections, time that passes and changes of what the node serves, each
// connection answered by the reference model, by explain and by the real thing.

import type { Answer } from "../../../src/inspect/answer.ts";
import { endpointOf } from "../model/address.ts";
import { type AffineVerdict, affinityOf, Clients } from "../model/affinity.ts";
import type { Packet, World } from "../model/world.ts";
import { Disagreement, disagreement } from "./compare.ts";
import type { Fault } from "./explained-node.ts";
import type { RealNode, Way } from "./real-node.ts";

export type Step =
  | { readonly do: "connect"; readonly packet: Packet; readonly way: Way }
  /** explain is asked, and nothing happens. */
  | { readonly do: "ask"; readonly packet: Packet }
  | { readonly do: "later"; readonly seconds: number }
  | { readonly do: "change"; readonly world: World };

/** Of six endpoints and more, as many free choices are those made before once in 6^40 runs. */
const MANY = 40;
const SEVERAL = 6;

/** Connections by what affinity made of them. */
export type Counts = Record<"kept" | "free" | "expired" | "either" | "none" | "refused", number>;

export class History {
  readonly #node: RealNode;
  readonly #fault: Fault;
  readonly #clients: Clients;
  #world: World;
  /** Seconds that were let pass. */
  #passed = 0;
  #asked = 0;
  /** Of clients that came too late, by hook: all, and who met the one they had all the same. */
  readonly #late = { wire: { all: 0, same: 0 }, socket: { all: 0, same: 0 } };
  readonly #last = new Map<string, string>();
  readonly counts: Counts = { kept: 0, free: 0, expired: 0, either: 0, none: 0, refused: 0 };

  private constructor(node: RealNode, world: World, fault: Fault) {
    this.#node = node;
    this.#world = world;
    this.#fault = fault;
    this.#clients = new Clients(world);
  }

  /** On an empty node. Throws Disagreement. */
  static async play(node: RealNode, world: World, steps: readonly Step[], fault: Fault = {}): Promise<Counts> {
    await node.explained.forget();
    const history = new History(node, world, fault);
    await node.explained.serve(world, fault);
    for (const step of steps) await history.#take(step);
    for (const [hook, { all, same }] of Object.entries(history.#late)) {
      if (all >= MANY && all === same) throw new Disagreement(`${hook}: all ${all} that came too late met the same`);
    }
    return history.counts;
  }

  async #take(step: Step): Promise<void> {
    if (step.do === "connect") return this.#connect(step.packet, step.way);
    if (step.do === "ask") return this.#explain(step.packet, this.#clients.verdictOf(step.packet, this.#now()));
    if (step.do === "later") {
      this.#passed += step.seconds;
      this.#node.explained.ageAffinity(step.seconds);
      return;
    }
    this.#world = step.world;
    this.#clients.change(step.world);
    await this.#node.explained.serve(step.world, this.#fault);
  }

  async #connect(packet: Packet, way: Way): Promise<void> {
    const verdict = this.#clients.verdictOf(packet, this.#now());
    this.#explain(packet, verdict);
    if (verdict.kept === "free") this.#explain(packet, verdict); // it begins nothing, however often it is asked
    const onWire = verdict.hook !== packet.hook ? [{ packet, verdict, way: "wire" as const }] : [];
    const met = await this.#node.ask(this.#world, [{ packet, verdict, way }, ...onWire]);
    const endpoint = met.at(-1);
    if (typeof verdict.kept === "object" && endpoint !== undefined && endpoint !== verdict.kept.endpoint) {
      throw new Disagreement(`${way}: reached ${endpoint} instead of ${verdict.kept.endpoint}`, packet, verdict);
    }
    this.#count(packet, verdict, endpoint);
    if (endpoint !== undefined) this.#clients.met(packet, endpoint, this.#now());
  }

  #explain(packet: Packet, verdict: AffineVerdict): void {
    const answer = this.#node.explained.explain(packet, 20_000 + (this.#asked++ % 10_000));
    const problem = disagreement(verdict, answer) ?? this.#affinityProblem(packet, verdict, answer);
    if (problem !== undefined) throw new Disagreement(problem, packet, verdict, answer);
  }

  #affinityProblem(packet: Packet, { verdict, kept }: AffineVerdict, { reason, chosen }: Answer): string | undefined {
    if (verdict !== "dnat" || kept === "either") return undefined;
    const seconds = affinityOf(this.#world, packet);
    const said = [/ has by session affinity/, / be kept by session affinity for \d+ s/].flatMap((clause) => {
      return clause.exec(reason)?.[0] ?? [];
    });
    const begun = seconds === 0 ? [] : [` be kept by session affinity for ${seconds} s`];
    const wanted = typeof kept === "object" ? [" has by session affinity"] : begun;
    if (said.join() !== wanted.join()) return `says ${said} instead of ${wanted}`;
    if (typeof kept !== "object" || endpointOf(chosen ?? "") === kept.endpoint) return undefined;
    return `chosen ${chosen} instead of ${kept.endpoint}`;
  }

  /** The kernel's clock of records ticks as this one. */
  #now(): number {
    return performance.now() / 1000 + this.#passed;
  }

  #count(packet: Packet, verdict: AffineVerdict, endpoint: string | undefined): void {
    const bound = affinityOf(this.#world, packet) > 0;
    const kind = typeof verdict.kept === "object" ? "kept" : bound ? verdict.kept : "none";
    this.counts[endpoint === undefined ? "refused" : kind]++;
    if (endpoint === undefined || !bound) return;
    const family = packet.destination.includes(":") ? 6 : 4;
    const who = packet.client === "host" ? "host" : packet.source;
    const client = [verdict.service, packet.protocol, family, who].join(" ");
    const before = this.#last.get(client);
    this.#last.set(client, endpoint);
    if (verdict.kept !== "expired" || verdict.backends.length < SEVERAL) return;
    this.#late[verdict.hook].all++;
    if (before === endpoint) this.#late[verdict.hook].same++;
  }
}
