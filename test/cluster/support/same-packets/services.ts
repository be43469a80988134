// SPDX-License-Identifier: Apache-2.0
// The Services that are asked under every proxy: each policy with endpoints here, elsewhere, nowhere and ending, and what a Service
// may have beside them. p1a, p1b, b1a and b1b are on the node that is asked, p2a and p2b on another.
import type { Lab } from "../../../../src/demo/lab/lab.ts";
import { type Endpoint, type KubeObject, type ServiceSpec, serviceObjects } from "../../../support/manifests.ts";

/** A Service and how it differs from what its specification makes. */
export interface Offer {
  readonly spec: ServiceSpec;
  readonly change?: (objects: readonly KubeObject[]) => readonly KubeObject[];
  /** Pinged too, asked at a port that it does not have, and by its NodePort on another address of the node. */
  readonly thorough?: boolean;
}

/** Beside 80. */
export const SECOND_PORT = 90;
/** The servers listen there. */
export const TARGET_PORTS = [8080, 8081] as const;
/** The Service whose second endpoint is in slices of its own. */
export const NAMED_PORTS = "named-ports";
export const ZONE_LABEL = "topology.kubernetes.io/zone";
export const zoneOf = (node: string): string => `zone-${node}`;

export const DRAINING = { ready: false, serving: true, terminating: true };
export const UNREADY = { ready: false, serving: false, terminating: false };
const ENDED = { ready: false, serving: false, terminating: true };
/** As the controller writes them for publishNotReadyAddresses. */
export const PUBLISHED = { ready: true, serving: false, terminating: true };

const LOCAL = { external: true, externalTrafficPolicy: "Local" } as const;
const INSIDE = { external: true, internalTrafficPolicy: "Local" } as const;

export function offers(lab: Lab): readonly Offer[] {
  const at = (name: string, more: Partial<Endpoint> = {}): Endpoint => {
    const { address, nodeName } = lab.pod(name);
    return { address, nodeName, ...more };
  };
  const [here, there] = [at("p1b"), at("p2a")];
  const both = [here, there];
  const ending = (name: string) => at(name, { conditions: DRAINING });
  const unready = at("p1a", { conditions: UNREADY });
  const plain: readonly Omit<ServiceSpec, "number" | "nodePort">[] = [
    { name: "elsewhere", external: true, endpoints: [there] },
    { name: "unready", external: true, endpoints: [unready] },
    { name: "local", ...LOCAL, healthCheckNodePort: 30_901, endpoints: both },
    { name: "local-elsewhere", ...LOCAL, healthCheckNodePort: 30_902, endpoints: [there] },
    { name: "local-nobody", ...LOCAL, healthCheckNodePort: 30_903, endpoints: [unready] },
    { name: "inside", ...INSIDE, endpoints: both },
    { name: "inside-elsewhere", ...INSIDE, endpoints: [there] },
    { name: "inside-nobody", ...INSIDE, endpoints: [] },
    { name: "local-both", ...LOCAL, ...INSIDE, healthCheckNodePort: 30_904, endpoints: [at("b1b"), there] },
    { name: "local-both-elsewhere", ...LOCAL, ...INSIDE, healthCheckNodePort: 30_905, endpoints: [there] },
    { name: "all-ending", external: true, endpoints: [ending("p1b"), ending("p2a"), unready] },
    { name: "all-ending-local", ...LOCAL, healthCheckNodePort: 30_906, endpoints: [ending("p1b"), ending("p2a")] },
    { name: "ending-here", ...LOCAL, healthCheckNodePort: 30_907, endpoints: [ending("p1b"), there] },
    { name: "ending-here-inside", ...INSIDE, endpoints: [ending("p1b"), there] },
    { name: "ending-of-two", external: true, endpoints: [ending("p1b"), at("b1b")] },
    { name: "ended", external: true, endpoints: [at("p1b", { conditions: ENDED })] },
    { name: "published", external: true, endpoints: [at("p1b", { conditions: PUBLISHED })] },
    { name: "unready-of-two", external: true, endpoints: [unready, here] },
    { name: "itself", external: true, endpoints: [here] },
    { name: "itself-bridged", external: true, endpoints: [at("b1a"), at("b1b")] },
    { name: "itself-local", ...LOCAL, healthCheckNodePort: 30_908, endpoints: [here] },
    { name: "sticky", external: true, affinitySeconds: 600, endpoints: both },
    {
      name: "sticky-local",
      ...LOCAL,
      affinitySeconds: 600,
      healthCheckNodePort: 30_909,
      endpoints: [...both, at("b1b")],
    },
    ...rangedServices(lab, here),
    ...hintedServices(at),
    { name: "host", external: true, endpoints: [{ address: lab.node("n1").address, nodeName: "n1" }] },
    { name: "host-elsewhere", external: true, endpoints: [{ address: lab.node("n2").address, nodeName: "n2" }] },
    { name: "outside", external: true, endpoints: [{ address: lab.client.address }] },
    { name: "nodeless", ...LOCAL, healthCheckNodePort: 30_910, endpoints: [{ address: here.address }] },
    { name: "twice", external: true, endpoints: [ending("p1b"), here] },
  ];
  const numbered = plain.map(
    (spec, i): Offer => ({
      spec: { ...spec, number: 20 + i, nodePort: 30_120 + i },
      thorough: spec.name.startsWith("local"),
    }),
  );
  return [...probedServices(both), ...numbered, ...oddServices(here, there)];
}

