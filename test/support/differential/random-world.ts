// SPDX-License-Identifier: Apache-2.0
// Random worlds for the differential suite: few names, addresses and ports, so that they collide all the time; and
// packets aimed at what the world serves, or just beside it.

import fc from "fast-check";
import type { Family } from "../model/address.ts";
import type {
  EndpointManifest,
  NodeManifest,
  Protocol,
  ServiceManifest,
  SliceManifest,
  World,
} from "../model/world.ts";
import { addressIn, FAMILIES, HERE, NODE_ADDRESSES, nodeAddress, PROTOCOLS, THERE } from "./places.ts";
import { detectorAtRandom, podCidrsAtRandom } from "./random-detector.ts";
import { sourcesAtRandom } from "./random-sources.ts";

/** Names of the Services that a world may hold. */
const NAMES = ["a", "b", "c", "d", "e"] as const;
const PORT_NAMES = ["web", "dns"] as const;

const maybe = <T>(arb: fc.Arbitrary<T>, freq = 1) => fc.option(arb, { nil: undefined, freq });
const rarely = (times = 12) => fc.nat({ max: times }).map((n) => n === 0);
const policy = fc.constantFrom("Cluster" as const, "Local" as const, "Local" as const, undefined);

/** Two address texts for one address, the second as old manifests have it (row 12). */
const written = (text: string) =>
  rarely().map((odd) =>
    odd && !text.includes(":") ? ` ${text.replace(/\d+$/, (last) => last.padStart(3, "0"))}` : text,
  );

const clusterIps = (n: number) =>
  fc.constantFrom<readonly Family[]>([4], [6], [4, 6], [4, 6], [6, 4]).chain((families) => {
    return fc.tuple(...families.map((family) => written(addressIn("cluster", family, n))));
  });

/** Frontends that belong to one Service, and some that several want. */
const externals = (range: "external" | "balancer") =>
  fc.array(
    fc.tuple(fc.constantFrom(...FAMILIES), fc.integer({ min: 1, max: 4 })).chain(([family, n]) => {
      return written(range === "external" && n === 4 ? nodeAddress(family, 1) : addressIn(range, family, n));
    }),
    { maxLength: 3 },
  );

const servicePorts = fc
  .uniqueArray(
    fc.record({
      name: fc.constantFrom(...PORT_NAMES),
      protocol: fc.constantFrom(...PROTOCOLS, "UDP" as const, undefined),
      port: fc.constantFrom(80, 81, 53),
      nodePort: fc.constantFrom(30080, 30081, 30082, 0, undefined),
    }),
    // the API server refuses one name, or one port and protocol, twice
    { minLength: 1, maxLength: 2, comparator: clash, size: "max" },
  )
  .chain((ports) =>
    ports.length > 1 ? fc.constant(ports) : rarely(4).map((bare) => (bare ? ports.map(withoutName) : ports)),
  );

interface Port {
  readonly name?: string;
  readonly protocol: Protocol | undefined;
  readonly port: number;
  readonly nodePort: number | undefined;
}

function clash(a: Port, b: Port): boolean {
  if (a.name === b.name) return true;
  if ((a.protocol ?? "TCP") !== (b.protocol ?? "TCP")) return false;
  return a.port === b.port || (a.nodePort === b.nodePort && Boolean(a.nodePort));
}

function withoutName({ protocol, port, nodePort }: Port): Port {
  return { protocol, port, nodePort };
}

