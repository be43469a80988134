// SPDX-License-Identifier: Apache-2.0
// From changes of the model to the datapath: what is told when, and that failures end nothing.

import { afterEach, expect, test, vi } from "vitest";
import { openLog } from "../../../src/agent/log.ts";
import { ServiceFollower } from "../../../src/agent/service-follower.ts";
import type { Delta, ServiceKey } from "../../../src/compile/state.ts";
import { type ApplyReport, type Datapath, NOTHING_WRITTEN } from "../../../src/datapath/contract.ts";
import { MapFullError } from "../../../src/datapath/ebpf/errors.ts";
import { type ModelChanges, NO_CHANGES } from "../../../src/model/changes.ts";
import type { EndpointSlice } from "../../../src/model/endpoint-slice.ts";
import type { Service } from "../../../src/model/service.ts";
import { ip } from "../devices/builders.ts";

/** Notes what it is told: `sync a b` or `apply a -b`. */
class NotingDatapath implements Pick<Datapath, "sync" | "apply" | "retry" | "unserved"> {
  readonly told: string[] = [];
  failure: Error | undefined;
  unserved = new Set<ServiceKey>();
  sync = async (delta: Delta) => this.#note("sync", delta);
  apply = async (delta: Delta) => this.#note("apply", delta);
  retry = async () => this.#note("retry", { upsert: [], remove: [] });

  #note(call: string, { upsert, remove }: Delta): ApplyReport {
    const removed = remove.map((key) => `-${key.split(":")[0]}`);
    this.told.push([call, ...upsert.map(({ name }) => name), ...removed].join(" "));
    if (this.failure) throw this.failure;
    return NOTHING_WRITTEN;
  }
}

/** What of row 46 it says with each delta. */
class NotingForeign extends NotingDatapath {
  override sync = async (delta: Delta) => this.#note(delta);
  override apply = async (delta: Delta) => this.#note(delta);

  #note({ foreign, partial }: Delta): ApplyReport {
    this.told.push([partial ? "partial" : "whole", ...(foreign ? ["foreign", ...foreign] : [])].join(" "));
    return NOTHING_WRITTEN;
  }
}

/** Of an earlier agent. */
const OLD = "default/web:/TCP/IPv4" as ServiceKey;

function service(name: string, address: string): Service {
  return {
    kind: "Service",
    namespace: "default",
    name,
    type: "ClusterIP",
    createdMs: 0,
    foreignProxy: false,
    clusterIps: [ip(address)],
    externalIps: [],
    loadBalancerIps: [],
    proxiedIps: [],
    internalTrafficPolicy: "Cluster",
    externalTrafficPolicy: "Cluster",
    healthCheckNodePort: 0,
    ports: [{ name: "", protocol: "TCP", port: 80, nodePort: 0 }],
    sourceRanges: undefined,
    scheduler: undefined,
    affinitySeconds: 0,
    endsConnections: false,
  };
}

const WEB = service("web", "10.0.0.1");
const API = service("api", "10.0.0.2");

function slice(service: string, address: string): EndpointSlice {
  const state = { ready: true, serving: true, terminating: false };
  const endpoint = { address: ip(address), nodeName: undefined, zone: undefined, hints: undefined, ...state };
  return {
    kind: "EndpointSlice",
    namespace: "default",
    name: service,
    serviceName: service,
    headless: false,
    family: 4,
    ports: [{ name: "", protocol: "TCP", port: 8080 }],
    endpoints: [endpoint],
  };
}

function changes(synced: boolean, ...services: ModelChanges["services"]): ModelChanges {
  return { ...NO_CHANGES, synced, services };
}

afterEach(() => vi.useRealTimers());

const left = (keys: readonly ServiceKey[]) => ({ keys, any: keys.length > 0 });

function follower(adopted = [OLD]): { datapath: NotingDatapath; services: ServiceFollower } {
  const datapath = new NotingDatapath();
  return { datapath, services: new ServiceFollower("n1", datapath, left(adopted), openLog("text", "silent")) };
}

test("row 13: the first complete state is synced whole, later changes are applied", async () => {
  const { datapath, services } = follower();
  await services.update(changes(false, { previous: undefined, current: API }));
  await services.update(changes(true, { previous: undefined, current: WEB }));
  await services.update(changes(true, { previous: WEB, current: undefined }));
  expect(datapath.told).toEqual(["apply api", "sync api web", "apply -default/web"]);
});

