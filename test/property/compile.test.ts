// SPDX-License-Identifier: Apache-2.0
// Whatever the order and the batches of changes: what the deltas add up to is what compiling the last state at once gives.

import fc from "fast-check";
import { expect, test } from "vitest";
import { Compiler } from "../../src/compile/compiler.ts";
import type { CompiledService, Delta, ServiceKey } from "../../src/compile/state.ts";
import { ChangeTracker, type ModelObject, objectKey } from "../../src/model/changes.ts";
import type { Endpoint, EndpointSlice } from "../../src/model/endpoint-slice.ts";
import { type Ip, parseCidr } from "../../src/model/ip.ts";
import type { Node } from "../../src/model/node.ts";
import type { Service, ServicePort, SourceRanges } from "../../src/model/service.ts";

// Few values each, so that names, addresses and ports collide all the time.
const ip4 = (net: string) => fc.integer({ min: 1, max: 3 }).map((n) => `${net}.${n}` as Ip);
const ip6 = (net: string) => fc.integer({ min: 1, max: 3 }).map((n) => `${net}::${n}` as Ip);
const protocol = fc.constantFrom("TCP" as const, "UDP" as const);
const policy = fc.constantFrom("Cluster" as const, "Local" as const);
const clusterIps = fc.oneof(
  fc.constant<Ip[]>([]),
  fc.tuple(ip4("10.96.0")),
  fc.tuple(ip6("fd00:96")),
  fc.tuple(ip4("10.96.0"), ip6("fd00:96")),
);

const ports: fc.Arbitrary<ServicePort[]> = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom("a", "b"),
    protocol,
    port: fc.constantFrom(80, 81),
    nodePort: fc.constantFrom(0, 30080, 30081),
  }),
  { minLength: 1, maxLength: 2, selector: (port) => port.name },
);

const range = fc.constantFrom("192.0.2.0/25", "192.0.2.1/32", "0.0.0.0/0", "2001:db8::/64", "2001:db8::1/128");
const ranges = fc
  .uniqueArray(range, { maxLength: 3 })
  .map((texts) => texts.map(parseCidr).filter((cidr) => cidr !== undefined));
const sourceRanges: fc.Arbitrary<SourceRanges> = fc.record({
  allowed: ranges,
  denied: ranges,
  strict: fc.boolean(),
  kinds: fc.constantFrom(["LoadBalancer"] as const, ["LoadBalancer", "NodePort"] as const),
});

const service: fc.Arbitrary<Service> = fc.record({
  kind: fc.constant("Service" as const),
  namespace: fc.constant("default"),
  name: fc.constantFrom("x", "y", "z"),
  type: fc.constantFrom("ClusterIP" as const, "NodePort" as const, "LoadBalancer" as const, "ExternalName" as const),
  createdMs: fc.constantFrom(1000, 2000, Number.POSITIVE_INFINITY),
  foreignProxy: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  clusterIps,
  externalIps: fc.uniqueArray(ip4("192.0.2"), { maxLength: 2 }),
  loadBalancerIps: fc.uniqueArray(fc.oneof(ip4("192.0.2"), ip6("2001:db8")), { maxLength: 2 }),
  proxiedIps: fc.constant([]),
  internalTrafficPolicy: policy,
  externalTrafficPolicy: policy,
  healthCheckNodePort: fc.constant(0),
  ports,
  sourceRanges: fc.option(sourceRanges, { nil: undefined }),
  scheduler: fc.constantFrom(undefined, "random", "wrong"),
  affinitySeconds: fc.constantFrom(0, 10800),
  endsConnections: fc.boolean(),
});

const endpoint = (family: 4 | 6): fc.Arbitrary<Endpoint> =>
  fc.record({
    address: family === 4 ? ip4("10.244.0") : ip6("fd00:244"),
    nodeName: fc.constantFrom(undefined, "here", "there"),
    zone: fc.constantFrom(undefined, "z"),
    hints: fc.option(
      fc.record({
        forNodes: fc.uniqueArray(fc.constantFrom("here", "there"), { maxLength: 2 }),
        forZones: fc.uniqueArray(fc.constantFrom("z", "y"), { maxLength: 2 }),
      }),
      { nil: undefined },
    ),
    ready: fc.boolean(),
    serving: fc.boolean(),
    terminating: fc.boolean(),
  });

