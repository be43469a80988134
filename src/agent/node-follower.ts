// SPDX-License-Identifier: Apache-2.0
// Follows what this node is: its devices, its addresses and its Node object, and tells the driver.

import type { Datapath, NodeAddress } from "../datapath/contract.ts";
import type { Network } from "../datapath/network.ts";
import type { Change } from "../model/changes.ts";
import type { Cidr } from "../model/ip.ts";
import type { Node } from "../model/node.ts";
import { firstOfEach, isLocalInterface } from "./local-detector.ts";
import type { Log } from "./log.ts";
import { globalAddresses, localAddresses, type NodePortRule, nodeAddresses } from "./node-addresses.ts";
import type { AgentOptions } from "./options.ts";
import type { RangeFollower } from "./range-follower.ts";
import { Retry } from "./retry.ts";
import type { ServiceFollower } from "./service-follower.ts";

type LiveOptions = Pick<AgentOptions, "localhostNodePorts" | "devices" | "podDevices">;
type Options = LiveOptions & Pick<AgentOptions, "nodeName" | "localDetector">;
type Driver = Pick<
  Datapath,
  "setPodRanges" | "setLocalRanges" | "setNodeAddresses" | "attachDevices" | "localRangesKnown" | "adoptedNodePorts"
>;

/** Who is told of the node's addresses, as they are and as they change. */
interface Listeners {
  readonly driver: Driver;
  readonly services: Pick<ServiceFollower, "setLocalAddresses">;
  readonly ranges: Pick<RangeFollower, "refresh">;
  readonly health: Pick<Datapath, "setNodeAddresses">;
}

export class NodeFollower implements Disposable {
  #options: Options;
  #rule: NodePortRule;
  readonly #network: Pick<Network, "view" | "onChange">;
  readonly #driver: Driver;
  readonly #services: Listeners["services"];
  readonly #ranges: Listeners["ranges"];
  readonly #health: Listeners["health"];
  readonly #log: Log;
  #node: Node | undefined;
  /** As the driver was last told. */
  #addresses: readonly NodeAddress[] = [];
  #attached = false;
  readonly #retry: Retry;
  /** As last logged. */
  #localRanges: string | undefined;

  constructor(
    options: Options,
    rule: NodePortRule,
    network: Pick<Network, "view" | "onChange">,
    { driver, services, ranges, health }: Listeners,
    log: Log,
  ) {
    this.#options = options;
    this.#rule = rule;
    this.#network = network;
    this.#driver = driver;
    this.#services = services;
    this.#ranges = ranges;
    this.#health = health;
    this.#log = log;
    this.#retry = new Retry(log, "the node's devices or addresses could not be followed, it is tried again");
    services.setLocalAddresses(globalAddresses(localAddresses(network.view())));
  }

