// SPDX-License-Identifier: Apache-2.0
// A node that boots while no API server answers: it has no pins, but a checkpoint.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import type { ModelObject } from "../../src/model/changes.ts";
import { Field } from "../../src/source/field.ts";
import { writeCheckpoint } from "../../src/source/kubernetes/checkpoint.ts";
import { readObject } from "../../src/source/object.ts";
import { useCluster } from "../support/cluster.ts";
import { writeDeadKubeconfig } from "../support/dead-api.ts";
import { type KubeObject, serviceObjects } from "../support/manifests.ts";

const TARGETS = [
  { address: "10.96.0.1", port: 80 },
  { address: "fd00:10:96::1", port: 80 },
];

const cluster = useCluster({
  nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }],
  agents: [],
  source: (lab) => Promise.resolve(["--kubeconfig", writeDeadKubeconfig(lab)]),
});

function modelOf(object: KubeObject): ModelObject {
  const read = readObject(new Field(object, () => {}), `${object.apiVersion} ${object.kind}`, [], (text) => text);
  if (!read.object) throw new Error(`${object.metadata.name} is no model object`);
  return read.object;
}

async function writeFor(lab: Lab, nodeName: string): Promise<string> {
  const { stateDir } = lab.node("n1");
  const endpoints = [{ address: lab.pod("p1a").address, nodeName: "n1" }];
  mkdirSync(stateDir, { recursive: true });
  const file = join(stateDir, "checkpoint");
  const objects = serviceObjects({ name: "web", number: 1, endpoints }).map(modelOf);
  await writeCheckpoint(file, nodeName, Date.UTC(2026, 10, 22, 10), objects);
  return file;
}

async function answered(): Promise<readonly string[]> {
  const { lab } = cluster();
  const clients = [await cluster().wire(lab.pod("p1b")), await cluster().socket(lab.pod("p1b"))];
  const asked = TARGETS.flatMap((target) =>
    clients.map(async (client) => {
      const { answered } = await client.tcp({ ...target, count: 2, timeoutMs: 1000 });
      return `${target.address} ${answered} of 2`;
    }),
  );
  return Promise.all(asked);
}

async function stopped(agent: LabProcess): Promise<void> {
  process.kill(agent.pid, "SIGTERM");
  await agent.exited;
}

describe("a node that boots while no API server answers", () => {
  test("serves what its checkpoint says, on the wire and at sockets, and says since when it knows no better", async () => {
    const { lab } = cluster();
    await lab.serve(lab.pod("p1a"));
    const file = await writeFor(lab, "n1");
    const agent = await cluster().startAgent("n1");
    expect(agent.stderr).toContain(
      `WARN ${file}: no API server answers, so what it said until 2026-11-22T10:00:00.000Z is served until one does`,
    );
    expect(agent.stderr).toMatch(
      /ERROR API server, services: https:\/\/127\.0\.0\.1:9 cannot be reached: connect ECONNREFUSED 127\.0\.0\.1:9 \(it is tried again; what an earlier agent served goes on\)/,
    );
    expect(await answered()).toEqual(TARGETS.flatMap(({ address }) => [`${address} 2 of 2`, `${address} 2 of 2`]));
    await stopped(agent);
  });

  test("and, started anew, does not go back to it from what it served since", async () => {
    const { lab } = cluster();
    rmSync(await writeFor(lab, "n1"));
    const agent = await cluster().startAgent("n1");
    expect(agent.stderr).toContain("INFO adopted services=4");
    expect(await answered()).toEqual(TARGETS.flatMap(({ address }) => [`${address} 2 of 2`, `${address} 2 of 2`]));
    await stopped(agent);
    await writeFor(lab, "n1");
    const third = await cluster().startAgent("n1");
    expect(third.stderr).not.toContain("no API server answers, so");
    await stopped(third);
  });
});
