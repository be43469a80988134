// SPDX-License-Identifier: Apache-2.0
// Real sockets of the lab, and `explain --batch`, held against the reference model: who answers, whom they see, and how a
// connection is refused.

import { inNetns, run } from "../../../src/demo/lab/run.ts";
import type { TrafficResult } from "../../../src/demo/lab/traffic.ts";
import { portolanLine } from "../../../src/demo/portolan.ts";
import type { Answer } from "../../../src/inspect/answer.ts";
import type { Cluster } from "../cluster.ts";
import { writeObjects } from "../manifests.ts";
import { endpointOf } from "../model/address.ts";
import { type AffineVerdict, affinityOf, Clients } from "../model/affinity.ts";
import { verdictOf } from "../model/model.ts";
import type { Packet, World } from "../model/world.ts";
import { hostOf } from "../paths.ts";
import { Disagreement, disagreement } from "./compare.ts";
import { answersPast, heardProblems, isAnswered, unheard } from "./lab-outcome.ts";
import { type LabQuestion, labPacket } from "./lab-questions.ts";
import { HERE, type Setting, TARGET_PORT } from "./lab-world.ts";

/** Questions at once: those that are answered, by few processes, and those that only wait. */
const ANSWERED_AT_ONCE = 4;
const REFUSED_AT_ONCE = 40;
/** Connections at once of a question that is answered, unless it is about affinity. */
const AT_ONCE = 10;
const SILENCE_MS = 500;
const ANSWER_MS = 8000;
/** Of each question, until every endpoint has answered: one of five is missed by all of them once in 10^77 times. */
const MOST_REQUESTS = 800;

/** Below those that Linux gives clients: explain is asked about a connection that does not exist. */
const UNSEEN_PORT = 20_000;

export interface Asking {
  readonly setting: Setting;
  readonly world: World;
  readonly questions: readonly LabQuestion[];
  /** Connections of each question, at the least. */
  readonly requests: number;
  /** What of pods explain is asked about: their packets, their sockets, which takes a command each. Default: both. */
  readonly explain?: readonly LabQuestion["by"][];
}

interface Asked {
  readonly question: LabQuestion;
  /** As it meets whoever decides. */
  readonly packet: Packet;
  readonly bound: boolean;
}

