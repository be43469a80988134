// SPDX-License-Identifier: Apache-2.0
// What becomes of the rules of a kube-proxy on this node: without --take-over none may be at work where we begin; with it
// they go, but only once ours serve. Ours come first in the packets' path and at every connect(), so rules that are still
// there, or come back, change nothing but what is left for netfilter.

import type { KubeProxyRules, KubeProxyTraces, Removed } from "../datapath/netfilter/kube-proxy.ts";
import type { OnEvent } from "../model/cluster-event.ts";
import { NodeError } from "./errors.ts";
import type { Log } from "./log.ts";

/** From one look to the next: as often as kube-proxy looks after its rules. */
const LOOK_MS = 30_000;
/**
 * From a removal to the next, if they come back: a kube-proxy that runs makes them anew each time, and harms nobody. Once it
 * is stopped they are gone after so long, without anybody's help.
 */
const AGAIN_MS = 600_000;

const REMOVE_IT =
  "remove kube-proxy from this node (its DaemonSet, then `kube-proxy --cleanup` or a reboot), or start with --take-over: then its rules go once ours serve, and connections that it has begun go on";

/** In words: "iptables-nft, ip6tables-nft". */
export function placesOf(rules: readonly KubeProxyRules[]): string {
  return rules.map(({ mode, places }) => `mode ${mode}: ${places.join(", ")}`).join("; ");
}

/** Throws NodeError where a kube-proxy serves this node and nobody said that it is to be taken over from. */
export function refuseKubeProxy({ rules, listening }: KubeProxyTraces, takeOver: boolean): void {
  if (takeOver || rules.length === 0) return;
  const process = listening
    ? "something listens on its ports, so it seems to run"
    : "it may be gone and have left them";
  throw new NodeError(
    `a kube-proxy's rules are at work on this node (${placesOf(rules)}; ${process}): ${REMOVE_IT}; nothing was changed`,
  );
}

export interface KubeProxyKeeperOptions {
  readonly takeOver: boolean;
  readonly find: () => Promise<KubeProxyTraces>;
  /**
   * Sees to it that netfilter goes on translating what they began, then takes the rules away; or resolves with how many
   * connections virtual servers still carry, and has done nothing.
   */
  readonly remove: () => Promise<Removed | { readonly carried: number }>;
  /** Datagrams of pods' unconnected sockets go by the wire, where netfilter is asked for their endpoint, or do not. */
  readonly setDatagramsOnWire: (onWire: boolean) => void;
  /** Whether somebody serves by IPVS here, or has left what does. Throws BpfError. */
  readonly ipvsThere: () => boolean;
  /** Connections of pods' sockets are balanced as packets, which do not get in IPVS's way, or where they begin. */
  readonly setSocketsOnWire: (onWire: boolean) => void;
  /** So long netfilter remembers a stream of datagrams that is silent. */
  readonly streamMs: number;
  readonly onEvent: OnEvent;
  readonly log: Log;
}

export class KubeProxyKeeper implements AsyncDisposable {
  readonly #options: KubeProxyKeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #datagramTimer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  /** performance.now() */
  #removedAt: number | undefined;
  /** What the log says already. */
  #told: string | undefined;

  constructor(options: KubeProxyKeeperOptions) {
    this.#options = options;
  }

  /** Before our socket hooks are attached. Netfilter may have begun datagrams: by what was there, or left there by an agent. */
  leaveDatagrams(): void {
    this.#options.setDatagramsOnWire(true);
    const streamMs = this.#options.streamMs;
    this.#datagramTimer = setTimeout(() => this.#options.setDatagramsOnWire(false), streamMs);
  }

  /** Likewise; until IPVS is gone. Throws BpfError. */
  leaveSockets(): void {
    this.#options.setSocketsOnWire(this.#options.ipvsThere());
  }

  /** Once ours serve; then again and again. Never rejects. */
  keep(): void {
    this.#running = this.#look().finally(() => {
      if (!this.#stopped) this.#timer = setTimeout(() => this.keep(), LOOK_MS);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#datagramTimer);
    await this.#running;
  }

  async #look(): Promise<void> {
    try {
      const { rules } = await this.#options.find();
      if (rules.length === 0) this.#told = undefined;
      else if (!this.#options.takeOver) this.#tell(`${BESIDE} (${placesOf(rules)}): ${REMOVE_IT}`);
      else await this.#takeAway(placesOf(rules));
      this.leaveSockets();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#tell(`the rules of a kube-proxy could not be looked after, it is tried again: ${message}`);
    }
  }

  async #takeAway(places: string): Promise<void> {
    const before = this.#removedAt;
    if (before !== undefined) {
      this.#tell(`${BACK} (${places}): ${STOP_IT}`);
      if (performance.now() - before < AGAIN_MS) return;
    }
    const removed = await this.#options.remove();
    if ("carried" in removed) {
      this.#tell(`${BESIDE} (${places}): ${CARRIES}`);
      this.#options.log.debug(removed, "connections that kube-proxy's virtual servers carry");
      return;
    }
    this.#removedAt = performance.now();
    const { kept, ...gone } = removed;
    this.#options.log.info({ places, ...gone }, "took over from kube-proxy: its rules are gone, ours serve");
    if (kept.length > 0)
      this.#options.log.warn({ kept }, "rules of others lead to these chains and sets of kube-proxy: they stay");
  }

  #tell(message: string): void {
    if (this.#told === message) return;
    this.#told = message;
    this.#options.log.warn(message);
    const note = message;
    const [reason, action] = ["KubeProxyRules", "LookForKubeProxy"];
    this.#options.onEvent({ regarding: "this node", type: "Warning", reason, action, note });
  }
}

const BESIDE = "a kube-proxy's rules are at work beside ours, which come first";
const BACK = "a kube-proxy's rules are back, so it still runs; ours come first";
const STOP_IT = "stop it (its DaemonSet); they are removed again every ten minutes";
const CARRIES =
  "its virtual servers carry connections that it began, and go with all that belongs to them when these have ended, some minutes after the last packet (`ipvsadm -Lnc` lists them); stop kube-proxy";