  /** Changes of Node objects; only our own counts. Its going takes no hooks off a node that serves. */
  update(changes: readonly Change<Node>[]): void {
    const own = changes.find(({ previous, current }) => (current ?? previous)?.name === this.#options.nodeName);
    if (!own) return;
    if (!own.current) {
      this.#log.warn(`Node ${this.#options.nodeName} is gone; what it last said of this node still counts`);
      return;
    }
    const node = own.current;
    this.#node = node;
    this.#retry.attempt("pod ranges", () => this.#driver.setPodRanges(node.podCidrs));
    if (this.#attached) this.#followRanges();
    this.refresh();
  }

  /** Takes up what may change while the agent runs: which devices, and which addresses serve NodePorts. */
  reconfigure({ devices, podDevices, localhostNodePorts }: LiveOptions, rule: NodePortRule): void {
    this.#options = { ...this.#options, devices, podDevices, localhostNodePorts };
    this.#rule = rule;
    this.#warnOfPrimary();
    this.refresh();
  }

  /** From now on hooks follow the devices: the first state is in the kernel. */
  attach(): void {
    this.#warnOfPrimary();
    this.#followRanges();
    this.#attached = true;
    this.refresh();
    this.#network.onChange(() => this.refresh());
  }

  /** Brings addresses and devices up to date. */
  refresh(): void {
    const local = localAddresses(this.#network.view());
    const addresses = this.#nodeAddresses();
    // A ClusterIP among them is the node's before the Service steps back from it, and until it is the Service's again.
    const there = new Set(addresses.map(({ address }) => address));
    const gone = this.#addresses.filter(({ address }) => !there.has(address));
    this.#retry.attempt("addresses", () => this.#driver.setNodeAddresses([...addresses, ...gone]));
    this.#services.setLocalAddresses(globalAddresses(local));
    if (gone.length > 0) this.#retry.attempt("addresses", () => this.#driver.setNodeAddresses(addresses));
    this.#addresses = addresses;
    this.#health.setNodeAddresses(addresses);
    this.#ranges.refresh();
    if (this.#attached) this.#retry.attempt("devices", () => this.#followDevices());
  }

  [Symbol.dispose](): void {
    this.#retry[Symbol.dispose]();
  }

  #warnOfPrimary(): void {
    if (this.#rule !== "primary" || this.#node) return;
    const why = `--nodeport-addresses primary: no Node ${this.#options.nodeName} is known yet`;
    const serving = this.#nodeAddresses().filter(({ nodePort }) => nodePort);
    const where = serving.map(({ address }) => address).join(", ");
    const served = where ? `where an earlier agent did: ${where}` : "on no address";
    this.#log.warn(`${why}, so NodePorts are served ${served}: add its manifest`);
  }

  /** While no Node is known, its primary addresses are those where an earlier agent served NodePorts. */
  #nodeAddresses(): readonly NodeAddress[] {
    const { localhostNodePorts } = this.#options;
    const local = localAddresses(this.#network.view());
    if (this.#node) return nodeAddresses(local, this.#rule, this.#node.addresses, localhostNodePorts);
    return nodeAddresses(local, this.#rule, [], localhostNodePorts, this.#driver.adoptedNodePorts);
  }

  /** Whom the programs take for a local pod: not before they are there, an earlier agent's may ask the same map. */
  #followRanges(): void {
    const { localDetector, nodeName } = this.#options;
    if (localDetector.mode === "ClusterCIDR") this.#setLocalRanges(localDetector.cidrs);
    if (localDetector.mode !== "NodeCIDR") return;
    if (this.#node) {
      this.#setLocalRanges(this.#node.podCidrs);
    } else {
      this.#log.warn(`--detect-local-mode NodeCIDR: no Node ${nodeName} is known yet: add its manifest`);
      if (!this.#driver.localRangesKnown) this.#setLocalRanges([]);
    }
  }

  #setLocalRanges(ranges: readonly Cidr[]): void {
    this.#retry.attempt("ranges of local pods", () => this.#driver.setLocalRanges(ranges));
    const { used, missing } = firstOfEach(ranges);
    const text = used.join(",");
    if (text === this.#localRanges) return;
    this.#localRanges = text;
    const none = missing.map((family) => `, of IPv${family} none`).join("");
    const level = used.length === 0 ? "warn" : "info";
    this.#log[level](`${this.#options.localDetector.mode}: local pods are ${text || "not known"}${none}`);
  }

  #followDevices(): void {
    const changes = this.#driver.attachDevices(this.#network.view(), {
      uplinkPatterns: this.#options.devices,
      podPatterns: this.#options.podDevices,
      nodeAddresses: this.#node?.addresses ?? [],
      isLocalInterface: isLocalInterface(this.#options.localDetector),
    });
    for (const device of changes.added)
      this.#log.info({ device: device.name, roles: rolesOf(device.role) }, "attached");
    for (const device of changes.changed)
      this.#log.info({ device: device.name, roles: rolesOf(device.role) }, "changed");
    for (const ifindex of changes.removed) this.#log.info({ ifindex }, "detached");
    for (const { device, error } of changes.graded) {
      if (error)
        this.#log.info({ device: device.name, reason: error.message }, "no XDP on this device, tc does its work");
      else this.#log.info({ device: device.name }, "XDP");
    }
    const failures: Error[] = [];
    for (const { device, error } of changes.failed) {
      // A device may go while we attach to it.
      if (error.code === "ENODEV") this.#log.debug({ device: device.name }, "gone again");
      else failures.push(Object.assign(new Error(`${device.name}: ${error.message}`), { code: error.code }));
    }
    if (failures.length === 0) return;
    throw new AggregateError(failures, `${failures.length} devices could not be attached to`);
  }
}

function rolesOf(role: object): string {
  return Object.entries(role)
    .filter(([, on]) => on)
    .map(([name]) => name)
    .join(",");
}
