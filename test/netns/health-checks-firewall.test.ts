// SPDX-License-Identifier: Apache-2.0
// Health checks of load balancers at a node whose firewall lets nobody in: iptables mode opens their port in INPUT, as kube-proxy's
// does, with endpoints and without, and closes it with the Service (row 47).
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { readyAgent } from "../support/agent.ts";
import { get } from "../support/http.ts";
import { useLab } from "../support/lab.ts";
import { type Endpoint, removeService, writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const PORT = 30_500;
const CLOSED_PORT = 10_256; // the node's own health
const families = ["v4", "v6"] as const;

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a"] }] });
let manifests: string;
let outside: TrafficAgent;

function write(endpoint: Endpoint): void {
  const policy = { external: true, externalTrafficPolicy: "Local", healthCheckNodePort: PORT } as const;
  writeService(manifests, { name: "web", number: 1, ...policy, endpoints: [endpoint] });
}

const here = (): Endpoint => ({ address: getLab().pod("p1a").address, nodeName: "n1" });
const elsewhere: Endpoint = { address: { v4: "10.9.2.10", v6: "fd00:9:2::10" }, nodeName: "n2" };

/** What becomes of a connection from outside; what INPUT drops is not answered. */
async function reach(port: number): Promise<readonly object[]> {
  const { address } = getLab().node("n1");
  const asked = families.map((family) =>
    outside.tcp({ address: address[family], port, count: 1, http: true, timeoutMs: 500 }),
  );
  return (await Promise.all(asked)).map(({ failures }) => failures);
}

async function status(): Promise<readonly string[]> {
  const lab = getLab();
  const { address } = lab.node("n1");
  const answers = await Promise.all(families.map((family) => get(lab, lab.client, address[family], PORT, "/")));
  return answers.map((answer) => answer.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length));
}

beforeAll(async () => {
  const lab = getLab();
  const node = lab.node("n1");
  manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  for (const command of ["iptables-nft", "ip6tables-nft"]) await lab.exec(node, [command, "-P", "INPUT", "DROP"]);
  await lab.exec(node, ["ip6tables-nft", "-A", "INPUT", "-p", "ipv6-icmp", "-j", "ACCEPT"]); // neighbours
  outside = await lab.agentIn(lab.client);
  write(here());
  await readyAgent(lab, node, manifests, { flags: ["--devices", "eth0", "--mode", "iptables"] });
});

test("row 47: they are let in, and nobody else is", async () => {
  expect(await status()).toEqual(["200", "200"]);
  expect(await reach(CLOSED_PORT)).toEqual([{ TIMEOUT: 1 }, { TIMEOUT: 1 }]);
});

test("row 47: without an endpoint here they hear so", async () => {
  write(elsewhere);
  await until("both families say no", async () => (await status()).every((code) => code === "503"));
});

test("row 47: with the Service its port is closed again", async () => {
  removeService(manifests, "web");
  await until("nobody is let in", async () => (await reach(PORT)).every((failures) => "TIMEOUT" in failures));
});
