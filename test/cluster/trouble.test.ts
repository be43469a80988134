// SPDX-License-Identifier: Apache-2.0
// Whatever happens to the API server and to the way there: no change is lost, nothing is removed that is still there, and
// connections go on meanwhile. By watch-list, and by lists in pages where the server has none. At the end of each test
// `portolan diff` finds nothing.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { inNetns, run } from "../../src/demo/lab/run.ts";
import type { RunningTraffic } from "../../src/demo/lab/traffic.ts";
import { portolanLine, startAgent } from "../../src/demo/portolan.ts";
import { type ServiceSpec, serviceAddresses } from "../support/manifests.ts";
import { until } from "../support/until.ts";
import { agreed, nothingDiffers } from "./support/agreement.ts";
import { changeEndpoints, create, remove, useApiCluster } from "./support/api-cluster.ts";
import { type BulkSize, bulkAddresses, bulkEndpoints, bulkService, bulkSlice, loadBulk } from "./support/bulk.ts";
import { Churn } from "./support/churn.ts";
import { atClock, Clock } from "./support/clock.ts";
import { listEvents, takePort } from "./support/events.ts";
import { daysAhead, health } from "./support/health.ts";

const BULK: BulkSize = { services: 640, endpoints: 10 };
/** Number of one more Service, whose slice takes several TLS records, and so several reads. */
const LARGE = 1000;
const LARGE_SIZE: BulkSize = { services: 1, endpoints: 1000 };
const CUTTER_PORT = 7443;
const families = ["v4", "v6"] as const;
/** `npm run test:outage` has minutes of it, and in both ways what is done in one else, for it takes time. */
const OUTAGE_SECONDS = Number(process.env.PORTOLAN_OUTAGE_SECONDS ?? 30);
const BOTH_WAYS = process.env.PORTOLAN_OUTAGE_SECONDS !== undefined;
/** What an agent reads: a watch each. */
const RESOURCES = 6;
/** Where the agent's clock jumps to, and how many days that is ahead; the port of a Service that an Event tells of then. */
const JUMPS = [
  { offset: "+1d", days: 1, port: 32_101 },
  { offset: "-1d", days: -1, port: 32_102 },
] as const;
/** A watch that found no API server is tried again after 5 to 10 s; one that is back may refuse it twice before it serves. */
const BACK_WITHIN_MS = 15_000;

