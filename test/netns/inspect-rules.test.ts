// SPDX-License-Identifier: Apache-2.0
// What the commands say of a node that is served by rules: status with mode and why, the listings of Services; what such a mode
// keeps no record of is said so.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { portolan } from "../../src/demo/portolan.ts";
import { readyAgent } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { serviceAddresses, writeService } from "../support/manifests.ts";

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });

beforeAll(async () => {
  const lab = getLab();
  const manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  const endpoints = [{ address: lab.pod("p1b").address, nodeName: "n1" }];
  writeService(manifests, { name: "web", number: 10, protocols: ["TCP"], nodePort: 30_080, endpoints });
  await readyAgent(lab, lab.node("n1"), manifests, { flags: ["--devices", "eth0", "--mode", "nftables"] });
});

test("status says the mode and why, and that the state is in the kernel", async () => {
  const status = await portolan(getLab().node("n1"), ["status"]);
  expect(status).toMatch(/^Mode: +nftables\nWhy: +--mode nftables\nNode: +n1\nAgent: +running as process \d+, /);
  expect(status).toMatch(/\nState: +in the kernel, last change .*\nServices: +2 service ports, 2 endpoints\n/);
  const json = JSON.parse(await portolan(getLab().node("n1"), ["status", "-o", "json"]));
  expect(json).toMatchObject({ mode: "nftables", synced: true, sockets: [], devices: [], maps: [] });
});

test("Services, their backends and frontends are listed", async () => {
  const node = getLab().node("n1");
  const { v4, v6 } = serviceAddresses(10).clusterIP;
  const rows = JSON.parse(await portolan(node, ["services", "-o", "json"]));
  expect(rows).toMatchObject([
    { service: "test/web:tcp", family: "IPv4", frontends: [`${v4}:80`, "0.0.0.0:30080"], endpoints: { total: 1 } },
    { service: "test/web:tcp", family: "IPv6", frontends: [`[${v6}]:80`, "[::]:30080"], endpoints: { total: 1 } },
  ]);
  const pod = getLab().pod("p1b").address;
  expect(await portolan(node, ["backends", "-o", "name"])).toBe(`${pod.v4}:8080\n[${pod.v6}]:8080\n`);
  expect(await portolan(node, ["frontends", "-o", "name"])).toContain(`${v4}:80/TCP\n`);
});

test.each(["flows", "affinity", "drops"])("%s: rules keep no such record, and it says so", async (command) => {
  await expect(portolan(getLab().node("n1"), [command])).rejects.toThrow(
    /exit 3\n.*this node is served in mode nftables, which keeps no maps to read: status, services/s,
  );
});
