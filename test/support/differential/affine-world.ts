// SPDX-License-Identifier: Apache-2.0
// A world of Services with session affinity, and the history in which each planted fault of it shows: who comes again
// comes by another frontend, after a while, after an endpoint has gone, after a policy has changed.

import type { Family } from "../model/address.ts";
import { type Frontend, frontendsOf } from "../model/services.ts";
import type { EndpointManifest, Packet, Policy, ServiceManifest, SliceManifest, World } from "../model/world.ts";
import type { Step } from "./history.ts";
import { addressIn, FAMILIES, HERE, NODE_ADDRESSES, nodeAddress, PROTOCOLS, THERE } from "./places.ts";
import { plantedService, plantedSlice } from "./planted.ts";
import { BY_DEVICE } from "./random-detector.ts";
import { socketWays } from "./real-node.ts";

/** Of the pod whose sockets are asked. */
export const SOCKET_POD = 7;
const SECONDS = 600;

interface Sticky {
  readonly name: string;
  readonly seconds?: number;
  readonly affinity?: "ClientIP" | "None";
  readonly internal?: Policy;
  readonly external?: Policy;
  readonly annotations?: Readonly<Record<string, string>>;
}

const STICKY: readonly Sticky[] = [
  { name: "both", seconds: SECONDS },
  { name: "inner", seconds: SECONDS, internal: "Local" },
  { name: "plain", affinity: "None" },
  { name: "by-default" },
  { name: "outer", seconds: SECONDS, external: "Local" },
  { name: "by-table", seconds: SECONDS, annotations: { "portolan.dev/scheduler": "mh" } },
];

/** Two ports of one protocol. */
const PORTS = [...PROTOCOLS, "TCP" as const].map((protocol, i) => ({ name: `port${i}`, protocol, port: 180 + i }));
const EACH = [11, 12, 13, 14, 15, 16] as const;

function serviceOf({ name, seconds, affinity, internal, external, annotations }: Sticky, i: number): ServiceManifest {
  return plantedService({
    name: `sticky-${name}`,
    n: 121 + i,
    annotations,
    spec: {
      internalTrafficPolicy: internal,
      externalTrafficPolicy: external,
      sessionAffinity: affinity ?? "ClientIP",
      sessionAffinityConfig: seconds === undefined ? undefined : { clientIP: { timeoutSeconds: seconds } },
      ports: PORTS.map((port, p) => ({ ...port, nodePort: 30150 + 2 * i + (p === 3 ? 1 : 0) })),
    },
  });
}

function sliceOf({ name }: Sticky, family: Family): SliceManifest {
  const endpoints = (["here", "there"] as const).flatMap((place) =>
    EACH.map(
      (n): EndpointManifest => ({
        addresses: [addressIn(place, family, n)],
        nodeName: place === "here" ? HERE : THERE,
      }),
    ),
  );
  const ports = PORTS.map(({ name, protocol }) => ({ name, protocol, port: 9090 }));
  return plantedSlice(`sticky-${name}`, family, ports, endpoints);
}

/** Of all Services, or of those that are enough for the planted faults. */
export function affineWorld(which: "all" | "some" = "all"): World {
  const sticky = which === "all" ? STICKY : STICKY.slice(0, 4);
  return {
    services: sticky.map(serviceOf),
    slices: sticky.flatMap((sticky) => FAMILIES.map((family) => sliceOf(sticky, family))),
    nodes: [
      {
        apiVersion: "v1",
        kind: "Node",
        metadata: { name: HERE },
        status: {
          addresses: FAMILIES.map((family) => ({ type: "InternalIP" as const, address: nodeAddress(family, 1) })),
        },
      },
    ],
    here: HERE,
    addresses: NODE_ADDRESSES,
    masqueradeAll: false,
    detectLocal: BY_DEVICE.detectLocal,
    interfaces: { pod: { name: "veth1" }, outside: { name: "eth0" } },
  };
}

/** Two of twelve endpoints gone: one of each node. */
function withoutSome(world: World): World {
  const gone = FAMILIES.flatMap((family) => [addressIn("here", family, 11), addressIn("there", family, 14)]);
  const slices = world.slices.map((slice) => ({
    ...slice,
    endpoints: slice.endpoints.filter(({ addresses }) => !gone.includes(addresses[0] ?? "")),
  }));
  return { ...world, slices };
}

function withSpec(world: World, change: Partial<ServiceManifest["spec"]>): World {
  return {
    ...world,
    services: world.services.map((service) => ({ ...service, spec: { ...service.spec, ...change } })),
  };
}

type Who = Pick<Packet, "hook" | "client" | "source">;

function everybody(family: Family): readonly Who[] {
  const wire = (client: "outside" | "pod", n: number): Who => {
    return { hook: "wire", client, source: addressIn(client === "pod" ? "here" : "outside", family, n) };
  };
  return [
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((n) => wire("outside", n)),
    ...[4, 5, 6, SOCKET_POD].map((n) => wire("pod", n)),
    { hook: "socket", client: "pod", source: addressIn("here", family, SOCKET_POD) },
    { hook: "socket", client: "host", source: nodeAddress(family, 1) },
    { hook: "socket", client: "host", source: nodeAddress(family, 2) },
  ];
}

/**
 * A connection of each client to each Service, by one protocol in each family and by one way of a socket and one
 * frontend after the other.
 */
function round(world: World, turn: number): readonly Step[] {
  return world.services.flatMap((service, i) =>
    FAMILIES.flatMap((family, f) => {
      const protocol = PROTOCOLS[(i + f) % PROTOCOLS.length];
      const frontends = frontendsOf(service).filter((one) => one.family === family && one.protocol === protocol);
      return everybody(family).flatMap((who, w) => connection(who, frontends, turn + w));
    }),
  );
}

function connection(who: Who, frontends: readonly Frontend[], turn: number): readonly Step[] {
  const frontend = frontends[turn % frontends.length];
  if (frontend === undefined) throw new Error("a Service has frontends");
  const { family, address, port, protocol } = frontend;
  const packet = { ...who, destination: address?.text ?? nodeAddress(family, 1), port, protocol };
  if (who.hook === "wire") return [{ do: "connect", packet, way: "wire" }];
  const ways = socketWays(packet);
  const way = ways[turn % Math.max(1, ways.length)];
  return way === undefined ? [] : [{ do: "connect", packet, way }];
}

/** Everything that can happen to a client's endpoint, and everybody's connections in between. */
export function affineTour(world: World): readonly Step[] {
  let turn = 0;
  const meet = (now = world): readonly Step[] => [...round(now, turn++), ...round(now, turn++)];
  const ask = (): readonly Step[] => {
    return round(world, turn++).map((step) => (step.do === "connect" ? { do: "ask", packet: step.packet } : step));
  };
  const change = (to: World): readonly Step[] => [{ do: "change", world: to }, ...meet(to)];
  const soon: Step = { do: "later", seconds: SECONDS - 60 };
  return [
    ...meet(),
    ...meet(),
    ...[soon, ...meet()],
    ...[soon, ...meet()], // row 52: the timeout slides
    ...[soon, ...ask(), soon, ...meet()], // and explain does not move it
    ...change(withoutSome(world)), // row 56
    ...change(world),
    ...change(withSpec(world, { internalTrafficPolicy: "Local" })),
    ...change(world),
    ...change(withSpec(world, { sessionAffinity: "None" })), // row 51
    ...change(world),
    ...change({ ...world, services: [] }),
    ...change(world),
  ];
}
