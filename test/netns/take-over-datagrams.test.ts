// SPDX-License-Identifier: Apache-2.0
// Streams of datagrams that a kube-proxy's rules have led to one of two endpoints, when an agent takes over: each keeps its
// endpoint, which only netfilter knows, while that serves, and leaves it when it does not.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readyAgent } from "../support/agent.ts";
import { compileProgram } from "../support/compile.ts";
import { useLab } from "../support/lab.ts";
import { type ServiceSpec, serviceAddresses, writeService } from "../support/manifests.ts";
import { serveRush, startRush } from "../support/rush.ts";

/** Of each kind. With half of them on the wrong endpoint by chance, all on the right one would be a chance of one in 2^24. */
const STREAMS = 6;
const NUMBER = 10;

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b", "p1c"] }] });

test("row 58: datagrams keep the endpoint that a kube-proxy chose while it serves, connected sockets and others", async () => {
  const lab = getLab();
  const [node, chosen] = [lab.node("n1"), lab.pod("p1b")];
  const { v4, v6 } = serviceAddresses(NUMBER).clusterIP;
  const table = (family: string, vip: string, to: string) =>
    `table ${family} kube-proxy { chain nat-prerouting { type nat hook prerouting priority dstnat; ${family} daddr ${vip} udp dport 80 dnat to ${to}; }; }\n`;
  const rules = table("ip", v4, `${chosen.address.v4}:8080`) + table("ip6", v6, `[${chosen.address.v6}]:8080`);
  await lab.exec(node, ["nft", rules]);

  const manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  const web = (...pods: readonly string[]): ServiceSpec => ({
    name: "web",
    number: NUMBER,
    endpoints: pods.map((name) => ({ address: lab.pod(name).address, nodeName: "n1" })),
  });
  writeService(manifests, web("p1b", "p1c"));
  const program = compileProgram("rush", lab.plan.directory);
  for (const name of ["p1b", "p1c"]) await serveRush(lab, lab.pod(name), program);
  const targets = [`udp:${v4}`, "80", `udp:${v6}`, "80", `udpto:${v4}`, "80", `udpto:${v6}`, "80"];
  const start = () =>
    startRush(lab, lab.pod("p1a"), { program, rate: 0, streams: STREAMS, targets, socketBalancing: true });
  const [keeping, leaving] = [await start(), await start()];

  const flags = ["--devices", "eth0", "--take-over"];
  const agent = await readyAgent(lab, node, manifests, { flags });
  await agent.waitForOutput(/INFO took over from kube-proxy/);
  const fate = async (client: typeof keeping) => {
    client.write("enough\n");
    await client.exited;
    const { streamsLost, moved } = JSON.parse(client.stdout.replace(/^ready$/m, ""));
    return { streamsLost, moved };
  };
  await pause(500);
  expect(await fate(keeping)).toEqual({ streamsLost: 0, moved: 0 });

  writeService(manifests, web("p1c"));
  await pause(1500);
  expect(await fate(leaving)).toEqual({ streamsLost: 0, moved: targets.length * (STREAMS / 2) });
  await agent.stop();
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