export class AskedLab {
  /** Connections, by verdict, family, protocol and hook. */
  readonly counts: Map<string, number> = new Map();
  /** Questions whose answers would come past the node. */
  past = 0;
  readonly #cluster: Cluster;
  /** Of the agent that runs. */
  #flags: string | undefined;
  #worlds = 0;
  #clients: Clients | undefined;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** By an agent with these flags: that which runs, told by a change, or a new one. */
  async serve(world: World, flags: readonly string[]): Promise<void> {
    if (flags.join(" ") === this.#flags) {
      const before = sentinel(this.#worlds);
      this.#write(world);
      await this.#cluster.served(before, undefined); // what the world before had goes last
    } else {
      await this.stop();
      this.#write(world);
      await this.#cluster.startAgent(HERE, flags);
      this.#flags = flags.join(" ");
    }
    this.#clients ??= new Clients(world);
    this.#clients.change(world);
  }

  /** The next world gets an agent of its own, and programs loaded anew. */
  async stop(): Promise<void> {
    await this.#cluster.agents.get(HERE)?.stop();
    this.#flags = undefined;
  }

  /** Throws Disagreement. */
  async agree(asking: Asking): Promise<void> {
    const { world } = asking;
    const explained = this.#explain(asking);
    explained.catch(() => {}); // told below, if nothing else is
    await this.ask(asking);
    for (const { packet, answer } of await explained) {
      const verdict = verdictOf(world, packet);
      const problem = disagreement(verdict, answer);
      if (problem !== undefined) throw new Disagreement(problem, packet, verdict, answer);
    }
  }

  /** Real sockets alone. Throws Disagreement. */
  async ask({ world, setting, questions, requests }: Asking): Promise<void> {
    const clients = this.#clients ?? new Clients(world);
    const all = questions.map((question): Asked => {
      const packet = decided(world, labPacket(this.#cluster.lab, setting, question));
      return { question, packet, bound: affinityOf(world, packet) > 0 && verdictOf(world, packet).verdict === "dnat" };
    });
    const problems: Disagreement[] = [];
    const one = async (asked: Asked): Promise<void> => {
      if (problems.length > 0) return;
      const verdict = clients.verdictOf(asked.packet, performance.now() / 1000);
      const problem = await this.#askOne(asked, verdict, requests, clients);
      if (problem !== undefined) problems.push(new Disagreement(problem, asked.packet, verdict));
    };
    const free = all.filter(({ bound }) => !bound);
    const answered = free.filter(({ question, packet }) => isAnswered(question, verdictOf(world, packet)));
    await Promise.all([
      // Row 51: what one of them meets the next one may be kept to.
      atOnce(
        1,
        all.filter(({ bound }) => bound),
        one,
      ),
      atOnce(ANSWERED_AT_ONCE, answered, one),
      atOnce(
        REFUSED_AT_ONCE,
        free.filter((asked) => !answered.includes(asked)),
        one,
      ),
    ]);
    const [first] = problems;
    if (first) throw first;
  }

  /** One file, one change. */
  #write({ services, slices, nodes, serviceRanges = [] }: World): void {
    const metadata = { name: sentinel(++this.#worlds), namespace: "test" };
    const last = {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { clusterIP: "10.96.0.250", ports: [{ name: "last", port: 1 }] },
    };
    const spec = { cidrs: serviceRanges };
    const cidr = { apiVersion: "networking.k8s.io/v1", kind: "ServiceCIDR", metadata: { name: "kubernetes" }, spec };
    const ranges = serviceRanges.length > 0 ? [cidr] : [];
    writeObjects(this.#cluster.manifests, "world", [...nodes, ...ranges, ...services, ...slices, last]);
  }

  async #askOne({ question, packet, bound }: Asked, verdict: AffineVerdict, requests: number, clients: Clients) {
    const { lab } = this.#cluster;
    if (answersPast(lab, question, verdict)) {
      this.past++;
      return undefined;
    }
    const cell = `${verdict.verdict} ${question.family} ${question.protocol} ${question.by}`;
    for (let made = 0, met = new Set<string>(); ; ) {
      const heard = await this.#request(question, packet, verdict, bound, requests);
      this.counts.set(cell, (this.counts.get(cell) ?? 0) + heard.asked);
      made += heard.asked;
      met = new Set([...met, ...Object.keys(heard.pods)]);
      const problem = heardProblems(lab, question, verdict, heard)[0];
      if (problem !== undefined) return `${JSON.stringify(question)} ${problem}`;
      if (bound) return this.#remember(clients, packet, heard);
      const missing = unheard(lab, question, verdict, met);
      if (missing.length === 0) return undefined;
      if (made >= MOST_REQUESTS) return `${JSON.stringify(question)} ${missing} never answered`;
    }
  }

  async #request(
    question: LabQuestion,
    { destination: address, port, protocol }: Packet,
    verdict: AffineVerdict,
    bound: boolean,
    count: number,
  ): Promise<TrafficResult> {
    const client = await this.#cluster[question.by](hostOf(this.#cluster.lab, question.from));
    const answered = isAnswered(question, verdict);
    const concurrency = !answered ? count : bound ? 1 : AT_ONCE;
    const timeoutMs = answered || verdict.verdict === "reject" ? ANSWER_MS : SILENCE_MS;
    const requests = { address, port, count, concurrency, timeoutMs };
    return protocol === "TCP" ? client.tcp(requests) : client.udp({ ...requests, connected: true });
  }

  /** Row 51: all of a client's connections come to one. */
  #remember(clients: Clients, packet: Packet, { pods }: TrafficResult): string | undefined {
    const [name, ...more] = Object.keys(pods);
    if (name === undefined) return undefined;
    const { v4, v6 } = this.#cluster.lab.pod(name).address;
    const address = packet.destination.includes(":") ? v6 : v4;
    clients.met(packet, endpointOf(`[${address}]:${TARGET_PORT}`), performance.now() / 1000);
    return more.length === 0 ? undefined : `${[name, ...more]} answered one client`;
  }

  /** What explain, asked on the node as an administrator asks it, says. */
  async #explain({
    questions,
    setting,
    explain = ["wire", "socket"],
  }: Asking): Promise<readonly { packet: Packet; answer: Answer }[]> {
    const node = this.#cluster.lab.node(HERE);
    const answers = explain.map(async (way) => {
      // Without --socket it answers for a pod's packets; for the node's own sockets in any case.
      const asked = questions
        .filter(({ by, from }) => (from === HERE ? "wire" : by) === way)
        .map((question) => labPacket(this.#cluster.lab, setting, question));
      const lines = asked.map(({ source, destination, port, protocol }) =>
        JSON.stringify({ src: source, sport: UNSEEN_PORT, dst: destination, dport: port, proto: protocol }),
      );
      const command = portolanLine(node, ["explain", "--batch", ...(way === "socket" ? ["--socket"] : [])]);
      const said = lines.length === 0 ? "" : await run(inNetns(node.netns, command), lines.join("\n"));
      const got = said.split("\n").filter((line) => line !== "");
      if (got.length !== asked.length) throw new Disagreement(`${got.length} answers to ${asked.length} lines`);
      return asked.map((packet, i) => ({ packet, answer: JSON.parse(got[i] ?? "") as Answer }));
    });
    return (await Promise.all(answers)).flat();
  }
}

/** Its Service tells which world is served. */
function sentinel(world: number): string {
  return `world-${world}`;
}

/** What a pod's socket leaves alone meets the wire. */
function decided(world: World, packet: Packet): Packet {
  const leaves = packet.hook === "socket" && packet.client === "pod" && verdictOf(world, packet).verdict === "pass";
  return leaves ? { ...packet, hook: "wire" } : packet;
}

async function atOnce<T>(many: number, things: readonly T[], work: (thing: T) => Promise<void>): Promise<void> {
  const waiting = [...things];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: many }, worker));
}
