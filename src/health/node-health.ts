// SPDX-License-Identifier: Apache-2.0
// Whether this node is to get traffic, and whether its agent keeps up (behaviour rows 68 and 69): the bodies of
// /healthz, /livez and /readyz. No I/O but the clock.

import type { ModelChanges } from "../model/changes.ts";
import type { Family } from "../model/ip.ts";
import { type HttpAnswer, jsonAnswer, textAnswer } from "./answer.ts";
import type { HealthLog } from "./health-servers.ts";

const FAMILIES: readonly Family[] = [4, 6];

/** A step of the start, and what it is while it is not done. */
export interface Step {
  readonly name: string;
  readonly missing: string;
  readonly done: () => boolean;
}

export interface NodeHealthOptions {
  readonly nodeName: string;
  /** The source has a Node for every node: one that it does not tell of is missing. */
  readonly nodeExpected: boolean;
  /** False: what new connections of the family meet has been behind what is wanted for too long. */
  readonly keepsUp: (family: Family) => boolean;
  /** What stands between the start and new connections that meet their Services. */
  readonly steps: readonly Step[];
  /** An earlier agent's state serves until then. */
  readonly adopted: boolean;
  readonly log: HealthLog;
}

/** unknown: the source has not told of it. missing: it has told all, and of no such Node. */
type NodeState = "unknown" | "here" | "leaving" | "gone" | "missing";

/** What load balancers are not told: their answer is kube-proxy's. */
const INELIGIBLE: Readonly<Partial<Record<NodeState, string>>> = {
  leaving: "it is being deleted, or tainted ToBeDeletedByClusterAutoscaler",
  gone: "its Node object is gone",
  missing: "it has no Node object, or Nodes may not be read",
};

export class NodeHealth {
  readonly #options: NodeHealthOptions;
  readonly #lastUpdated: Map<Family, Date>;
  #node: NodeState = "unknown";

  constructor(options: NodeHealthOptions) {
    this.#options = options;
    // As kube-proxy: in case that the first update never succeeds.
    this.#lastUpdated = new Map(FAMILIES.map((family) => [family, new Date()]));
  }

  /** Only our own Node counts. */
  update({ nodes, synced }: Pick<ModelChanges, "nodes" | "synced">): void {
    const { nodeName, nodeExpected } = this.#options;
    const own = nodes.find(({ previous, current }) => (current ?? previous)?.name === nodeName);
    if (own?.current) this.#become(own.current.leaving ? "leaving" : "here");
    else if (own) this.#become("gone");
    else if (nodeExpected && synced && this.#node === "unknown") this.#become("missing");
  }

  #become(node: NodeState): void {
    const [before, reason] = [INELIGIBLE[this.#node], INELIGIBLE[node]];
    this.#node = node;
    const { log, nodeName } = this.#options;
    const page = `/healthz: load balancers are told to send node ${nodeName}`;
    if (reason !== undefined && reason !== before) log.warn(`${page} no traffic (503): ${reason}`);
    else if (reason === undefined && before !== undefined) log.info(`${page} traffic again`);
  }

  /** Changes of these families are in the kernel. */
  updated(families: Iterable<Family>): void {
    const now = new Date();
    for (const family of families) this.#lastUpdated.set(family, now);
  }

  /** Whether load balancers are to send traffic here. */
  healthz(now: Date = new Date()): HttpAnswer {
    const nodeEligible = INELIGIBLE[this.#node] === undefined;
    const serving = this.#options.adopted || this.#missing().length === 0;
    const status = this.#status((family) => serving && this.#options.keepsUp(family));
    return healthAnswer(status, now, { nodeEligible });
  }

  /** Whether the agent does its work. */
  livez(now: Date = new Date()): HttpAnswer {
    return healthAnswer(this.#status(this.#options.keepsUp), now, {});
  }

  /** Whether the start is over; else what is missing, as Kubernetes' own components put it. */
  readyz(now: Date = new Date()): HttpAnswer {
    if (this.#missing().length === 0) return textAnswer(200, "ok", now);
    const lines = this.#options.steps.map(({ name, missing, done }) =>
      done() ? `[+]${name} ok` : `[-]${name} failed: ${missing}`,
    );
    return textAnswer(503, [...lines, "readyz check failed", ""].join("\n"), now);
  }

  #missing(): readonly Step[] {
    return this.#options.steps.filter(({ done }) => !done());
  }

  #status(isHealthy: (family: Family) => boolean): readonly FamilyHealth[] {
    return [...this.#lastUpdated].map(([family, lastUpdated]) => ({ family, lastUpdated, healthy: isHealthy(family) }));
  }
}

interface FamilyHealth {
  readonly family: Family;
  readonly lastUpdated: Date;
  readonly healthy: boolean;
}

/** nodeEligible: the only key that /livez has not. `healthy` leaves it out of account, the status does not. */
function healthAnswer(
  families: readonly FamilyHealth[],
  now: Date,
  node: { readonly nodeEligible?: boolean },
): HttpAnswer {
  const healthy = families.every((family) => family.healthy);
  const good = healthy && node.nodeEligible !== false;
  const latest = new Date(Math.max(...families.map(({ lastUpdated }) => lastUpdated.getTime())));
  const body = JSON.stringify({
    lastUpdated: goTime(good ? now : latest), // "recent if healthy", by kube-proxy's word
    currentTime: goTime(now),
    ...node,
    healthy,
    status: Object.fromEntries(
      families.map(({ family, lastUpdated, healthy: ok }) => [
        `IPv${family}`,
        { lastUpdated: goTime(lastUpdated), healthy: ok },
      ]),
    ),
  });
  return jsonAnswer(good ? 200 : 503, body, now);
}

/** RFC 3339 without zeros at the end of the fraction, as Go's time.Time marshals itself; UTC. */
function goTime(time: Date): string {
  return time.toISOString().replace(/\.?0*Z$/, "Z");
}