const service = (name: string, n: number): fc.Arbitrary<ServiceManifest> =>
  fc
    .record({
      type: fc.constantFrom("ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer", undefined),
      externalName: rarely(20),
      headless: rarely(20),
      old: rarely(),
      ips: clusterIps(n),
      foreign: rarely(20),
      headlessLabel: rarely(20),
      created: fc.constantFrom("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", undefined),
      externalIPs: externals("external"),
      ingress: externals("balancer"),
      ipMode: fc.constantFrom("VIP", "VIP", "Proxy", undefined),
      hostname: rarely(4),
      internalTrafficPolicy: policy,
      externalTrafficPolicy: policy,
      ports: servicePorts,
      scheduler: fc.constantFrom(undefined, "random", "mh"),
      sources: sourcesAtRandom,
      affinity: fc.constantFrom(undefined, undefined, "None" as const, 30, 600, 86_401, "default" as const),
    })
    .map((drawn): ServiceManifest => {
      const [first = ""] = drawn.ips;
      const ips = drawn.headless ? ["None"] : drawn.ips;
      const entries = drawn.ingress.map((ip) => ({ ip, ...(drawn.ipMode ? { ipMode: drawn.ipMode } : {}) }));
      return {
        apiVersion: "v1",
        kind: "Service",
        metadata: {
          name,
          namespace: "test",
          labels: {
            ...(drawn.foreign ? { "service.kubernetes.io/service-proxy-name": "another" } : {}),
            ...(drawn.headlessLabel ? { "service.kubernetes.io/headless": "" } : {}),
          },
          annotations: {
            ...(drawn.scheduler === undefined ? {} : { "portolan.dev/scheduler": drawn.scheduler }),
            ...drawn.sources.annotations,
          },
          creationTimestamp: drawn.created,
        },
        spec: {
          type: drawn.externalName ? "ExternalName" : drawn.type,
          clusterIP: drawn.headless ? "None" : first,
          clusterIPs: drawn.old ? undefined : ips,
          externalIPs: drawn.externalIPs,
          internalTrafficPolicy: drawn.internalTrafficPolicy,
          externalTrafficPolicy: drawn.externalTrafficPolicy,
          loadBalancerSourceRanges: drawn.sources.ranges,
          ...affinityOf(drawn.affinity),
          ports: drawn.ports,
        },
        status: { loadBalancer: { ingress: drawn.hostname ? [...entries, { hostname: "lb.example" }] : entries } },
      };
    });

/** Seconds, some out of range (row 52). */
function affinityOf(drawn: number | "None" | "default" | undefined): Partial<ServiceManifest["spec"]> {
  if (drawn === undefined || drawn === "None") return { sessionAffinity: drawn };
  if (drawn === "default") return { sessionAffinity: "ClientIP" };
  return { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: drawn } } };
}

const PLACES = ["here", "there", "anywhere", "node here", "node there"] as const;
const ELSEWHERE = ["there", "node there", "anywhere"] as const;
type HintStyle = "none" | "node" | "zone" | "both" | "some";

const conditions = fc.constantFrom(
  undefined,
  undefined,
  { ready: true },
  { ready: true },
  { ready: null, serving: null, terminating: null },
  { ready: false, serving: false, terminating: false },
  { ready: false, serving: true, terminating: false },
  { ready: false, serving: true, terminating: true },
  { ready: false, serving: true, terminating: true },
  { ready: false, serving: false, terminating: true },
  { ready: true, serving: true, terminating: true },
);

/** An address has one place, and within one Service one hint: what duplicates differ in is their conditions. */
const endpoint = (family: Family, style: HintStyle, places: readonly (typeof PLACES)[number][]) =>
  fc
    .record({
      place: fc.constantFrom(...places),
      n: fc.integer({ min: 1, max: 3 }),
      second: rarely(),
      conditions,
    })
    .map(({ place, n, second, conditions }): EndpointManifest => {
      const local = place === "here" || place === "node here";
      return {
        addresses: [addressAt(place, family, n), ...(second ? [addressIn("there", family, 9)] : [])],
        nodeName: place === "anywhere" ? undefined : local ? HERE : THERE,
        zone: local ? "zone1" : "zone2",
        conditions,
        hints: hintsOf(style, place.startsWith("node") ? 1 : n, local),
      };
    });

function addressAt(place: (typeof PLACES)[number], family: Family, n: number): string {
  if (place === "node here") return nodeAddress(family, n === 1 ? 1 : 2);
  return place === "node there" ? nodeAddress(family, 9) : addressIn(place, family, n);
}

function hintsOf(style: HintStyle, n: number, local: boolean): EndpointManifest["hints"] {
  if (style === "none" || (style === "some" && n === 3)) return undefined;
  const forNodes = [{ name: n === 2 ? HERE : THERE }];
  const forZones = [{ name: "zone2" }, ...(n !== 3 && local ? [{ name: "zone1" }] : [])];
  return { ...(style === "zone" ? {} : { forNodes }), ...(style === "node" ? {} : { forZones }) };
}