describe.each([
  { by: "watch-list", featureGates: [] },
  { by: "lists in pages", featureGates: ["WatchList=false"] },
])("by $by", ({ by, featureGates }) => {
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
    try {
      await nothingDiffers(world().cluster.lab.node("n1"));
    } finally {
      await agent.stop();
    }
    for (const running of traffic)
      expect(await running.stop()).toMatchObject({ failures: {}, pods: { p1b: expect.any(Number) } });
  });

  const web = (): ServiceSpec => {
    const { address, nodeName } = world().cluster.lab.pod("p1b");
    return { name: "web", number: 10, endpoints: [{ address, nodeName }] };
  };

  const late = (): ServiceSpec => ({ ...web(), name: "late", number: 12 });

  /** For a Service that goes while the agent sees nothing. */
  const spare = (): ServiceSpec => ({ ...web(), name: "spare", number: 11 });

  async function tellCutter(order: string, answer: RegExp): Promise<void> {
    cutter.stdout = "";
    cutter.write(`${order}\n`);
    await cutter.waitForOutput(answer, 30_000);
  }

  /** How often agents have come to the API server so far. */
  async function connections(): Promise<number> {
    await tellCutter("count", /^\d+ connections$/m);
    return Number.parseInt(cutter.stdout, 10);
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
    await create(plane, late());
    await cluster.served("late", 1, 90_000);
    await remove(plane, late());
    await agreed(plane, cluster.lab.node("n1"));
  });

  test.runIf(by === "watch-list" || BOTH_WAYS)(
    `rows 50, 68: API server and etcd gone for ${OUTAGE_SECONDS} s: all goes on, what was said just before and is said just after counts`,
    async () => {
      const { cluster, plane } = world();
      const node = cluster.lab.node("n1");
      churn.start(200);
      await until("changes are made", () => churn.changes > 200, 30_000);
      await churn.stop();
      await create(plane, spare());
      await plane.kill();
      await until("the agent has noticed", () => lost(agent) > 0, 30_000);
      const [tries, memory] = [await connections(), megabytes(agent.pid, "VmRSS")];
      writeFileSync(`/proc/${agent.pid}/clear_refs`, "5"); // the peak counts from here (proc(5))
      for (const begunMs = performance.now(); performance.now() - begunMs < OUTAGE_SECONDS * 1000; ) {
        for (const path of ["/healthz", "/livez", "/readyz"]) expect((await health(node, path)).status).toBe(200);
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
      expect(agent.running).toBe(true);
      const tried = (await connections()) - tries;
      const grown = megabytes(agent.pid, "VmHWM") - memory;
      await plane.start();
      const backMs = performance.now();
      await create(plane, late());
      await cluster.served("late", 1, BACK_WITHIN_MS);
      const tookMs = Math.round(performance.now() - backMs);
      await cluster.served("spare", 1);
      for (const spec of [late(), spare()]) await remove(plane, spec);
      await agreed(plane, node);
      console.log(
        `${by}: gone for ${OUTAGE_SECONDS} s: ${tried} connections tried, ${grown.toFixed(1)} MB more; heard of a change ${tookMs} ms after the API server was back`,
      );
      expect(tried).toBeLessThanOrEqual(RESOURCES * (4 + OUTAGE_SECONDS / 5));
      expect(grown).toBeLessThan(40);
    },
    60_000 + OUTAGE_SECONDS * 2000,
  );

  test.runIf(by === "lists in pages" || BOTH_WAYS)(
    "row 72: the agent's clock jumps ahead by a day and back by two: nothing is lost, no watch dies, none asks more often",
    async () => {
      const { cluster, plane } = world();
      const { lab } = cluster;
      const node = lab.node("n1");
      await agent.stop();
      const clock = new Clock(join(lab.plan.directory, "clock"));
      const token = join(lab.plan.directory, "token");
      writeFileSync(token, "portolan");
      const url = `https://${lab.node("cp").address.v4}:${CUTTER_PORT}`;
      const source = ["--kubeconfig", plane.kubeconfig("portolan", url, { tokenFile: token })];
      const before = await connections();
      agent = await startAgent(lab, node, source, ["--log-level", "debug"], { environment: clock.environment });
      churn.start(50);
      for (const { offset, days, port } of JUMPS) {
        clock.jump(offset);
        await until(`the agent's clock says ${offset}`, async () => Math.round(await daysAhead(node)) === days);
        writeFileSync(token, days > 0 ? "system:kube-proxy" : "portolan");
        const [losses, changes] = [lost(agent), churn.changes];
        await tellCutter("cut", /^cut$/m);
        await until("the agent has noticed", () => lost(agent) > losses, 30_000);
        await until("it follows again", () => found(agent) === lost(agent), 30_000);
        await refusedHealthPort(`asked-${port}`, days, port);
        await until("more changes are made", () => churn.changes > changes + 100, 30_000);
      }
      const status = await run(inNetns(node.netns, atClock("+3d", portolanLine(node, ["status", "-o", "json"]))));
      expect(JSON.parse(status)).toMatchObject({ agent: { running: true, pid: agent.pid } });
      await churn.stop();
      await agreed(plane, node);
      const asked = (await connections()) - before;
      console.log(`${by}: ${asked} connections to the API server while the clock jumped twice`);
      expect(asked).toBeLessThan(80);
    },
  );

  /** A Service whose health check port is taken: an Event says so, dated by the agent's clock. */
  async function refusedHealthPort(service: string, days: number, port: number): Promise<void> {
    const { cluster, plane } = world();
    const taken = await takePort(cluster.lab, cluster.lab.node("n1"), port);
    const policy = { external: true, externalTrafficPolicy: "Local", healthCheckNodePort: port } as const;
    const spec: ServiceSpec = { ...web(), ...policy, name: service, number: 20 };
    await create(plane, spec);
    const soon = { timeout: 20_000, interval: 100 };
    const dated = async () => {
      const events = await listEvents(plane, "test");
      const own = events.filter(({ regarding }) => (regarding as { name: string }).name === service);
      return own.map(({ eventTime }) => Math.round((Date.parse(String(eventTime)) - Date.now()) / 86_400_000));
    };
    await expect.poll(dated, soon).toContain(days);
    await remove(plane, spec);
    await taken.stop();
  }

  test("an agent that does not read for a while, under changes", async () => {
    const { cluster, plane } = world();
    const before = megabytes(agent.pid, "VmHWM");
    churn.start(400);
    process.kill(agent.pid, "SIGSTOP");
    await until("two thousand changes are made", () => churn.changes > 2000, 60_000);
    process.kill(agent.pid, "SIGCONT");
    await until("and a thousand more", () => churn.changes > 3000, 60_000);
    await churn.stop();
    await agreed(plane, cluster.lab.node("n1"));
    expect(megabytes(agent.pid, "VmHWM") - before).toBeLessThan(100);
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

function megabytes(pid: number, line: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${line}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024;
}