test("row 13: what went again before the state was complete is not synced", async () => {
  const { datapath, services } = follower();
  await services.update(changes(false, { previous: undefined, current: API }));
  await services.update(changes(false, { previous: API, current: undefined }));
  await services.update(changes(true));
  expect(datapath.told).toEqual(["apply api", "apply -default/api", "sync"]);
});

test("row 13: a Service that served keeps its endpoints until the state is complete, unless others are known", async () => {
  const { datapath, services } = follower();
  await services.update(changes(false, { previous: undefined, current: WEB }));
  const endpointSlices = [{ previous: undefined, current: slice("web", "10.1.0.1") }];
  await services.update({ ...changes(false), endpointSlices });
  await services.update(changes(true));
  expect(datapath.told).toEqual(["apply", "apply web", "sync web"]);
});

test("row 13: a Service whose endpoints were known, and went, does not go on with what an earlier agent left", async () => {
  const { datapath, services } = follower();
  await services.update(changes(false, { previous: undefined, current: WEB }));
  const named = slice("web", "10.1.0.1");
  await services.update({ ...changes(false), endpointSlices: [{ previous: undefined, current: named }] });
  await services.update({ ...changes(false), endpointSlices: [{ previous: named, current: undefined }] });
  expect(datapath.told).toEqual(["apply", "apply web", "apply web"]);
});

test("row 13: where no earlier agent served, what can be read is all there is", async () => {
  const { datapath, services } = follower([]);
  await services.update(changes(false, { previous: undefined, current: WEB }));
  await services.update(changes(true, { previous: undefined, current: API }));
  expect(datapath.told).toEqual(["sync web", "apply api"]);
});

test.each([[[OLD]], [[]]])(
  "row 46: the datapath hears that not all is known, and of others' Services anew once it is: adopted %j",
  async (adopted) => {
    const datapath = new NotingForeign();
    const services = new ServiceFollower("n1", datapath, left(adopted), openLog("text", "silent"));
    const others = { ...API, foreignProxy: true };
    await services.update(changes(false, { previous: undefined, current: others }));
    services.setLocalAddresses(new Set([ip("10.0.0.1")]));
    await services.update(changes(false, { previous: undefined, current: WEB }));
    services.setLocalAddresses(new Set());
    await services.update(changes(true));
    services.setLocalAddresses(new Set([ip("10.0.0.1")]));
    const partial = "partial foreign 10.0.0.2";
    expect(datapath.told).toEqual([partial, partial, partial, "whole foreign 10.0.0.2", "whole"]);
  },
);

test("row 46: while something that was read has a fault no port is refused, and nothing else changes", async () => {
  const datapath = new NotingForeign();
  const services = new ServiceFollower("n1", datapath, left([OLD]), openLog("text", "silent"));
  await services.update(changes(true, { previous: undefined, current: { ...API, foreignProxy: true } }), true);
  await services.update(changes(true, { previous: undefined, current: WEB }), false);
  services.setLocalAddresses(new Set([ip("10.0.0.1")]));
  await services.update(changes(true), true);
  await services.update(changes(true), true);
  const foreign = "foreign 10.0.0.2";
  expect(datapath.told).toEqual([`whole ${foreign}`, "partial", `partial ${foreign}`, `whole ${foreign}`, "whole"]);
});

test("a change that cannot be published ends nothing", async () => {
  const { datapath, services } = follower();
  datapath.failure = new AggregateError([new Error("map backends is full")]);
  await services.update(changes(true, { previous: undefined, current: WEB }));
  datapath.failure = undefined;
  await services.update(changes(true, { previous: undefined, current: API }));
  expect(datapath.told).toEqual(["sync web", "apply api"]);
  services[Symbol.dispose]();
});

test("a change that cannot be published is tried again until it can, ever more seldom", async () => {
  vi.useFakeTimers();
  const { datapath, services } = follower();
  datapath.failure = new Error("BPF_MAP_UPDATE_ELEM on frontends: ENOMEM");
  await services.update(changes(true, { previous: undefined, current: WEB }));
  await vi.advanceTimersByTimeAsync(2999);
  expect(datapath.told).toEqual(["sync web", "retry"]);
  datapath.failure = undefined;
  await vi.advanceTimersByTimeAsync(1);
  expect(datapath.told).toEqual(["sync web", "retry", "retry"]);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(datapath.told).toEqual(["sync web", "retry", "retry"]);
});

