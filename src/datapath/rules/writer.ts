// SPDX-License-Identifier: Apache-2.0
// What the drivers that write rules for netfilter have in common: they are told what is wanted and what of it has changed,
// and each says it in the terms of its own (nftables, iptables, ipvs).

import type { CompiledService, ServiceKey } from "../../compile/state.ts";
import type { Cidr, Family, Ip } from "../../model/ip.ts";
import type { ApplyReport, NodeAddress } from "../contract.ts";

/**
 * How a packet on the wire tells that a local pod sent it (rows 35 and 38): by its source, or by the device it came in by. What
 * the node's own processes send came in by none, and is nobody's.
 */
export type LocalClients =
  /** One range of a family at most; a family without one has no detector (row 35). */
  | { readonly by: "source"; readonly ranges: readonly Cidr[] }
  /** Names, or their beginnings with a `*` behind: came in by one of them. */
  | { readonly by: "device"; readonly names: readonly string[] }
  /** Came in by none of them: they lead out of the node. */
  | { readonly by: "otherDevice"; readonly names: readonly string[] };

/** What rules depend on beside Services. */
export interface Surroundings {
  readonly nodeAddresses: readonly NodeAddress[];
  /** Where ClusterIPs come from: what no Service has of them is dropped (row 46). */
  readonly serviceRanges: readonly Cidr[];
  readonly localClients: LocalClients;
  /** Addresses of Services that others serve: they are left alone (row 46). */
  readonly foreign: ReadonlySet<Ip>;
  /** Not all that is wanted could be read: nothing is refused for want of a Service. */
  readonly partial: boolean;
}

/** Of the agent; they do not change while it runs. */
export interface RuleSettings {
  /** Those that this node serves. */
  readonly families: readonly Family[];
  readonly masqueradeAll: boolean;
  /** One bit of the packet mark: to be masqueraded on the way out (row 40). */
  readonly masqueradeMark: number;
  /** One bit: translated by us, so to be forwarded where FORWARD drops (row 42). */
  readonly forwardMark: number;
  /** NodePorts at 127.0.0.1 too, where the mode can (row 29). */
  readonly localhostNodePorts: boolean;
}

/** The whole of what is wanted, and what of it differs from the last write that did not fail. */
export interface Wanted {
  /** The same map with each call. */
  readonly services: ReadonlyMap<ServiceKey, CompiledService>;
  readonly surroundings: Surroundings;
  /** Services that are new, different or gone. */
  readonly changed: ReadonlySet<ServiceKey>;
  readonly surroundingsChanged: boolean;
  /**
   * Nothing may be taken for granted of what is in the kernel: at first, after a failure, and when somebody else has changed it.
   * What is there already, of ours and of an earlier agent's in this mode, is made to fit; what fits stays as it is.
   */
  readonly whole: boolean;
}

/** Says it in the kernel's terms. Calls never overlap. Of a mode that does not serve, present() and cleanup() alone are called. */
export interface RuleWriter {
  readonly mode: "nftables" | "iptables" | "ipvs";
  /**
   * Each family or table all or nothing, never with a moment in which a Service that was and is to be served is not. The work is
   * proportional to what changed, unless whole. Rejects with NetfilterError; then the next call is whole.
   */
  write(wanted: Wanted): Promise<ApplyReport>;
  /** Whether rules of ours in this mode are at work, an earlier agent's too: nothing that a kube-proxy has made. */
  present(): Promise<boolean>;
  /** Whether what was last written is there still, as far as a cheap look tells: it is asked every two seconds. */
  intact(): Promise<boolean>;
  /**
   * What of that is not there, or otherwise, or too much, each as the mode's own tools name it. Lists everything, as long as that may
   * take. Rejects with NetfilterError.
   */
  faults(): Promise<readonly string[]>;
  /**
   * Takes away what is ours, and nothing else; nothing there is fine. What has begun goes on by netfilter's tracking (as long as
   * another mode's rules, or those of translation.ts, keep that up), or stays until it ends: then false, ask again later. atOnce:
   * connections or not, all goes. Rejects with NetfilterError.
   */
  cleanup(atOnce: boolean): Promise<boolean>;
}