function probedServices(both: readonly Endpoint[]): readonly Offer[] {
  return [
    { spec: { name: "plain", number: 11, nodePort: 30_111, external: true, endpoints: both }, thorough: true },
    { spec: { name: "nobody", number: 12, nodePort: 30_112, external: true, endpoints: [] }, thorough: true },
    { spec: { name: "only-inside", number: 13, endpoints: both }, thorough: true },
  ];
}

/** No node has an endpoint that is ready, or still serves. */
export function hasNobody({ endpoints, sliceLabels }: ServiceSpec): boolean {
  return (
    sliceLabels !== undefined || endpoints.every(({ conditions }) => conditions?.ready === false && !conditions.serving)
  );
}

function rangedServices(lab: Lab, here: Endpoint): readonly Omit<ServiceSpec, "number" | "nodePort">[] {
  const alone = (address: { v4: string; v6: string }) => [`${address.v4}/32`, `${address.v6}/128`];
  const { client } = lab;
  const sourceRanges = alone(client.address);
  const [client4 = ""] = sourceRanges;
  const [pod, node] = [alone(lab.pod("p1a").address), alone(lab.node("n1").address)];
  return [
    { name: "ranged", external: true, endpoints: [here], sourceRanges },
    { name: "ranged-pod", external: true, endpoints: [here], sourceRanges: pod },
    { name: "ranged-node", external: true, endpoints: [here], sourceRanges: node },
    { name: "ranged-local", ...LOCAL, healthCheckNodePort: 30_911, endpoints: [here], sourceRanges },
    { name: "ranged-nobody", external: true, endpoints: [], sourceRanges },
    { name: "ranged-one-family", external: true, endpoints: [here], sourceRanges: [client4] },
    { name: "ranged-sticky", external: true, affinitySeconds: 600, endpoints: [here], sourceRanges },
    { name: "ranged-all", external: true, endpoints: [here], sourceRanges: ["0.0.0.0/0", "::/0"] },
  ];
}

function hintedServices(
  at: (name: string, more?: Partial<Endpoint>) => Endpoint,
): readonly Omit<ServiceSpec, "number" | "nodePort">[] {
  const zone = (name: string, node: string) => at(name, { hints: { forZones: [{ name: zoneOf(node) }] } });
  const node = (name: string, hint: string) =>
    at(name, { hints: { forNodes: [{ name: hint }], forZones: [{ name: zoneOf(hint) }] } });
  const zones = [zone("p1b", "n1"), zone("p2a", "n2")];
  return [
    { name: "zones", external: true, endpoints: zones },
    { name: "zones-local", ...LOCAL, healthCheckNodePort: 30_912, endpoints: [zone("p1b", "n2"), zone("p2a", "n1")] },
    { name: "zones-elsewhere", external: true, endpoints: [zone("p1b", "n2"), zone("p2a", "n3")] },
    { name: "zones-half", external: true, endpoints: [zone("p1b", "n1"), at("p2a")] },
    { name: "nodes", external: true, endpoints: [node("p1b", "n1"), node("p2a", "n2")] },
    { name: "nodes-by-zone", external: true, endpoints: [node("p1b", "n2"), zone("p2a", "n1")] },
  ];
}

type Change = NonNullable<Offer["change"]>;

/** Fields of the Service's spec. */
const fields =
  (more: object): Change =>
  ([service, ...slices]) =>
    service ? [{ ...service, spec: { ...(service.spec as object), ...more } }, ...slices] : [];

