// SPDX-License-Identifier: Apache-2.0
// Whatever happens to the API server and to the way there: no change is lost, nothing is removed that is still there, and
// connections go on meanwhile. By watch-list, and by lists in pages where the server has none.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import type { RunningTraffic } from "../../src/demo/lab/traffic.ts";
import { type ServiceSpec, serviceAddresses } from "../support/manifests.ts";
import { until } from "../support/until.ts";
import { agreed } from "./support/agreement.ts";
import { changeEndpoints, create, remove, useApiCluster } from "./support/api-cluster.ts";
import { type BulkSize, bulkAddresses, bulkEndpoints, bulkService, bulkSlice, loadBulk } from "./support/bulk.ts";
import { Churn } from "./support/churn.ts";

const BULK: BulkSize = { services: 640, endpoints: 10 };
/** Number of one more Service, whose slice takes several TLS records, and so several reads. */
const LARGE = 1000;
const LARGE_SIZE: BulkSize = { services: 1, endpoints: 1000 };
const CUTTER_PORT = 7443;
const families = ["v4", "v6"] as const;

describe.each([
  { by: "watch-list", featureGates: [] },
  { by: "lists in pages", featureGates: ["WatchList=false"] },
])("by $by", ({ featureGates }) => {
  const world = useApiCluster({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }], agents: [], featureGates });
  let cutter: LabProcess;
  let agent: LabProcess;
  let churn: Churn;
  let traffic: readonly RunningTraffic[];

  beforeAll(async () => {
    const { cluster, plane } = world();
    const { lab } = cluster;
    const program = join(import.meta.dirname, "support/programs/cutter.mjs");
    const cp = lab.node("cp");
    const ways = [cp.address.v4, String(CUTTER_PORT), "127.0.0.1", "6443"];
    cutter = lab.spawn(cp, ["node", program, ...ways]);
    await cutter.waitForOutput(/^ready$/m);
    await lab.serve(lab.pod("p1b"));
    await create(plane, web());
    await loadBulk(plane, BULK);
    await plane.api.create(bulkService(LARGE));
    await plane.api.create(bulkSlice(LARGE, bulkAddresses(LARGE, LARGE_SIZE)));
    churn = new Churn(plane, BULK);
  });

  /** Each test has an agent of its own, which adopts what the one before has left, and connections all the time. */
  beforeEach(async () => {
    const { cluster, plane } = world();
    const url = `https://${cluster.lab.node("cp").address.v4}:${CUTTER_PORT}`;
    agent = await cluster.startAgent("n1", ["--kubeconfig", plane.kubeconfig("portolan", url), "--log-level", "debug"]);
    await agreed(plane, cluster.lab.node("n1"));
    const client = await cluster.wire(cluster.lab.pod("p1a"));
    traffic = families.map((family) =>
      client.startTcp({ address: serviceAddresses(10).clusterIP[family], port: 80, gapMs: 5, concurrency: 2 }),
    );
  });

  afterEach(async () => {
    await agent.stop();
    for (const running of traffic)
      expect(await running.stop()).toMatchObject({ failures: {}, pods: { p1b: expect.any(Number) } });
  });

  const web = (): ServiceSpec => {
    const { address, nodeName } = world().cluster.lab.pod("p1b");
    return { name: "web", number: 10, endpoints: [{ address, nodeName }] };
  };

  /** For a Service that goes while the agent sees nothing. */
  const spare = (): ServiceSpec => ({ ...web(), name: "spare", number: 11 });

  async function tellCutter(order: string, answer: RegExp): Promise<void> {
    cutter.stdout = "";
    cutter.write(`${order}\n`);
    await cutter.waitForOutput(answer, 30_000);
  }

  test("a watch that is cut in the middle of an event goes on with that event, three times", async () => {
    const { cluster, plane } = world();
    for (let round = 1; round <= 3; round++) {
      const cut = tellCutter("cut", /^cut$/m);
      await plane.api.patch(bulkSlice(LARGE, []), {
        endpoints: bulkEndpoints(bulkAddresses(LARGE, LARGE_SIZE, round)),
      });
      await cut;
      await until("the agent has noticed", () => lost(agent) === round, 30_000);
      await until("it follows again", () => found(agent) === round, 60_000);
      await agreed(plane, cluster.lab.node("n1"));
    }
  });

  /** While the agent's watches are cut off and refused a Service goes and so many changes are made. */
  async function missChanges(count: number): Promise<void> {
    const { cluster, plane } = world();
    await create(plane, spare());
    await cluster.served("spare", 1);
    await tellCutter("refuse", /^refused$/m);
    await until("the agent has noticed", () => lost(agent) > 0, 30_000);
    await remove(plane, spare());
    churn.start(200);
    await until(`${count} changes are made`, () => churn.changes > count, 60_000);
    await churn.stop();
  }

  test("changes that nobody tells: they are there as soon as the way to the API server is", async () => {
    const { cluster, plane } = world();
    await missChanges(1000);
    await tellCutter("accept", /^accepted$/m);
    await agreed(plane, cluster.lab.node("n1"));
    expect(agent.stderr).not.toContain("the version that we knew is gone");
  });

  test("410: what was deleted, changed and created while the API server forgot is found by comparing", async () => {
    const { cluster, plane } = world();
    await missChanges(300);
    await plane.killApiServer();
    await plane.etcd.compact();
    await plane.startApiServer();
    await tellCutter("accept", /^accepted$/m);
    await agreed(plane, cluster.lab.node("n1"));
    expect(agent.stderr).toContain("the version that we knew is gone");
    await cluster.served("spare", undefined);
  });

  test("an API server that is killed: everything goes on as it was, and so does the watch when it is back", async () => {
    const { cluster, plane } = world();
    await plane.killApiServer();
    await until("the agent has noticed", () => lost(agent) > 0, 30_000);
    await agent.stop(); // nor does an agent that starts meanwhile take anything away
    agent = await cluster.startAgent("n1", ["--kubeconfig", plane.kubeconfig("portolan"), "--log-level", "debug"]);
    await cluster.served("web", 1);
    await plane.startApiServer();
    const other = { ...web(), name: "late", number: 12 };
    await create(plane, other);
    await cluster.served("late", 1, 90_000);
    await remove(plane, other);
    await agreed(plane, cluster.lab.node("n1"));
  });

  test("an agent that does not read for a while, under changes", async () => {
    const { cluster, plane } = world();
    const before = peakMegabytes(agent.pid);
    churn.start(400);
    process.kill(agent.pid, "SIGSTOP");
    await until("two thousand changes are made", () => churn.changes > 2000, 60_000);
    process.kill(agent.pid, "SIGCONT");
    await until("and a thousand more", () => churn.changes > 3000, 60_000);
    await churn.stop();
    await agreed(plane, cluster.lab.node("n1"));
    expect(peakMegabytes(agent.pid) - before).toBeLessThan(100);
  });

  test("endpoints that change back and forth at last are what the API server says", async () => {
    const { cluster, plane } = world();
    for (let round = 0; round < 20; round++) {
      await changeEndpoints(plane, {
        ...web(),
        endpoints: [...web().endpoints, { address: cluster.lab.pod("p1a").address }],
      });
      await changeEndpoints(plane, web());
    }
    await agreed(plane, cluster.lab.node("n1"));
  });
});

/** How often the agent has said that it lost the API server, and that it found it again, as for slices. */
function lost(agent: LabProcess): number {
  return agent.stderr.match(/API server, endpointslices: .*it is tried again/g)?.length ?? 0;
}

function found(agent: LabProcess): number {
  return agent.stderr.match(/API server, endpointslices: followed again/g)?.length ?? 0;
}

function peakMegabytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}
