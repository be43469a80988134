// SPDX-License-Identifier: Apache-2.0
// The reference model's memory of clients: session affinity, rows 51, 52 and 56. It is told what happens and when, and
// which endpoint a client met; the rows leave the first choice open.

import { addressOf } from "./address.ts";
import { setsOf } from "./endpoints.ts";
import { verdictOf } from "./model.ts";
import { type Frontend, frontendOf, frontendsIn } from "./services.ts";
import type { Packet, ServiceManifest, Verdict, World } from "./world.ts";

/** Of a client: what it met last, and when, in seconds. */
interface Memory {
  readonly port: string;
  readonly endpoint: string;
  readonly at: number;
}

/** A verdict, and what affinity makes of it. */
export interface AffineVerdict extends Verdict {
  /**
   * The one backend that this client is to meet. "free": it may be any of them; "expired": likewise, for it has not come
   * for so long. "either": the rows do not say whether it is still bound to the one that it met last.
   */
  readonly kept: "free" | "expired" | "either" | { readonly endpoint: string };
}

/** Clocks tick in seconds: what expires within so many of them may or may not have. */
const TICK = 2;
const DEFAULT_TIMEOUT = 10_800;
const LONGEST_TIMEOUT = 86_400;

/** Row 52; 0: no affinity. What is out of range counts as the default. */
function affinitySeconds({ spec }: ServiceManifest): number {
  if (spec.sessionAffinity !== "ClientIP") return 0;
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_TIMEOUT;
  return seconds >= 1 && seconds <= LONGEST_TIMEOUT ? seconds : DEFAULT_TIMEOUT;
}

/** Of what a packet meets. */
export function affinityOf(world: World, packet: Packet): number {
  const frontend = frontendOf(world, packet);
  return frontend === undefined ? 0 : affinitySeconds(frontend.manifest);
}

export class Clients {
  #world: World;
  /** By service port and client. */
  readonly #memories = new Map<string, Memory>();
  /** Service ports and clients whose endpoint left and may have come back: nobody says whether that is the old one. */
  readonly #doubtful = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** What the node is told now. Row 51: with affinity off, or without the Service, all is forgotten. */
  change(world: World): void {
    this.#world = world;
    const ports = new Map(frontendsIn(world).map((frontend) => [portOf(frontend), frontend]));
    for (const [key, { port, endpoint }] of this.#memories) {
      const frontend = ports.get(port);
      if (frontend === undefined || affinitySeconds(frontend.manifest) === 0) this.#memories.delete(key);
      else if (!isEndpoint(world, frontend, endpoint)) this.#doubtful.add(key); // row 56
    }
  }

  /** What the client's next connection meets, at this second. */
  verdictOf(packet: Packet, now: number): AffineVerdict {
    const verdict = verdictOf(this.#world, packet);
    return { ...verdict, kept: this.#keptOf(packet, verdict, now) };
  }

  /** It has met this endpoint. Row 52: the time begins anew. */
  met(packet: Packet, endpoint: string, now: number): void {
    const frontend = frontendOf(this.#world, packet);
    if (frontend === undefined || affinitySeconds(frontend.manifest) === 0) return;
    const key = keyOf(frontend, packet);
    this.#memories.set(key, { port: portOf(frontend), endpoint, at: now });
    this.#doubtful.delete(key);
  }

  #keptOf(packet: Packet, { verdict, backends }: Verdict, now: number): AffineVerdict["kept"] {
    const frontend = frontendOf(this.#world, packet);
    if (frontend === undefined || verdict !== "dnat") return "free";
    const key = keyOf(frontend, packet);
    const memory = this.#memories.get(key);
    // row 56: an endpoint that is not offered is not used
    if (memory === undefined || !backends.some(({ endpoint }) => endpoint === memory.endpoint)) return "free";
    const left = affinitySeconds(frontend.manifest) - (now - memory.at);
    if (left < -TICK) return "expired";
    return left < TICK || this.#doubtful.has(key) ? "either" : { endpoint: memory.endpoint };
  }
}

/** Row 51: all frontends of a service port share; ports, protocols and families are independent. */
function portOf({ namespace, service, portName, protocol, family }: Frontend): string {
  return [namespace, service, portName, protocol, family].join(" ");
}

/** Row 51: the client is its address, with its packets and its sockets alike; the host's processes together are one. */
function keyOf(frontend: Frontend, { client, source }: Packet): string {
  return `${portOf(frontend)} ${client === "host" ? client : addressOf(source).text}`;
}

function isEndpoint(world: World, frontend: Frontend, endpoint: string): boolean {
  const { cluster, local } = setsOf(world, frontend);
  return [...cluster, ...local].some((target) => target.endpoint === endpoint);
}