/** What ServiceSpec has no word for. */
function oddServices(here: Endpoint, there: Endpoint): readonly Offer[] {
  const odd = (number: number, name: string, change: Change, more: Partial<ServiceSpec> = {}): Offer => ({
    spec: { name, number, nodePort: 30_000 + number, external: true, endpoints: [here], ...more },
    change,
  });
  const bare = { external: false } as const;
  const headless = { type: "ClusterIP", clusterIP: "None", clusterIPs: ["None"] };
  const named = { type: "ExternalName", externalName: "example.org", clusterIP: "", clusterIPs: [] };
  const { nodePort: _, ...withoutNodePort } = odd(
    91,
    "without-node-port",
    fields({ allocateLoadBalancerNodePorts: false }),
  ).spec;
  return [
    { spec: { name: "headless", number: 80, ...bare, endpoints: [here] }, change: fields(headless) },
    { spec: { name: "external-name", number: 81, ...bare, endpoints: [here] }, change: fieldsOfName(named) },
    odd(82, "headless-slices", (objects) => objects, { sliceLabels: { "service.kubernetes.io/headless": "" } }),
    odd(83, "another-proxys", (objects) => objects, {
      labels: { "service.kubernetes.io/service-proxy-name": "other" },
    }),
    odd(84, "ipv4-alone", oneFamily),
    odd(85, "mode-proxy", ipMode("Proxy")),
    odd(86, "mode-vip", ipMode("VIP")),
    odd(87, "tcp-alone", (objects) => objects, { protocols: ["TCP"] }),
    odd(88, NAMED_PORTS, (objects) => namedPorts(objects, there)),
    odd(89, "two-ports", twoPorts),
    odd(90, "sctp", (objects) => objects, { protocols: ["TCP", "SCTP"] }),
    { spec: withoutNodePort, change: fields({ allocateLoadBalancerNodePorts: false }) },
  ];
}

/** A name has neither ports nor families. */
function fieldsOfName(named: object): Change {
  return ([service, ...slices]) => (service ? [{ ...service, spec: named }, ...slices] : []);
}

const oneFamily: Change = ([service, v4]) => {
  if (service === undefined || v4 === undefined) return [];
  const { clusterIP, externalIPs } = service.spec as { clusterIP: string; externalIPs: readonly string[] };
  const one = { clusterIPs: [clusterIP], ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack" };
  return [...fields({ ...one, externalIPs: externalIPs.slice(0, 1) })([service]), v4];
};

function ipMode(mode: string): Change {
  return ([service, ...slices]) => {
    if (service === undefined) return [];
    const { loadBalancer } = service.status as { loadBalancer: { ingress: readonly object[] } };
    const ingress = loadBalancer.ingress.map((one) => ({ ...one, ipMode: mode }));
    return [{ ...service, status: { loadBalancer: { ingress } } }, ...slices];
  };
}

/** The port's name leads to another number on each endpoint: slices of one port each. */
function namedPorts([service, ...slices]: readonly KubeObject[], there: Endpoint): readonly KubeObject[] {
  const others = slices.map((slice) => {
    const family = slice.addressType === "IPv4" ? "v4" : "v6";
    const ports = (slice.ports as readonly object[]).map((port) => ({ ...port, port: TARGET_PORTS[1] }));
    const endpoints = [{ addresses: [there.address[family]], nodeName: there.nodeName, conditions: { ready: true } }];
    return { ...slice, metadata: { ...slice.metadata, name: `${slice.metadata.name}-other` }, ports, endpoints };
  });
  return service ? [service, ...slices, ...others] : [];
}

interface Port {
  readonly name: string;
  readonly nodePort?: number;
}

const twoPorts: Change = ([service, ...slices]) => {
  if (service === undefined) return [];
  const { ports } = service.spec as { ports: readonly Port[] };
  const more = ports.map((port) => ({
    ...port,
    name: `${port.name}-second`,
    port: SECOND_PORT,
    nodePort: (port.nodePort ?? 0) + 100,
  }));
  const wider = slices.map((slice) => {
    const first = slice.ports as readonly Port[];
    const second = first.map((port) => ({ ...port, name: `${port.name}-second`, port: TARGET_PORTS[1] }));
    return { ...slice, ports: [...first, ...second] };
  });
  return [...fields({ ports: [...ports, ...more] })([service]), ...wider];
};

export function objectsOf({ spec, change = (objects) => objects }: Offer): readonly KubeObject[] {
  return change(serviceObjects(spec));
}
