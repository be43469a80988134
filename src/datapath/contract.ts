// SPDX-License-Identifier: Apache-2.0
// The one contract that every driver fulfils: ebpf (folder ebpf), and nftables, ipvs and iptables (folder rules).

import type { Delta, ServiceKey } from "../compile/state.ts";
import type { Cidr, Ip } from "../model/ip.ts";
import type { Device, DeviceRules } from "./devices/classify.ts";
import type { NetworkView } from "./network.ts";

/** An address of this node, as the kernel has it now. */
export interface NodeAddress {
  readonly address: Ip;
  readonly loopback: boolean;
  /** Whether NodePorts are served on it (--nodeport-addresses). */
  readonly nodePort: boolean;
  /** The Node object names it, but no interface has it: another translates it to one that has. */
  readonly elsewhere?: true;
}

/**
 * How clients on the wire are told from local pods (row 38): kube-proxy's modes, and Portolan's own, by what lies behind
 * the device that a packet comes in by.
 */
export type DetectLocalMode = "Device" | "ClusterCIDR" | "NodeCIDR" | "BridgeInterface" | "InterfaceNamePrefix";

/** A service that an earlier agent left. */
export interface AdoptedService {
  readonly key: ServiceKey;
  /** Of its Local set: addresses of endpoints on this node that do not terminate. */
  readonly localEndpoints: readonly Ip[];
}

/** What one apply() wrote; all zero when nothing had to change. */
export interface ApplyReport {
  readonly servicesWritten: number;
  readonly servicesRemoved: number;
  readonly frontendsWritten: number;
  readonly frontendsRemoved: number;
  readonly backendsWritten: number;
}

export const NOTHING_WRITTEN: ApplyReport = {
  servicesWritten: 0,
  servicesRemoved: 0,
  frontendsWritten: 0,
  frontendsRemoved: 0,
  backendsWritten: 0,
};

/** By what Services are served. */
export type Mode = "ebpf" | "nftables" | "ipvs" | "iptables";

interface FailedDevice {
  readonly device: Device;
  readonly error: Error & { readonly code: string };
}

export interface DeviceChanges {
  readonly added: readonly Device[];
  readonly changed: readonly Device[];
  /** ifindexes */
  readonly removed: readonly number[];
  /** Devices that could not be attached to; the next call tries again. */
  readonly failed: readonly FailedDevice[];
  /** Devices on which XDP was tried. */
  readonly graded: readonly GradedDevice[];
}

/** error: why it does without XDP; undefined: it has it. */
export interface GradedDevice {
  readonly device: Device;
  readonly error: Error | undefined;
}

export interface Datapath {
  readonly mode: Mode;
  /**
   * First complete state: like apply(), and what an earlier agent left that is not in it goes away. Until then nothing of that
   * is removed, and flows keep the endpoints they have, whatever apply() says of them.
   */
  sync(delta: Delta): Promise<ApplyReport>;
  /**
   * Publishes a change; idempotent. Resolves once new connections meet the new state; changes of any kind meet the kernel in the
   * order of their calls, which need not wait for each other. What fails of it is said after the rest is published, and kept for
   * retry() until a later change supersedes it.
   */
  apply(delta: Delta): Promise<ApplyReport>;
  /** Tries again what failed; nothing to do when nothing did. Errors as of apply(). */
  retry(): Promise<ApplyReport>;
  /** Services whose last change failed: new connections meet them as they were before, or not at all. */
  readonly unserved: ReadonlySet<ServiceKey>;
  /** Replaces the set of node addresses. */
  setNodeAddresses(addresses: readonly NodeAddress[]): void;
  /** Replaces the ranges that ClusterIPs come from: what nobody serves there is dropped (row 46). */
  setServiceRanges(ranges: readonly Cidr[]): void;
  /** Those in force: at first what an earlier agent left, if the driver can tell. */
  readonly serviceRanges: readonly Cidr[];
  /** Where an earlier agent served NodePorts, if the driver can tell. */
  readonly adoptedNodePorts: readonly Ip[];
  /** The node's own pod ranges. */
  setPodRanges(ranges: readonly Cidr[]): void;
  /** Whose addresses are local pods' where the mode is ClusterCIDR or NodeCIDR: the first range of each family. */
  setLocalRanges(ranges: readonly Cidr[]): void;
  /** Whether an earlier agent's ranges are in force, or this one's. */
  readonly localRangesKnown: boolean;
  /** Makes the datapath fit the node's devices. Only once the state is there. */
  attachDevices(network: NetworkView, rules: DeviceRules): DeviceChanges;
  /** How many objects hold something that cannot be used; for `status`. */
  noteProblems(count: number): void;
  /** As last noted. */
  readonly problems: number;
}
