// SPDX-License-Identifier: Apache-2.0
// 1000 changes a second for a minute: none is lost, the agent keeps up and does not grow, connections go on. They go into
// etcd past the API server, which tells them all the same: writing so many itself would take more than two CPUs.
import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { type ServiceSpec, serviceAddresses } from "../support/manifests.ts";
import { agreed, nothingDiffers } from "./support/agreement.ts";
import { changeEndpoints, create, useApiCluster } from "./support/api-cluster.ts";
import { type BulkSize, bulkAddresses, bulkEndpoints, bulkSlice, loadBulk } from "./support/bulk.ts";

const BULK: BulkSize = { services: 1024, endpoints: 10 };
const PER_SECOND = 1000;
const SECONDS = 60;
const WORKERS = 16;
/** Of so many changes one takes a slice away; the next of that slice brings it back. */
const DELETE_EVERY = 7;
/** Beyond what it holds when all is quiet: garbage that is not collected yet. */
const GROWTH_MB = 100;

const world = useApiCluster({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b", "p1c"] }] });
const spec = (...pods: readonly string[]): ServiceSpec => ({
  name: "web",
  number: 10,
  endpoints: pods.map((name) => ({ address: world().cluster.lab.pod(name).address, nodeName: "n1" })),
});
/** Two states of each slice as etcd has them, by key. */
let states: readonly (readonly [key: string, one: string, other: string])[];

beforeAll(async () => {
  const { cluster, plane } = world();
  for (const name of ["p1b", "p1c"]) await cluster.lab.serve(cluster.lab.pod(name));
  await loadBulk(plane, BULK);
  const bulk = "/registry/endpointslices/test/bulk-";
  const before = await plane.etcd.values(bulk);
  const numbers = Array.from({ length: BULK.services }, (_, n) => n);
  await plane.api.each(numbers, (n) =>
    plane.api.patch(bulkSlice(n, []), { endpoints: bulkEndpoints(bulkAddresses(n, BULK, 1)) }),
  );
  const after = await plane.etcd.values(bulk);
  states = [...before].map(([key, value]) => [key, value, after.get(key) ?? ""]);
  expect(states.length).toBe(BULK.services);
  await create(plane, spec("p1b"));
  await agreed(plane, cluster.lab.node("n1"));
});

test("1000 changes a second for a minute: the last counts, connections go on, memory stays", async () => {
  const { cluster, plane } = world();
  const pid = cluster.agents.get("n1")?.pid;
  const client = await cluster.wire(cluster.lab.pod("p1a"));
  const targets = Object.values(serviceAddresses(10).clusterIP).map((address) => ({ address, port: 80 }));
  const traffic = targets.map((target) => client.startTcp({ ...target, gapMs: 5, concurrency: 2 }));
  const before = megabytes(pid, "VmRSS");
  writeFileSync(`/proc/${pid}/clear_refs`, "5"); // the peak counts from here (proc(5))
  const begunMs = performance.now();
  const change = changeAll(PER_SECOND * SECONDS);
  // Beside all that, one Service whose endpoint moves: each time the next connections must have moved with it.
  for (let round = 0; performance.now() - begunMs < SECONDS * 1000; round++) {
    const pod = round % 2 === 0 ? "p1c" : "p1b";
    await changeEndpoints(plane, spec(pod));
    for (const target of targets) {
      const ask = async () => (await client.tcp({ ...target, count: 4 })).pods;
      await expect.poll(ask, { timeout: 10_000 }).toEqual({ [pod]: 4 });
    }
  }
  await change;
  const seconds = (performance.now() - begunMs) / 1000;
  await agreed(plane, cluster.lab.node("n1"), 30_000);
  await nothingDiffers(cluster.lab.node("n1"));
  for (const running of traffic) expect(await running.stop()).toMatchObject({ failures: {} });
  const peak = megabytes(pid, "VmHWM");
  console.log(
    `${PER_SECOND * SECONDS} changes in ${seconds.toFixed(1)} s; resident ${before} MB before, peak ${peak} MB`,
  );
  expect(peak).toBeLessThan(before + GROWTH_MB);
}, 300_000);

/** Each slice in turn to its other state, at most PER_SECOND a second; resolves once all are made. */
async function changeAll(count: number): Promise<void> {
  const { etcd } = world().plane;
  const begunMs = performance.now();
  let made = 0;
  const worker = async () => {
    while (made < count) {
      const turn = made++;
      const earlyMs = (turn / PER_SECOND) * 1000 - (performance.now() - begunMs);
      if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs));
      const state = states[turn % states.length];
      if (state === undefined) throw new Error("there are slices to change");
      const [key, one, other] = state;
      const round = Math.floor(turn / states.length);
      if ((turn + round) % DELETE_EVERY === 0) await etcd.delete(key);
      else await etcd.put(key, round % 2 === 0 ? one : other);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
}

function megabytes(pid: number | undefined, line: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(new RegExp(`^${line}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024);
}
