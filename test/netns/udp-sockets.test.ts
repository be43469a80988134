// SPDX-License-Identifier: Apache-2.0
// Processes that hold a connected UDP socket and only wait, in pods and on a node, while their endpoint stops serving: each
// in a network namespace of its own, each told by its kernel (rows 57-59 of the behaviour contract).
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { useCluster } from "../support/cluster.ts";
import { type Endpoint, type ServiceSpec, serviceAddresses, writeService } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { until } from "../support/until.ts";

const PROGRAM = fileURLToPath(new URL("../support/programs/udp-wait.mjs", import.meta.url));
const DRAINING = { ready: false, serving: true, terminating: true };
const families = ["v4", "v6"] as const;

const cluster = useCluster({});

beforeAll(async () => {
  for (const name of ["p1b", "p2a"]) await cluster().lab.serve(cluster().lab.pod(name));
});

function spec(number: number, pods: Readonly<Record<string, Endpoint["conditions"]>>): ServiceSpec {
  const endpoints = Object.entries(pods).map(([name, conditions]) => {
    const { address, nodeName } = cluster().lab.pod(name);
    return { address, nodeName, ...(conditions === undefined ? {} : { conditions }) };
  });
  return { name: `wait${number}`, number, endpoints };
}

/** One waiting process in each place and family, connected to p2a. */
async function waiting(number: number, places: readonly string[]): Promise<readonly LabProcess[]> {
  const { lab } = cluster();
  await cluster().write(spec(number, { p2a: undefined }));
  const { clusterIP } = serviceAddresses(number);
  const processes = places.flatMap((place) =>
    families.map((family) => lab.spawn(hostOf(lab, place), ["node", PROGRAM, clusterIP[family], "80"])),
  );
  await Promise.all(processes.map((process) => process.waitForOutput(/^answered p2a$/m)));
  return processes;
}

async function expectMoved(processes: readonly LabProcess[]): Promise<void> {
  const moved = /^answered p2a\nerror ECONNABORTED\nanswered p1b\n$/;
  await Promise.all(processes.map((process) => process.waitForOutput(moved)));
}

/** Returns when all sockets have been looked through since: another Service's have moved. */
async function lookedThrough(number: number): Promise<void> {
  const others = await waiting(number, ["p1a"]);
  await cluster().write(spec(number, { p1b: undefined }));
  await expectMoved(others);
}

/** How many endpoints the nodes choose from. */
async function chosenFrom(number: number): Promise<readonly string[]> {
  const { lab } = cluster();
  const listed = await Promise.all(lab.nodes.map((node) => portolan(node, ["services", "-o", "json"])));
  return listed.map((text) => {
    const services: readonly { service: string; endpoints: { local: number; total: number } }[] = JSON.parse(text);
    const found = services.find(({ service }) => service === `test/wait${number}:udp`);
    return `${found?.endpoints.local}/${found?.endpoints.total}`;
  });
}

describe("processes that wait on a connected UDP socket", () => {
  test("row 58: are told when their endpoint serves no more, row 57: at once, wherever they are, and not before", async () => {
    const processes = await waiting(51, ["p1a", "b1a", "n1", "n2"]);
    writeService(cluster().manifests, spec(51, { p2a: DRAINING, p1b: undefined }));
    await until("new ones go to p1b alone", async () => (await chosenFrom(51)).join() === "1/1,0/1");
    await lookedThrough(56);
    for (const process of processes) expect(process.stdout).toBe("answered p2a\n");
    writeService(cluster().manifests, spec(51, { p1b: undefined }));
    await expectMoved(processes);
  });

  test("row 57: are told by the next agent of what changed while there was none", async () => {
    const processes = await waiting(52, ["p1a", "n1"]);
    await cluster().killAgent("n1");
    writeService(cluster().manifests, spec(52, { p1b: undefined }));
    await cluster().startAgent("n1");
    await expectMoved(processes);
  });

  test("row 59: are told when there is no endpoint left", async () => {
    const processes = await waiting(53, ["p1a"]);
    await cluster().write(spec(53, {}));
    await Promise.all(
      processes.map((process) => process.waitForOutput(/^answered p2a\nerror ECONNABORTED\nerror ECONNREFUSED\n/)),
    );
  });

  test("row 50: are not told that their Service is gone", async () => {
    const processes = await waiting(54, ["p1a"]);
    await cluster().remove("wait54");
    await lookedThrough(55);
    for (const process of processes) expect(process.stdout).toBe("answered p2a\n");
  });
});
