// SPDX-License-Identifier: Apache-2.0
// Nodes of one family only (behaviour row 7): the agent serves that family and does not stumble over the other.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab/lab.ts";
import type { DualAddress } from "../../src/demo/lab/plan.ts";
import { portolan, startAgent } from "../../src/demo/portolan.ts";
import { serviceAddresses, writeService } from "../support/manifests.ts";

/** Takes every address of a family off the nodes, pods and client of the lab. */
async function leaveOnly(lab: Lab, family: keyof DualAddress): Promise<void> {
  for (const host of [lab.client, ...lab.nodes, ...lab.pods]) {
    if (family === "v4") {
      await lab.sysctl(host, "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1");
      continue;
    }
    const links = JSON.parse(await lab.exec(host, ["ip", "-j", "link", "show"])) as readonly { ifname: string }[];
    for (const { ifname } of links) await lab.exec(host, ["ip", "-4", "address", "flush", "dev", ifname]);
  }
}

describe.each(["v4", "v6"] as const)("a node with %s only", (family) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.create();
    await leaveOnly(lab, family);
    const manifests = join(lab.plan.directory, "manifests");
    mkdirSync(manifests);
    const endpoints = ["p1b", "p2a"].map((name) => ({ address: lab.pod(name).address }));
    writeService(manifests, { name: "web", number: 1, nodePort: 30_001, endpoints });
    for (const name of ["p1b", "p2a"]) await lab.serve(lab.pod(name));
    await startAgent(lab, lab.node("n1"), ["--manifests", manifests]);
  });
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test.each([true, false])("row 7: serves its pods by ClusterIP, sockets balanced: %s", async (socketBalancing) => {
    const pod = await lab.agentIn(lab.pod("p1a"), { socketBalancing });
    const address = serviceAddresses(1).clusterIP[family];
    expect(await pod.tcp({ address, port: 80, count: 20 })).toMatchObject({ answered: 20, failures: {} });
    expect(await pod.udp({ address, port: 80, count: 20 })).toMatchObject({ answered: 20, failures: {} });
  });

  test("row 7: serves clients outside by NodePort, masqueraded with an address of that family", async () => {
    const client = await lab.agentIn(lab.client);
    const address = lab.node("n1").address[family];
    const result = await client.tcp({ address, port: 30_001, count: 20 });
    expect(result).toMatchObject({ answered: 20, failures: {}, sources: { [address]: 20 } });
  });

  test("lists what it serves", async () => {
    expect(await portolan(lab.node("n1"), ["services", "-o", "name"])).toContain("test/web:tcp");
  });
});
