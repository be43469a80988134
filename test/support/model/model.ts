// SPDX-License-Identifier: Apache-2.0
// The reference model: what the first packet of a connection meets, by the rows of the behaviour contract. Slow, plain,
// and of its own: it imports nothing of what it is the judge of (test/unit/house/reference-model.test.ts).

import { addressOf } from "./address.ts";
import { setsOf, type Target } from "./endpoints.ts";
import { type Frontend, frontendOf } from "./services.ts";
import type { Packet, Verdict, World } from "./world.ts";

const PASS: Verdict = { verdict: "pass", service: undefined, backends: [] };

export function verdictOf(world: World, packet: Packet): Verdict {
  // masqueradeAll (row 37) needs the wire: sockets leave all packets to it
  if (packet.hook === "socket" && world.masqueradeAll) return PASS;
  if (packet.hook === "socket" && packet.protocol === "SCTP") return PASS; // row 48: served on the wire
  const frontend = frontendOf(world, packet);
  if (frontend === undefined) return PASS;
  const { namespace, service: name, portName } = frontend;
  const service = portName === "" ? `${namespace}/${name}` : `${namespace}/${name}:${portName}`; // row 8
  const sets = setsOf(world, frontend);
  const targets = policyOf(frontend, packet) === "Local" ? sets.local : sets.cluster;
  if (targets.length === 0) {
    // row 31: nobody anywhere; row 33: somebody, but not here
    return { verdict: sets.anywhere ? "drop" : "reject", service, backends: [] };
  }
  const backends = targets.map((target) => ({
    endpoint: target.endpoint,
    masquerade: isMasqueraded(world, packet, frontend, target),
  }));
  return { verdict: "dnat", service, backends };
}

/** Row 15: the internal policy is the cluster IP's. Row 34: the external one binds only clients from elsewhere. */
function policyOf(frontend: Frontend, packet: Packet): "Cluster" | "Local" {
  if (frontend.kind === "ClusterIP") return frontend.internalPolicy;
  return packet.client === "outside" ? frontend.externalPolicy : "Cluster";
}

function isMasqueraded(world: World, packet: Packet, frontend: Frontend, target: Target): boolean {
  const { client, hook } = packet;
  if (client === "host") return true; // rows 34, 36, 37: it sends from a node address anyway
  if (hook === "socket") return false; // rows 36, 37 and 39 on balanced sockets: the backend sees the client
  if (world.masqueradeAll) return true; // row 37
  if (addressOf(packet.source).text === target.address.text) return true; // row 39
  if (frontend.kind === "ClusterIP") return client !== "pod"; // row 37
  return frontend.externalPolicy === "Cluster"; // row 36; row 34: policy Local keeps the client's address
}
