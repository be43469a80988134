// SPDX-License-Identifier: Apache-2.0
// Services that meet what they are made for in every world, whatever the seed: three that stand in each random world, so
// that every verdict comes with every family, protocol and hook; and a whole world of them, in which each planted fault
// shows.

import fc from "fast-check";
import type { Family } from "../model/address.ts";
import { frontendsOf } from "../model/services.ts";
import type { EndpointManifest, Packet, Policy, ServiceManifest, SliceManifest, World } from "../model/world.ts";
import { addressIn, FAMILIES, HERE, loopback, NODE_ADDRESSES, nodeAddress, PROTOCOLS, THERE } from "./places.ts";
import { plantedService, plantedSlice } from "./planted.ts";
import type { Told } from "./random-detector.ts";

interface Landmark {
  readonly name: string;
  readonly internal?: Policy;
  readonly external?: Policy;
  readonly ranges?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly endpoints: (family: Family) => readonly EndpointManifest[];
}

interface Place {
  readonly place: "here" | "there";
  /** Its address in the range of pods; 1 to 3 are those that random endpoints have too. */
  readonly n: number;
  readonly second?: true;
  readonly conditions?: EndpointManifest["conditions"];
  readonly hints?: EndpointManifest["hints"];
}

function at(...places: readonly Place[]): Landmark["endpoints"] {
  return (family) =>
    places.map(({ place, n, second, conditions, hints }) => ({
      addresses: [addressIn(place, family, n), ...(second ? [addressIn("there", family, 9)] : [])],
      nodeName: place === "here" ? HERE : THERE,
      conditions,
      hints,
    }));
}

const ENDING = { ready: false, serving: true, terminating: true } as const;
const hint = (name: string) => ({ forNodes: [{ name }] });
const zone = (name: string) => ({ forZones: [{ name }] });
const apply = (kinds: string) => ({ "portolan.dev/source-ranges-apply": kinds });
const deny = (ranges: string) => ({ "portolan.dev/denied-source-ranges": ranges });
const BOTH = at({ place: "here", n: 1 }, { place: "here", n: 2, second: true }, { place: "there", n: 1 });
const PODS = ["10.244.1.0/24", "fd00:244:1::/64"];
const NODE = ["192.0.2.1/32", "2001:db8:2::1/128"];
/** Clients 101 to 103 of the outside. */
const OUTSIDE = ["192.0.2.100/30", "2001:db8:2::100/126"];

/** In every world: whoever asks where is answered, refused, or at the cluster IP met with silence. */
const EVERYWHERE: readonly Landmark[] = [
  { name: "answered", endpoints: BOTH },
  { name: "refused", endpoints: () => [] },
  { name: "silent", internal: "Local", external: "Local", endpoints: at({ place: "there", n: 1 }) },
];

/** Rows in the order of the faults that show at them. */
const MORE: readonly Landmark[] = [
  {
    name: "hinted",
    external: "Local",
    endpoints: at(
      { place: "here", n: 1, hints: hint(HERE) },
      { place: "here", n: 2, hints: hint(THERE) },
      { place: "there", n: 1, hints: hint(THERE) },
    ),
  },
  {
    name: "zoned",
    external: "Local",
    endpoints: at(
      { place: "here", n: 1, hints: zone("zone1") },
      { place: "here", n: 2, hints: zone("zone2") },
      { place: "there", n: 1, hints: zone("zone2") },
    ),
  },
  { name: "ending", endpoints: at({ place: "here", n: 1 }, { place: "there", n: 1, conditions: ENDING }) },
  {
    name: "all-ending",
    endpoints: at({ place: "here", n: 1, conditions: ENDING }, { place: "there", n: 1, conditions: ENDING }),
  },
  {
    name: "ending-here",
    external: "Local",
    endpoints: at({ place: "here", n: 1, conditions: ENDING }, { place: "there", n: 1 }),
  },
  { name: "outer", external: "Local", endpoints: BOTH },
  { name: "inner", internal: "Local", endpoints: BOTH },
  { name: "ranged", ranges: [...OUTSIDE, ...NODE], endpoints: BOTH },
  { name: "pods-only", ranges: PODS, annotations: apply("NodePort, ExternalIP"), endpoints: BOTH },
  { name: "one-family", ranges: [...OUTSIDE].slice(0, 1), endpoints: BOTH },
  {
    name: "closed-family",
    ranges: OUTSIDE.slice(0, 1),
    annotations: { "portolan.dev/source-ranges-policy": "strict" },
    endpoints: BOTH,
  },
  { name: "denied", annotations: { ...deny("192.0.2.102/32, fd00:244:1::/64"), ...apply("all") }, endpoints: BOTH },
  { name: "unreadable", ranges: ["everybody"], endpoints: BOTH },
  { name: "ranged-empty", ranges: PODS, endpoints: () => [] },
];

const PORTS = PROTOCOLS.map((protocol, i) => ({ name: protocol.toLowerCase(), protocol, port: 180 + i }));
const TARGET_PORT = 9090;

function serviceOf({ name, internal, external, ranges, annotations }: Landmark, i: number): ServiceManifest {
  return plantedService({
    name: `landmark-${name}`,
    n: 101 + i,
    annotations,
    spec: {
      internalTrafficPolicy: internal,
      externalTrafficPolicy: external,
      loadBalancerSourceRanges: ranges,
      ports: PORTS.map((port) => ({ ...port, nodePort: 30100 + i })),
    },
  });
}

