// SPDX-License-Identifier: Apache-2.0
// --xdp native: connections through a NodePort whose backend is on another node go on in XDP, where no packet socket of the node
// sees them; what begins, and what is not plain, is tc's.

import { beforeAll, describe, expect, test } from "vitest";
import { useCluster } from "../support/cluster.ts";
import { compileProgram } from "../support/compile.ts";
import { pathServices, servePaths } from "../support/paths.ts";
import { readyForXdp } from "../support/xdp.ts";

const NODE_PORT = 30_005; // served by p2a
const ECHOES = 20;

const cluster = useCluster({ services: pathServices, agentFlags: ["--xdp", "native"], prepare: readyForXdp });

beforeAll(async () => {
  await servePaths(cluster().lab);
});

/** Packets with this port that a packet socket on n1 has seen meanwhile. */
async function seenBy(program: string, port: number, during: () => Promise<void>): Promise<number> {
  const { lab } = cluster();
  const frames = lab.spawn(lab.node("n1"), [program, "eth0"]);
  await frames.waitForOutput(/^ready$/m);
  await during();
  await frames.stop();
  const hex = port.toString(16).padStart(4, "0");
  return frames.stdout.split("\n").filter((line) => line.includes(hex)).length;
}

describe.each(["v4", "v6"] as const)("%s", (family) => {
  test("an established connection is XDP's, in both directions", async () => {
    const { lab } = cluster();
    const program = compileProgram("frames", lab.plan.directory);
    const client = await cluster().wire(lab.client);
    const held = await client.hold({ address: lab.node("n1").address[family], port: NODE_PORT });
    expect(held.answer).toMatchObject({ pod: "p2a", peer: lab.node("n1").address[family] });
    await held.echo();
    const seen = await seenBy(program, held.answer.peerPort, async () => {
      for (let i = 0; i < ECHOES; i++) await held.echo();
    });
    expect(seen).toBe(0);
    await held.close();
  });
});
