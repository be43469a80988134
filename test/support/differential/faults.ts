// SPDX-License-Identifier: Apache-2.0
// Faults to plant: in the state between manifests and maps, and in the C programs. Each is one that a hand could make.

import type { EndpointManifest, World } from "../model/world.ts";
import type { Mutation } from "../mutant.ts";
import type { Fault } from "./explained-node.ts";
import { BY_CLUSTER_CIDR6, BY_NODE_CIDR, BY_PREFIX, type Told } from "./random-detector.ts";

interface Where {
  /** By what local pods must be told for it to show; else by the device. */
  readonly told?: Told;
}

function withEndpoints(world: World, change: (endpoint: EndpointManifest) => EndpointManifest): World {
  return { ...world, slices: world.slices.map((slice) => ({ ...slice, endpoints: slice.endpoints.map(change) })) };
}

/** Annotations less those of this name, and more. */
function withAnnotations(world: World, without: string, more: Readonly<Record<string, string>> = {}): World {
  const changed = (annotations: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(annotations).filter(([name]) => name !== `portolan.dev/${without}`));
  const services = world.services.map((service) => ({
    ...service,
    metadata: { ...service.metadata, annotations: { ...changed(service.metadata.annotations ?? {}), ...more } },
  }));
  return { ...world, services };
}

export const STATE_FAULTS: Readonly<Record<string, Fault & Where>> = {
  "row 16: the last endpoint of the Cluster set is missing": {
    service: (service) => ({ ...service, cluster: service.cluster.slice(0, -1) }),
  },
  "row 15: policy Local gets the Cluster set": {
    service: (service) => ({ ...service, local: service.cluster }),
  },
  "row 21: hints narrow the Local set": {
    service: (service) => ({ ...service, local: service.local.filter((member) => service.cluster.includes(member)) }),
  },
  "row 20: hints are not looked at": {
    world: (world) => withEndpoints(world, (endpoint) => ({ ...endpoint, hints: null })),
  },
  "row 20: hints of zones are not looked at": {
    world: (world) =>
      withEndpoints(world, (endpoint) => ({
        ...endpoint,
        hints: endpoint.hints && { ...endpoint.hints, forZones: null },
      })),
  },
  "row 17: an endpoint that terminates is never used": {
    world: (world) =>
      withEndpoints(world, (endpoint) => {
        const { ready, terminating } = endpoint.conditions ?? {};
        return terminating && !ready ? { ...endpoint, conditions: { ready, serving: false, terminating } } : endpoint;
      }),
  },
  "row 18: the Local set falls back only with the Cluster set": {
    service: (service) => {
      const fallen = service.cluster.some(({ terminating }) => terminating);
      return { ...service, local: service.local.filter(({ terminating }) => fallen || !terminating) };
    },
  },
  "row 17: an endpoint that terminates is used beside ready ones": {
    world: (world) =>
      withEndpoints(world, (endpoint) => {
        const { serving, terminating } = endpoint.conditions ?? {};
        return serving && terminating ? { ...endpoint, conditions: { ready: true, serving, terminating } } : endpoint;
      }),
  },
  "row 19: silence where nobody has an endpoint": {
    service: (service) => ({ ...service, hasAnyEndpoints: true }),
  },
  "row 34: the external policy is forgotten": {
    service: (service) => ({ ...service, externalLocal: false }),
  },
  "row 15: the external policy binds the cluster IP": {
    service: (service) => ({ ...service, internalLocal: service.externalLocal }),
  },
  "row 36: external addresses are taken for cluster IPs": {
    service: (service) => ({
      ...service,
      frontends: service.frontends.map((frontend) => ({ ...frontend, kind: "ClusterIP" as const })),
    }),
  },
  "row 9: the second address of an endpoint counts": {
    world: (world) =>
      withEndpoints(world, (endpoint) => ({ ...endpoint, addresses: [endpoint.addresses.at(-1) ?? ""] })),
  },
  "row 38: the last range of a family counts": {
    told: BY_NODE_CIDR,
    localRanges: (ranges) => ranges.toReversed(),
  },
  "row 44: source ranges bind external IPs": {
    service: ({ sources, ...service }) => ({
      ...service,
      sources: sources && { ...sources, kinds: [...sources.kinds, "ExternalIP"] },
    }),
  },
  "row 44: a node in a range may not send from the VIP": {
    service: ({ sources, ...service }) => {
      const vips = service.frontends.filter(({ kind }) => kind === "LoadBalancer").map(({ address }) => address);
      const rules = sources?.rules.filter(({ range }) => !vips.includes(range.address)) ?? [];
      return { ...service, sources: sources && { ...sources, rules } };
    },
  },
  "row 44: a range that nobody can read is left out": {
    world: (world) => ({
      ...world,
      services: world.services.map(({ spec, ...service }) => {
        const readable = spec.loadBalancerSourceRanges?.filter((range) => range.includes("/"));
        return { ...service, spec: { ...spec, loadBalancerSourceRanges: readable } };
      }),
    }),
  },
  "row 45: a family without a range is closed": {
    world: (world) => withAnnotations(world, "none", { "portolan.dev/source-ranges-policy": "strict" }),
  },
  "row 45: a family without a range is open whatever the annotation": {
    world: (world) => withAnnotations(world, "source-ranges-policy"),
  },
  "row 44: denied ranges are forgotten": {
    world: (world) => withAnnotations(world, "denied-source-ranges"),
  },
  "row 44: ranges bind no other frontends by annotation": {
    world: (world) => withAnnotations(world, "source-ranges-apply"),
  },
};