test("nothing is tried any more once the follower is disposed of", async () => {
  vi.useFakeTimers();
  const { datapath, services } = follower();
  datapath.failure = new Error("map backends is full");
  await services.update(changes(true, { previous: undefined, current: WEB }));
  services[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(datapath.told).toEqual(["sync web"]);
});

test("row 66: a Service is not served once its state has waited a minute to be published, others are", async () => {
  vi.useFakeTimers();
  const { datapath, services } = follower();
  const served = () => [services.isServed("default", "web"), services.isServed("default", "web-2")];
  datapath.failure = new Error("map backends is full");
  datapath.unserved.add("default/web:/TCP/IPv4" as ServiceKey);
  await services.update(changes(true, { previous: undefined, current: WEB }));
  await vi.advanceTimersByTimeAsync(59_999);
  expect(served()).toEqual([true, true]);
  await vi.advanceTimersByTimeAsync(1);
  expect(served()).toEqual([false, true]);
  datapath.unserved.clear();
  expect(served()).toEqual([true, true]);
  datapath.failure = undefined;
  await services.update(changes(true));
  datapath.unserved.add("default/web:/TCP/IPv4" as ServiceKey);
  await services.update(changes(true));
  expect(served()).toEqual([true, true]);
  services[Symbol.dispose]();
});

const REFUSED = new Error("BPF_MAP_UPDATE_ELEM on frontends: ENOMEM");
const WEB_4 = "default/web:/TCP/IPv4" as ServiceKey;

test("row 68: a family does not keep up once the kernel has refused its changes for a minute, until it takes them", async () => {
  vi.useFakeTimers();
  const { datapath, services } = follower();
  const keepsUp = () => [services.keepsUp(4), services.keepsUp(6)];
  datapath.failure = REFUSED;
  datapath.unserved.add(WEB_4);
  await services.update(changes(true, { previous: undefined, current: WEB }));
  await vi.advanceTimersByTimeAsync(59_999);
  expect(keepsUp()).toEqual([true, true]);
  await vi.advanceTimersByTimeAsync(1);
  expect(keepsUp()).toEqual([false, true]);
  datapath.failure = undefined;
  await services.update(changes(true)); // what is taken meanwhile is not what waits
  expect(keepsUp()).toEqual([false, true]);
  datapath.unserved.clear();
  await vi.advanceTimersByTimeAsync(60_000); // the retry
  expect(keepsUp()).toEqual([true, true]);
  services[Symbol.dispose]();
});

test("row 68: what fails without a service that waits concerns both families", async () => {
  vi.useFakeTimers();
  const { datapath, services } = follower();
  datapath.failure = REFUSED;
  await services.update(changes(true, { previous: undefined, current: WEB }));
  await vi.advanceTimersByTimeAsync(60_000);
  expect([services.keepsUp(4), services.keepsUp(6)]).toEqual([false, false]);
  services[Symbol.dispose]();
});

test("row 68: Services that find no room are no reason to take the node from all", async () => {
  vi.useFakeTimers();
  const { datapath, services } = follower();
  const full = new MapFullError("backends", 16, "an endpoint");
  datapath.failure = new AggregateError([full, full], "2 services were not written");
  datapath.unserved.add(WEB_4);
  await services.update(changes(true, { previous: undefined, current: WEB }));
  await vi.advanceTimersByTimeAsync(600_000);
  expect([services.keepsUp(4), services.isServed("default", "web")]).toEqual([true, false]);
  datapath.failure = new AggregateError([full, REFUSED], "2 services were not written");
  await services.update(changes(true));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(services.keepsUp(4)).toBe(false);
  services[Symbol.dispose]();
});

test("who observes is told of each attempt: its families, what failed, and whether all is in the kernel", async () => {
  vi.useFakeTimers();
  const datapath = new NotingDatapath();
  const told: string[] = [];
  using services = new ServiceFollower("n1", datapath, left([]), openLog("text", "silent"), {
    queued: ({ services: changed }) => void told.push(`queued ${changed.length}`),
    settled: ({ families, failure, upToDate, delta }) =>
      void told.push(`${delta ? "settled" : "retried"} ${[...families]} ${failure} ${upToDate}`),
  });
  await services.update(changes(true, { previous: undefined, current: WEB }));
  datapath.failure = REFUSED;
  datapath.unserved.add(WEB_4);
  await services.update(changes(true, { previous: WEB, current: undefined }));
  datapath.failure = undefined;
  await services.update(changes(true, { previous: undefined, current: service("web-2", "10.96.0.2") }));
  datapath.unserved.clear();
  await vi.advanceTimersByTimeAsync(1000);
  expect(told).toEqual([
    ...["queued 1", "settled 4 none true"],
    ...["queued 1", "settled 4 kernel false"],
    ...["queued 1", "settled 4 none false"],
    "retried 4 none true",
  ]);
});
