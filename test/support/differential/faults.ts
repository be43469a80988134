// SPDX-License-Identifier: Apache-2.0
// Faults to plant: in the state between manifests and maps, and in the C programs. Each is one that a hand could make.

import type { EndpointManifest, World } from "../model/world.ts";
import type { Mutation } from "../mutant.ts";
import type { Fault } from "./explained-node.ts";

function withEndpoints(world: World, change: (endpoint: EndpointManifest) => EndpointManifest): World {
  return { ...world, slices: world.slices.map((slice) => ({ ...slice, endpoints: slice.endpoints.map(change) })) };
}

export const STATE_FAULTS: Readonly<Record<string, Fault>> = {
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
};

export const PROGRAM_FAULTS: Readonly<Record<string, Mutation>> = {
  "row 24: the last endpoint of a set is never chosen": {
    file: "select.bpf.h",
    from: "bpf_get_prandom_u32() * set->count",
    to: "bpf_get_prandom_u32() * (set->count > 1 ? set->count - 1 : 1)",
  },
  "row 27: NodePorts answer on addresses that are excluded": {
    file: "select.bpf.h",
    from: "!(node->flags & NODE_ADDR_NODEPORT)",
    to: "!node",
  },
  "row 29: loopback NodePorts answer pods": {
    file: "select.bpf.h",
    from: "(node->flags & NODE_ADDR_LOOPBACK) && !own_process",
    to: "false",
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
};
