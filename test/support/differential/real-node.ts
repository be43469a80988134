// SPDX-License-Identifier: Apache-2.0
// What the explained node says, done: by packets that come in by its devices, by sockets of its own processes, and by
// those of one of its pods.

import { craftPacket } from "../../../src/inspect/packet.ts";
import { addressOf, endpointOf } from "../model/address.ts";
import { once } from "../model/once.ts";
import type { Packet, Verdict, World } from "../model/world.ts";
import { Disagreement } from "./compare.ts";
import type { Dial, Server } from "./dial.ts";
import { ExplainedNode } from "./explained-node.ts";
import { DEVICES, MAC, RealClient } from "./real-client.ts";
import { type Met, metBySocket, metOnWire, reachable } from "./real-outcome.ts";
import { RealPrograms } from "./real-programs.ts";

export type Way = "wire" | Dial["way"];

/** One question, and the model's answer to it. */
export interface Asked {
  readonly packet: Packet;
  readonly verdict: Verdict;
  readonly way: Way;
}

/** By which a socket can ask for it. */
export function socketWays({ protocol }: Packet): readonly Dial["way"][] {
  if (protocol === "SCTP") return [];
  return protocol === "TCP" ? ["TCP connect"] : ["UDP connect", "UDP sendmsg"];
}

/**
 * What it comes to on a real node: all addresses are routed to the node itself (real-child.ts), and it answers for them
 * where row 46 refuses.
 */
export function onRealNode<V extends Verdict>(verdict: V): V {
  return verdict.verdict === "reject" && verdict.service === undefined ? { ...verdict, verdict: "pass" } : verdict;
}

const [FIRST_PORT, LAST_PORT] = [30_000, 60_000];

export class RealNode implements AsyncDisposable {
  /** What answers by dry runs, over the same maps. */
  readonly explained: ExplainedNode;
  readonly programs: RealPrograms;
  readonly #host: RealClient;
  readonly #pod: RealClient;
  /** Beyond those that explain is asked about. */
  #port = FIRST_PORT;

  private constructor(host: RealClient, pod: RealClient, explained: ExplainedNode) {
    this.#host = host;
    this.#pod = pod;
    this.explained = explained;
    this.programs = new RealPrograms(explained, [host.cgroup, pod.cgroup]);
  }

  static async start(): Promise<RealNode> {
    const [host, pod] = await Promise.all([RealClient.start("host"), RealClient.start("pod")]);
    return new RealNode(host, pod, await ExplainedNode.make({ hostNetnsCookie: host.cookie }));
  }

  get podCookie(): bigint {
    return this.#pod.cookie;
  }

  /** Endpoints that each met, undefined where it met none; in order. Throws Disagreement. */
  async ask(world: World, questions: readonly Asked[]): Promise<readonly (string | undefined)[]> {
    const asked = questions.map((one) => ({ ...one, verdict: onRealNode(one.verdict) }));
    const met = new Map<Asked, string | undefined>();
    for (const one of asked.filter(({ way }) => way === "wire")) met.set(one, reached(one, await this.#send(one)));
    for (const client of ["host", "pod"] as const) {
      const own = asked.filter(({ way, packet }) => way !== "wire" && packet.client === client);
      if (own.length === 0) continue;
      const heard = await (client === "host" ? this.#host : this.#pod).dial(
        [...endpointsOf(world), ...own.flatMap(({ packet }) => reachable(packet).map(serverAt))],
        own.map((one) => dialOf(world, one)),
      );
      for (const [i, one] of own.entries()) {
        const said = heard[i];
        met.set(one, reached(one, said ? metBySocket(one.packet, one.verdict, said) : NOT_ASKED));
      }
    }
    return asked.map((one) => (met.has(one) ? met.get(one) : reached(one, NOT_ASKED)));
  }

  async #send({ packet, verdict }: Asked): Promise<Met> {
    if (packet.client === "host") return { problem: "the host's packets pass no tc ingress" };
    this.#port = this.#port < LAST_PORT ? this.#port + 1 : FIRST_PORT;
    const frame = craftPacket({
      source: bytesOf(packet.source),
      destination: bytesOf(packet.destination),
      sourcePort: this.#port,
      destinationPort: packet.port,
      protocol: packet.protocol,
    });
    frame.set(MAC.split(":").map((byte) => Number.parseInt(byte, 16)));
    return metOnWire(
      packet,
      verdict,
      frame,
      await this.#host.run(this.programs.ingressPin, DEVICES[packet.client], frame),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.programs[Symbol.dispose]();
    await Promise.all([this.#host[Symbol.asyncDispose](), this.#pod[Symbol.asyncDispose]()]);
    this.explained[Symbol.dispose]();
  }
}

const NOT_ASKED: Met = { problem: "was not asked" };

/** The endpoint. Throws Disagreement. */
function reached({ way, packet, verdict }: Asked, result: Met): string | undefined {
  if ("problem" in result) throw new Disagreement(`${way}: ${result.problem}`, packet, verdict);
  return result.endpoint;
}

/** A socket of the node that leaves its address open counts as the first address of its Node object (row 44). */
function dialOf({ nodes, here }: World, { packet, way }: Asked): Dial {
  if (way === "wire") throw new Error("a packet is no socket");
  const listed = nodes.find(({ metadata }) => metadata.name === here)?.status?.addresses ?? [];
  const known = listed.some(({ type, address }) => type === "InternalIP" && sameAddress(address, packet.source));
  const bound = packet.client === "host" && !known;
  return { way, address: packet.destination, port: packet.port, source: bound ? packet.source : undefined };
}

function sameAddress(one: string, other: string): boolean {
  return addressOf(one).text === addressOf(other).text;
}

/** Every endpoint that anything of the world could lead to. */
const endpointsOf = once(({ slices }: World): readonly Server[] => {
  const all = slices.flatMap(({ addressType, endpoints, ports }) =>
    addressType === "FQDN"
      ? []
      : endpoints.flatMap(({ addresses }) =>
          ports.flatMap(({ port }) => (port ? addresses.map((address) => endpointOf(`[${address}]:${port}`)) : [])),
        ),
  );
  return [...new Set(all)].map(serverAt);
});

/** Of an endpoint in the model's text form. */
function serverAt(endpoint: string): Server {
  const [, address = "", port = ""] = /^\[(.*)\]:(\d+)$/.exec(endpoint) ?? [];
  return { address, port: Number(port) };
}

/** As they stand in a packet: 4 or 16. */
function bytesOf(address: string): Uint8Array {
  const { family, text } = addressOf(address);
  if (family === 4) return Uint8Array.from(text.split(".").map(Number));
  return Uint8Array.from(Buffer.from(text.replaceAll(":", ""), "hex"));
}