const slicePorts = fc
  .tuple(fc.constantFrom(8080, 8081, 80), fc.constantFrom(0, 0, 0, 0, 1, 2, 3), fc.boolean())
  .map(([port, odd, bare]) => {
    const names = bare ? [undefined, ...PORT_NAMES] : [...PORT_NAMES, ""];
    const all = names.flatMap((name, i) => PROTOCOLS.map((protocol) => ({ name, protocol, port: port + i })));
    if (odd === 1) return all.filter(({ protocol }) => protocol === "TCP");
    if (odd === 2) return all.map((entry) => ({ ...entry, port: entry.name === "web" ? null : entry.port }));
    return odd === 3
      ? all.map((entry) => ({ ...entry, protocol: entry.protocol === "TCP" ? null : entry.protocol }))
      : all;
  });

/** All slices of one Service; its endpoints lie in few places, so that the sets of the two policies differ often. */
const slicesOf = (name: string): fc.Arbitrary<readonly SliceManifest[]> =>
  fc
    .tuple(
      fc.constantFrom<HintStyle>("none", "none", "node", "zone", "both", "some"),
      fc.constantFrom(PLACES, ELSEWHERE, ELSEWHERE, ELSEWHERE, ["here", "there"] as const),
    )
    .chain(([style, places]) =>
      fc.array(
        fc.constantFrom(...FAMILIES).chain((family) =>
          fc.record({
            family: fc.constant(family),
            ports: slicePorts,
            endpoints: fc.array(endpoint(family, style, places), { minLength: 1, maxLength: 6, size: "max" }),
            headless: rarely(20),
            stray: rarely(20),
            names: rarely(20),
          }),
        ),
        { minLength: 1, maxLength: 5, size: "max" },
      ),
    )
    .map((slices) =>
      slices.map(
        (slice, i): SliceManifest => ({
          apiVersion: "discovery.k8s.io/v1",
          kind: "EndpointSlice",
          metadata: {
            name: `${name}-${i}`,
            namespace: "test",
            labels: {
              ...(slice.stray ? {} : { "kubernetes.io/service-name": name }),
              ...(slice.headless ? { "service.kubernetes.io/headless": "" } : {}),
            },
          },
          addressType: slice.names ? "FQDN" : slice.family === 4 ? "IPv4" : "IPv6",
          ports: slice.ports,
          endpoints: slice.endpoints,
        }),
      ),
    );

/** Row 44 goes by its first address; the second is listed before it. */
const nodeAddresses = fc
  .constantFrom(true, true, true, false)
  .map((known) =>
    FAMILIES.flatMap((family) => [
      { type: "ExternalIP" as const, address: nodeAddress(family, 9) },
      ...(known ? [{ type: "InternalIP" as const, address: nodeAddress(family, 1) }] : []),
    ]),
  );

const nodes = fc
  .record({
    zone: maybe(fc.constantFrom("zone1", "zone1", "zone2"), 8),
    podCIDRs: podCidrsAtRandom,
    addresses: fc.oneof({ weight: 5, arbitrary: nodeAddresses }, fc.constant(undefined)),
  })
  .map(({ zone, podCIDRs, addresses }): readonly NodeManifest[] => [
    {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: HERE, labels: zone === undefined ? {} : { "topology.kubernetes.io/zone": zone } },
      spec: { podCIDRs },
      status: { addresses },
    },
    { apiVersion: "v1", kind: "Node", metadata: { name: THERE, labels: { "topology.kubernetes.io/zone": "zone2" } } },
  ]);

/** Each Service may be missing, so that a failure shrinks to those that matter. */
const serviceWithSlices = (name: string, i: number) =>
  maybe(fc.record({ service: service(name, i + 1), slices: slicesOf(name) }), 4);

/** Told by the device only, unless all ways to tell local pods are wanted. */
export const worldAtRandom = (everyDetector = false): fc.Arbitrary<World> =>
  fc
    .record({ known: fc.tuple(...NAMES.map(serviceWithSlices)), nodes, detector: detectorAtRandom(everyDetector) })
    .map(({ known, nodes, detector }) => {
      const there = known.filter((one) => one !== undefined);
      return {
        services: there.map(({ service }) => service),
        slices: there.flatMap(({ slices }) => slices),
        nodes,
        here: HERE,
        addresses: NODE_ADDRESSES,
        masqueradeAll: false,
        ...detector,
      };
    });
