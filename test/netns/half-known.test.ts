// SPDX-License-Identifier: Apache-2.0
// An agent that starts while a manifest is broken which an earlier agent could read: what flows on the wire meet then
// (row 58 of the behaviour contract). udp-sockets.test.ts has the sockets, agent.test.ts new connections.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { portolan } from "../../src/demo/portolan.ts";
import { useCluster } from "../support/cluster.ts";
import { type ServiceSpec, writeService, writeSlices } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const PORT = 8080;

const cluster = useCluster({ firewall: "realistic" });

beforeAll(async () => {
  for (const name of ["p1b", "p2a"]) await cluster().lab.serve(cluster().lab.pod(name), { tcp: [], udp: [PORT] });
});

function specOf(name: string): ServiceSpec {
  const { address, nodeName } = cluster().lab.pod(name);
  return { name: "dns", number: 46, nodePort: 30_046, endpoints: [{ address, nodeName, port: PORT }] };
}

/** How many endpoints n1 has for new flows. */
async function chosenFrom(): Promise<number | undefined> {
  const listed: readonly { service: string; endpoints: { total: number } }[] = JSON.parse(
    await portolan(cluster().lab.node("n1"), ["services", "-o", "json"]),
  );
  return listed.find(({ service }) => service === "test/dns:udp")?.endpoints.total;
}

test("row 58: flows stay on an endpoint that only the broken manifest names", async () => {
  const { lab, manifests } = cluster();
  const broken = join(manifests, "more.json");
  writeService(manifests, specOf("p1b"));
  writeSlices(manifests, specOf("p2a"), "more");
  const client = await cluster().wire(lab.client);
  const asking = (family: "v4" | "v6", localPort: number) => async () => {
    const target = { address: lab.node("n1").address[family], port: 30_046, localPort };
    return (await client.udp({ ...target, count: 1, timeoutMs: 500 })).answers[0]?.pod ?? "nobody";
  };
  /** A flow to p2a: the first port that Maglev sends there. */
  const flowTo = async (family: "v4" | "v6") => {
    const first = family === "v4" ? 47_000 : 47_100;
    for (let port = first; port < first + 100; port++) {
      const ask = asking(family, port);
      if ((await ask()) === "p2a") return ask;
    }
    throw new Error(`no port of 100 reaches p2a, ${family}`);
  };
  await until("n1 serves both", async () => (await chosenFrom()) === 2);
  const flows = [await flowTo("v4"), await flowTo("v6")];
  const askAll = () => Promise.all(flows.map((ask) => ask()));

  await cluster().killAgent("n1");
  const whole = readFileSync(broken, "utf8");
  writeFileSync(broken, whole.slice(0, whole.length / 2));
  await cluster().startAgent("n1");
  expect(await chosenFrom()).toBe(1);
  expect(await askAll()).toEqual(["p2a", "p2a"]);
  writeFileSync(broken, whole);
  await until("n1 serves both again", async () => (await chosenFrom()) === 2);
  expect(await askAll()).toEqual(["p2a", "p2a"]);
  rmSync(broken);
  await until("the flows have left", async () => (await askAll()).join() === "p1b,p1b");
});
