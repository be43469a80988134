// SPDX-License-Identifier: Apache-2.0
// The reference model: what the first packet of a connection meets, by the rows of the behaviour contract. Slow, plain,
// and of its own: it imports nothing of what it is the judge of (test/unit/house/reference-model.test.ts).

import { addressOf, holds, rangeOf } from "./address.ts";
import { clientKind, isOutsider } from "./clients.ts";
import { setsOf, type Target } from "./endpoints.ts";
import { once } from "./once.ts";
import { type Frontend, frontendOf, isClusterIp, isServices } from "./services.ts";
import { sourceFilter } from "./sources.ts";
import type { Packet, Verdict, World } from "./world.ts";

const setsIn = once((world: World) => once((frontend: Frontend) => setsOf(world, frontend)));
const filtersIn = once((world: World) => once((frontend: Frontend) => sourceFilter(world, frontend)));

export function verdictOf(world: World, packet: Packet): Verdict {
  const refused = { bySource: false, hook: packet.hook, service: undefined, backends: [] } as const;
  // masqueradeAll (row 37) needs the wire: a pod's sockets leave all packets to it
  if (packet.hook === "socket" && world.masqueradeAll && packet.client === "pod")
    return { ...refused, verdict: "pass" };
  if (packet.hook === "socket" && packet.protocol === "SCTP") return { ...refused, verdict: "pass" }; // row 48
  const frontend = frontendOf(world, packet);
  if (frontend === undefined) return { ...refused, verdict: whereNothingIsServed(world, packet) };
  const filter = filtersIn(world)(frontend);
  // row 44: a pod's own address shows on the wire only
  return filter && packet.client === "pod"
    ? through(world, { ...packet, hook: "wire" }, frontend, filter)
    : through(world, packet, frontend, filter);
}

/**
 * Row 46: unused ports of a ClusterIP are refused, but to the node's own datagrams, which are left to routing. On the wire
 * whatever begins there meets silence at an address of the Services' ranges that none of them has.
 */
function whereNothingIsServed(world: World, packet: Packet): Verdict["verdict"] {
  const { hook, client, protocol, destination } = packet;
  const ownDatagram = hook === "socket" && client === "host" && protocol === "UDP";
  if (isClusterIp(world, packet)) return ownDatagram ? "pass" : "reject";
  if (hook === "socket" || isServices(world, packet)) return "pass";
  const address = addressOf(destination);
  return (world.serviceRanges ?? []).map(rangeOf).some((range) => range && holds(range, address)) ? "drop" : "pass";
}

function through(world: World, packet: Packet, frontend: Frontend, filter: ReturnType<typeof sourceFilter>): Verdict {
  const { namespace, service: name, portName } = frontend;
  const service = portName === "" ? `${namespace}/${name}` : `${namespace}/${name}:${portName}`; // row 8
  const { hook } = packet;
  if (filter && !filter(addressOf(packet.source))) {
    return { verdict: "drop", hook, bySource: true, service, backends: [] }; // row 44: endpoints or not
  }
  const sets = setsIn(world)(frontend);
  const targets = policyOf(world, frontend, packet) === "Local" ? sets.local : sets.cluster;
  if (targets.length === 0) {
    // row 31: nobody anywhere; row 33: somebody, but not here
    return { verdict: sets.anywhere ? "drop" : "reject", hook, bySource: false, service, backends: [] };
  }
  const backends = targets.map((target) => ({
    endpoint: target.endpoint,
    masquerade: isMasqueraded(world, packet, frontend, target),
  }));
  return { verdict: "dnat", hook, bySource: false, service, backends };
}

/** Row 15: the internal policy is the cluster IP's. Row 34: the external one binds only clients from elsewhere. */
function policyOf(world: World, frontend: Frontend, packet: Packet): "Cluster" | "Local" {
  if (frontend.kind === "ClusterIP") return frontend.internalPolicy;
  return isOutsider(clientKind(world, packet)) ? frontend.externalPolicy : "Cluster";
}

function isMasqueraded(world: World, packet: Packet, frontend: Frontend, target: Target): boolean {
  const kind = clientKind(world, packet);
  if (kind === "host") return true; // rows 34, 36, 37: it sends from a node address anyway
  if (packet.hook === "socket") return false; // rows 36, 37 and 39 on balanced sockets: the backend sees the client
  if (addressOf(packet.source).text === target.address.text) return true; // row 39
  // row 37; row 35: nobody can tell, so never
  if (frontend.kind === "ClusterIP") return world.masqueradeAll || kind === "outside";
  return frontend.externalPolicy === "Cluster"; // row 36; row 34: policy Local keeps the client's address
}