function slicesOf({ name, endpoints }: Landmark): readonly SliceManifest[] {
  const ports = PROTOCOLS.map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: TARGET_PORT }));
  return FAMILIES.map((family) => plantedSlice(`landmark-${name}`, family, ports, endpoints(family)));
}

export function withLandmarks(world: World): World {
  return {
    ...world,
    services: [...world.services, ...EVERYWHERE.map(serviceOf)],
    slices: [...world.slices, ...EVERYWHERE.flatMap(slicesOf)],
  };
}

type Who = Pick<Packet, "hook" | "client">;
const ON_WIRE: readonly Who[] = [
  { hook: "wire", client: "outside" },
  { hook: "wire", client: "pod" },
];
const BY_SOCKET: readonly Who[] = [
  { hook: "socket", client: "pod" },
  { hook: "socket", client: "host" },
];

function sourcesOf(client: Packet["client"], family: Family): readonly string[] {
  if (client === "host") return [nodeAddress(family, 1), nodeAddress(family, 2)];
  if (client === "pod") return [1, 4].map((n) => addressIn("here", family, n));
  return [...[1, 2].map((n) => addressIn("outside", family, n)), addressIn("there", family, 4)];
}

/** One for each verdict, family, protocol and hook; who asks where is chosen by the numbers. */
export function landmarkPackets(numbers: readonly number[]): readonly Packet[] {
  let at = 0;
  const choose = <T>(list: readonly T[]): T => {
    const chosen = list[(numbers[at++ % numbers.length] ?? 0) % list.length];
    if (chosen === undefined) throw new Error("nothing to choose from");
    return chosen;
  };
  const frontends = EVERYWHERE.map((landmark, i) => frontendsOf(serviceOf(landmark, i)));
  const nowhere = addressIn("cluster", 4, 99);
  return FAMILIES.flatMap((family) =>
    PROTOCOLS.flatMap((protocol) =>
      [ON_WIRE, BY_SOCKET].flatMap((hook) => {
        const aimed = frontends.map((all) => all.filter((one) => one.family === family && one.protocol === protocol));
        const [answered = [], refused = [], silent = []] = aimed;
        const clusterIps = silent.filter(({ kind }) => kind === "ClusterIP");
        const served = protocol === "SCTP" && hook === BY_SOCKET ? [] : [answered, refused, clusterIps];
        const packet = (address: string, port: number): Packet => {
          const who = choose(hook);
          return { ...who, source: choose(sourcesOf(who.client, family)), destination: address, port, protocol };
        };
        return [
          packet(family === 4 ? nowhere : addressIn("cluster", 6, 99), 180),
          ...served.map(choose).map(({ address, port }) => packet(address?.text ?? nodeAddress(family, 1), port)),
        ];
      }),
    ),
  );
}

/** Verdicts by families, protocols and hooks: what landmarkPackets() meets; sockets leave all SCTP alone (row 48). */
export const CELLS: number = 2 * (4 * (3 + 2) + 1);

export const landmarkNumbers: fc.Arbitrary<readonly number[]> = fc.array(fc.nat({ max: 1000 }), {
  minLength: 97,
  maxLength: 97,
});

/** A world of landmarks alone. */
export function landmarkWorld(told: Told): World {
  const all = [...EVERYWHERE, ...MORE];
  return {
    services: all.map(serviceOf),
    slices: all.flatMap(slicesOf),
    nodes: [
      {
        apiVersion: "v1",
        kind: "Node",
        metadata: { name: HERE, labels: { "topology.kubernetes.io/zone": "zone1" } },
        spec: { podCIDRs: [...PODS, "10.77.1.0/24", "fd00:77:1::/64"] },
        status: {
          addresses: FAMILIES.map((family) => ({ type: "InternalIP" as const, address: nodeAddress(family, 1) })),
        },
      },
    ],
    here: HERE,
    addresses: NODE_ADDRESSES,
    masqueradeAll: false,
    ...told,
  };
}

/** Of no landmark. */
const UNUSED_PORT = 8443;

/**
 * Everybody's question to every frontend, where a NodePort may be asked for and where it may not: by one protocol, and
 * to the first Service by each, and at a port that it has not (row 46).
 */
export function everyPacket(world: World): readonly Packet[] {
  const frontends = world.services.flatMap((service, i) =>
    frontendsOf(service).filter(({ protocol }) => i === 0 || protocol === PROTOCOLS[i % 2]),
  );
  const [first] = world.services;
  const unused = (first ? frontendsOf(first) : []).map((frontend) => ({ ...frontend, port: UNUSED_PORT }));
  return [...frontends, ...unused].flatMap(({ family, protocol, address, port, balancers }) => {
    const vips = balancers.map(({ text }) => ({ hook: "wire", client: "outside", source: text }) as const);
    const nodes = [nodeAddress(family, 1), nodeAddress(family, 2), loopback(family)];
    return (address === undefined ? nodes : [address.text]).flatMap((destination) =>
      [
        ...vips,
        ...[...ON_WIRE, ...BY_SOCKET].flatMap((who) =>
          sourcesOf(who.client, family).map((source) => ({ ...who, source })),
        ),
      ].map((client) => ({ ...client, destination, port, protocol })),
    );
  });
}