export const PROGRAM_FAULTS: Readonly<Record<string, Mutation & Where>> = {
  "row 24: the last endpoint of a set is never chosen": {
    file: "select.bpf.h",
    from: "bpf_get_prandom_u32() * set->count",
    to: "bpf_get_prandom_u32() * (set->count > 1 ? set->count - 1 : 1)",
  },
  "row 27: NodePorts answer on addresses that are excluded": {
    file: "frontend.bpf.h",
    from: "!(*flags & ADDRESS_NODE_PORT)",
    to: "!*flags",
  },
  "row 29: loopback NodePorts answer pods": {
    file: "frontend.bpf.h",
    from: "(*flags & ADDRESS_LOOPBACK) && !own_process",
    to: "false",
  },
  "row 46: an unused port of a cluster IP passes": {
    file: "frontend.bpf.h",
    from: "if (refuses_ports(flags))",
    to: "if (0)",
  },
  "row 46: an unused port of an external address is refused": {
    file: "frontend.bpf.h",
    from: "if (refuses_ports(flags))",
    to: "if (flags & (ADDRESS_CLUSTER_IP | ADDRESS_EXTERNAL))",
  },
  "row 34: policy Local binds the node's own pods": {
    file: "select.bpf.h",
    from: "(block->header.flags & BLOCK_EXTERNAL_LOCAL) && is_outsider(client->kind)",
    to: "(block->header.flags & BLOCK_EXTERNAL_LOCAL)",
  },
  "row 37: clients from outside are not masqueraded at the cluster IP": {
    file: "select.bpf.h",
    from: "return who == CLIENT_HOST || who == CLIENT_OUTSIDE;",
    to: "return who == CLIENT_HOST;",
  },
  "row 39: a pod that reaches itself is not masqueraded": {
    file: "begin.bpf.h",
    from: "chosen.masquerade || addr_equal(&w->flow.client, &w->flow.backend)",
    to: "chosen.masquerade",
  },
  "row 35: whom nothing tells from a pod is one": {
    told: BY_CLUSTER_CIDR6,
    file: "select.bpf.h",
    from: "return who == CLIENT_OUTSIDE || who == CLIENT_UNTOLD;",
    to: "return who == CLIENT_OUTSIDE;",
  },
  "row 35: whom nothing tells from a pod is masqueraded at the cluster IP": {
    told: BY_CLUSTER_CIDR6,
    file: "select.bpf.h",
    from: "return who == CLIENT_HOST || who == CLIENT_OUTSIDE;",
    to: "return who != CLIENT_POD;",
  },
  "row 38: the name of the interface is not looked at": {
    told: BY_PREFIX,
    file: "client.bpf.h",
    from: "return device->flags & DEVICE_LOCAL ? CLIENT_POD : CLIENT_OUTSIDE;",
    to: "return from_outside(device) ? CLIENT_OUTSIDE : CLIENT_POD;",
  },
  "row 44: whom no range holds is served": {
    file: "select.bpf.h",
    from: "return verdict && verdict->admit;",
    to: "return !verdict || verdict->admit;",
  },
  "row 44: a pod's socket is refused before its address is known": {
    file: "socket.bpf.h",
    from: "return err == -DROP_SOURCE_RANGE && who != CLIENT_HOST;",
    to: "return false;",
  },
  "row 44: who is not served hears of it": {
    file: "select.bpf.h",
    from: "return -DROP_SOURCE_RANGE;",
    to: "return -DROP_NO_ENDPOINTS;",
  },
  "row 48: sockets are said to serve SCTP": {
    file: "socket.bpf.h",
    from: "(masquerade_all && who != CLIENT_HOST) || proto == IPPROTO_SCTP",
    to: "masquerade_all && who != CLIENT_HOST",
  },
  "row 48: an INIT begins nothing": {
    file: "sctp.bpf.h",
    from: "return length < SCTP_INIT_SIZE ? -1 : TCP_SYN;",
    to: "return length < SCTP_INIT_SIZE ? -1 : 0;",
  },
};

/** With every connection masqueraded. */
export const MASQUERADING_FAULTS: Readonly<Record<string, Mutation>> = {
  "row 37: what is a pod's is not masqueraded": {
    file: "select.bpf.h",
    from: "if (masquerade_all)",
    to: "if (masquerade_all && who != CLIENT_POD)",
  },
  "row 37: pods' sockets leave nothing to the wire": {
    file: "socket.bpf.h",
    from: "(masquerade_all && who != CLIENT_HOST) || proto == IPPROTO_SCTP",
    to: "proto == IPPROTO_SCTP",
  },
};