const slice: fc.Arbitrary<EndpointSlice> = fc.constantFrom(4 as const, 6 as const).chain((family) =>
  fc.record({
    kind: fc.constant("EndpointSlice" as const),
    namespace: fc.constant("default"),
    name: fc.constantFrom("s1", "s2", "s3", "s4"),
    serviceName: fc.constantFrom("x", "y", undefined),
    headless: fc.integer({ max: 9, min: 0 }).map((n) => n === 0),
    family: fc.constant(family),
    ports: fc.array(fc.record({ name: fc.constantFrom("a", "b"), protocol, port: fc.constantFrom(8080, 8081) }), {
      maxLength: 2,
    }),
    endpoints: fc.array(endpoint(family), { maxLength: 4 }),
  }),
);

/** What our Node says of itself, and another. */
const node: fc.Arbitrary<Node> = fc.record({
  kind: fc.constant("Node" as const),
  name: fc.constantFrom("here", "here", "there"),
  addresses: fc.uniqueArray(fc.oneof(ip4("192.0.2"), ip6("2001:db8")), { maxLength: 2 }),
  podCidrs: fc.constant([]),
  zone: fc.constantFrom(undefined, "z", "y"),
  leaving: fc.constant(false),
});

interface Step {
  readonly object: ModelObject;
  readonly gone: boolean;
  /** Whether the changes so far are handed over after this step. */
  readonly flush: boolean;
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ object: fc.oneof(service, slice), gone: fc.boolean(), flush: fc.boolean() }) },
    // A Node that goes takes nothing with it: what it last said counts.
    { weight: 1, arbitrary: fc.record({ object: node, gone: fc.constant(false), flush: fc.boolean() }) },
  ),
  { maxLength: 25, size: "max" },
);

/** Feeds steps to a compiler and keeps what a datapath would have. */
class Run {
  readonly compiler = new Compiler("here");
  readonly tracker = new ChangeTracker();
  readonly objects = new Map<string, ModelObject>();
  readonly served = new Map<ServiceKey, CompiledService>();

  set(object: ModelObject, gone: boolean): void {
    const key = objectKey(object);
    this.tracker.record(key, this.objects.get(key), gone ? undefined : object);
    if (gone) this.objects.delete(key);
    else this.objects.set(key, object);
  }

  flush(): Delta {
    const { delta } = this.compiler.update(this.tracker.take(true));
    for (const key of delta.remove) expect(this.served.delete(key)).toBe(true);
    for (const one of delta.upsert) {
      expect(delta.remove).not.toContain(one.key);
      expect(this.served.get(one.key)).not.toEqual(one);
      this.served.set(one.key, one);
    }
    return delta;
  }
}

function atOnce(objects: Iterable<ModelObject>): Run {
  const run = new Run();
  for (const object of objects) run.set(object, false);
  run.flush();
  return run;
}

test("changes one by one and the last state at once compile to the same services", () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      const run = new Run();
      for (const { object, gone, flush } of sequence) {
        run.set(object, gone);
        if (flush) run.flush();
      }
      run.flush();
      const fresh = atOnce([...run.objects.values()].reverse());
      expect(Object.fromEntries(run.served)).toEqual(Object.fromEntries(fresh.served));
    }),
    { numRuns: 200 },
  );
}, 30_000);

test("no two services ever serve one frontend", () => {
  fc.assert(
    fc.property(fc.array(service, { maxLength: 6 }), (services) => {
      const seen = new Set<string>();
      for (const { family, protocol, frontends } of atOnce(services).served.values()) {
        for (const { address, port } of frontends) {
          const id = `${address ?? family} ${port} ${protocol}`;
          expect(seen).not.toContain(id);
          seen.add(id);
        }
      }
    }),
  );
});

test("there and back again (A→B→A) within one batch is an empty delta", () => {
  fc.assert(
    fc.property(steps, steps, (before, detour) => {
      const run = new Run();
      for (const { object, gone } of before) run.set(object, gone);
      run.flush();
      const state = new Map(run.objects);
      for (const { object, gone } of detour) run.set(object, gone);
      for (const object of run.objects.values()) if (!state.has(objectKey(object))) run.set(object, true);
      for (const object of state.values()) run.set(object, false);
      expect(run.tracker.empty).toBe(true);
      expect(run.flush()).toEqual({ upsert: [], remove: [] });
    }),
    { numRuns: 200 },
  );
}, 30_000);
