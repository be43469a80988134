// SPDX-License-Identifier: Apache-2.0
// `portolan cleanup --hand-back` that has not the time to see old connections end: they go on, nothing new begins, an agent that
// starts again serves as before, and the next hand-back ends the matter. The rules that it looks for are planted.
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { portolanLine } from "../../src/demo/portolan.ts";
import { readyAgent } from "../support/agent.ts";
import { compileProgram } from "../support/compile.ts";
import { useLab } from "../support/lab.ts";
import { serviceAddresses, writeService } from "../support/manifests.ts";
import { expectUnharmed, serveRush, startRush } from "../support/rush.ts";

/** Of a Service with streams, and one that is asked. */
const [WEB, ASKED] = [10, 11];
const STREAMS = 3;

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b", "p1c"] }] });

test("what has begun goes on, also past a hand-back without time; an agent makes it undone", async () => {
  const lab = getLab();
  const node = lab.node("n1");
  const { v4, v6 } = serviceAddresses(WEB).clusterIP;
  const other = serviceAddresses(ASKED).clusterIP;
  const manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  for (const [name, number, pod] of [
    ["web", WEB, "p1b"],
    ["asked", ASKED, "p1c"],
  ] as const) {
    const endpoints = [{ address: lab.pod(pod).address, nodeName: "n1" }];
    writeService(manifests, { name, number, protocols: ["TCP"], endpoints });
  }
  await lab.serve(lab.pod("p1c"));
  const program = compileProgram("rush", lab.plan.directory);
  await serveRush(lab, lab.pod("p1b"), program);
  const agent = await readyAgent(lab, node, manifests);
  const targets = [v4, "80", v6, "80"];
  const streams = await startRush(lab, lab.pod("p1a"), { program, rate: 0, streams: STREAMS, targets });
  await agent.stop();

  const table = (family: string, type: string, ...vips: readonly string[]) => {
    const elements = vips.map((vip) => `${vip} . tcp . 80 : goto service-WEB`).join(", ");
    return `table ${family} kube-proxy { chain service-WEB { }; map service-ips { type ${type} . inet_proto . inet_service : verdict; elements = { ${elements} } }; }\n`;
  };
  await lab.exec(node, ["nft", table("ip", "ipv4_addr", v4, other.v4) + table("ip6", "ipv6_addr", v6, other.v6)]);
  const handBack = async (wait: string) => {
    const asked = lab.spawn(node, portolanLine(node, ["cleanup", "--hand-back", "--wait", wait]));
    return { ...(await asked.exited), stdout: asked.stdout, stderr: asked.stderr };
  };
  const client = await lab.agentIn(lab.pod("p1a"), { socketBalancing: false });
  const socket = await lab.agentIn(lab.pod("p1a"));
  const answers = async (): Promise<readonly number[]> => {
    const asked = { address: other.v4, port: 80, count: 3, timeoutMs: 500 };
    return [(await client.tcp(asked)).answered, (await socket.tcp(asked)).answered];
  };

  expect(await answers()).toEqual([3, 3]);
  const early = await handBack("8s");
  expect(early).toMatchObject({ code: 1, stdout: "" });
  expect(early.stderr).toContain("its rules serve all 4 ClusterIPs and ports");
  expect(early.stderr).toContain(`${2 * STREAMS} flows are served on; ask again to wait on`);
  expect(await answers()).toEqual([0, 0]);

  const again = await readyAgent(lab, node, manifests);
  expect(await answers()).toEqual([3, 3]);
  await again.stop();

  const late = handBack("60s");
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await expectUnharmed(streams, -1, STREAMS);
  expect(await late).toMatchObject({ code: 0, stdout: expect.stringMatching(/^removed \d+ links/) });
  expect(existsSync(join(node.bpffs, "portolan"))).toBe(false);
});
