// SPDX-License-Identifier: Apache-2.0
// Faults of session affinity to plant: in the state between manifests and maps, in what the real programs do while
// explain does right, and in explain itself.

import type { Member, ServiceKey } from "../../../src/compile/state.ts";
import type { ServiceManifest, World } from "../model/world.ts";
import type { Mutation } from "../mutant.ts";
import type { Fault } from "./explained-node.ts";
import type { RealObject } from "./real-programs.ts";

function withSpecs(world: World, change: (spec: ServiceManifest["spec"]) => ServiceManifest["spec"]): World {
  return { ...world, services: world.services.map((service) => ({ ...service, spec: change(service.spec) })) };
}

/** Made anew for each use: one remembers. */
export const AFFINITY_STATE_FAULTS: Readonly<Record<string, () => Fault>> = {
  "row 51: sessionAffinity is not read": () => ({
    world: (world) => withSpecs(world, (spec) => ({ ...spec, sessionAffinity: null })),
  }),
  "row 51: every Service keeps its clients": () => ({
    world: (world) => withSpecs(world, (spec) => ({ ...spec, sessionAffinity: "ClientIP" })),
  }),
  "row 52: timeoutSeconds is not read": () => ({
    world: (world) => withSpecs(world, (spec) => ({ ...spec, sessionAffinityConfig: null })),
  }),
  "row 52: without timeoutSeconds it is half of what it should be": () => ({
    service: (service) => ({ ...service, affinitySeconds: service.affinitySeconds === 10_800 ? 5400 : 600 }),
  }),
  "row 56: an endpoint that is gone is offered on": () => {
    const before = new Map<ServiceKey, readonly Member[]>();
    return {
      service: (service) => {
        const known = before.get(service.key) ?? [];
        const gone = known.filter(({ address }) => !service.cluster.some((member) => member.address === address));
        before.set(service.key, [...service.cluster, ...gone]);
        return { ...service, cluster: [...service.cluster, ...gone] };
      },
    };
  },
};

interface Planted extends Mutation {
  /** What is faulty, while the other path and explain do right. Default tc. */
  readonly object?: RealObject;
}

/** Of the programs that packets or sockets meet. */
export const AFFINITY_PROGRAM_FAULTS: Readonly<Record<string, Planted>> = {
  "row 51: nobody keeps anything": {
    file: "affinity.bpf.h",
    from: "if (affinity_recall(known, search))",
    to: "if (false)",
  },
  "row 51: no socket keeps anything": {
    file: "affinity.bpf.h",
    from: "if (affinity_recall(known, search))",
    to: "if (false)",
    object: "cgroup",
  },
  "row 51: all clients are one": {
    file: "begin.bpf.h",
    from: "w->client.source = p->src;",
    to: "w->client.source = p->dst;",
  },
  "row 51: all Services share": {
    file: "select.bpf.h",
    from: "key.service = chosen->service;",
    to: "key.service = 1;",
  },
  "row 51: each kind of frontend has clients of its own": {
    file: "select.bpf.h",
    from: "key.service = chosen->service;",
    to: "key.service = chosen->service + (chosen->kind << 16);",
  },
  "row 51: a pod's packets are another client than its sockets": {
    file: "affinity.bpf.h",
    from: "return netns ? netns->cookie : 0;",
    to: "return netns ? 1 : 0;",
  },
  "row 51: sockets that do not connect are another client": {
    file: "cgroup.bpf.c",
    from: "client.source = get_source(ctx, sk, v4, sticky);",
    to: "client.source = get_source(ctx, sk, v4, sticky); client.netns += sticky;",
    object: "cgroup",
  },
  "row 51: what was kept before affinity was switched off counts": {
    file: "affinity.bpf.h",
    from: "known->epoch != search->memory.epoch || ",
    to: "",
  },
  "row 52: it lasts for ever": {
    file: "affinity.bpf.h",
    from: " || (__s32)(now - known->last_used) > (__s32)search->timeout",
    to: "",
  },
  "row 52: the timeout counts from the first connection": {
    file: "affinity.bpf.h",
    from: "known->last_used = now;",
    to: "",
  },
  "row 56: the place in the set counts, not who stands there": {
    file: "affinity.bpf.h",
    from: "backend->port != search->memory.port || !addr_equal(&backend->addr, &search->memory.backend)",
    to: "false",
  },
  "row 56: a client whose endpoint is gone keeps no other": {
    file: "affinity.bpf.h",
    from: "if (!search->found)",
    to: "if (false)",
  },
  "row 56: a client is kept to an endpoint that the policy does not offer": {
    file: "select.bpf.h",
    from: "search.count = set->count;",
    to: "search.count = block->header.cluster.count;",
  },
};

/** Of explain for sockets. */
export const AFFINITY_EXPLAIN_FAULTS: Readonly<Record<string, Mutation>> = {
  "row 51: explain begins what it is asked about": {
    file: "affinity.bpf.h",
    from: "if (!backend || dry_run)",
    to: "if (!backend)",
  },
  "row 52: explain begins the timeout anew": {
    file: "affinity.bpf.h",
    from: "if (!dry_run) {\n\t\tknown->position",
    to: "if (true) {\n\t\tknown->position",
  },
};
