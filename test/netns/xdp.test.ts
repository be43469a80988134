// SPDX-License-Identifier: Apache-2.0
// --xdp native: connections through a NodePort whose backend is on another node go on in XDP, where no packet socket of the node
// sees them. Who has XDP on a device already keeps it, and tc does the work.

import { beforeAll, describe, expect, test } from "vitest";
import { pinsUnder } from "../../src/datapath/ebpf/pins.ts";
import { xdpPin } from "../../src/datapath/ebpf/xdp.ts";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { openPinnedLink } from "../../src/libbpf/index.ts";
import { useCluster } from "../support/cluster.ts";
import { compileProgram } from "../support/compile.ts";
import { pathServices, servePaths } from "../support/paths.ts";
import { until } from "../support/until.ts";
import { attachPass, readyForXdp } from "../support/xdp.ts";

/** What serves them: p2a, and n1 itself. */
const [ELSEWHERE, HERE] = [30_005, 30_008];
const ECHOES = 20;

const cluster = useCluster({ services: pathServices, agentFlags: ["--xdp", "native"], prepare: readyForXdp });
const n1 = (): NodeHost => cluster().lab.node("n1");
const device = (): Promise<string> => cluster().lab.exec(n1(), ["ip", "-d", "link", "show", "eth0"]);

beforeAll(async () => {
  await servePaths(cluster().lab);
});

/** Packets of a held connection that a packet socket on n1 sees while it echoes. */
async function seenOf(family: "v4" | "v6", port: number): Promise<number> {
  const { lab } = cluster();
  const client = await cluster().wire(lab.client);
  const held = await client.hold({ address: n1().address[family], port });
  await held.echo();
  const frames = lab.spawn(n1(), [compileProgram("frames", lab.plan.directory), "eth0"]);
  await frames.waitForOutput(/^ready$/m);
  for (let i = 0; i < ECHOES; i++) await held.echo();
  await frames.stop();
  await held.close();
  return frames.stdout.split("\n").filter((line) => portsOf(line).includes(held.answer.peerPort)).length;
}

/** Of a line of frames.c. */
function portsOf(line: string): readonly number[] {
  const packet = Buffer.from(line.split(" ")[1] ?? "", "hex");
  const at = packet[0] === undefined || packet[0] >> 4 === 4 ? 20 : 40;
  return packet.length < at + 4 ? [] : [packet.readUInt16BE(at), packet.readUInt16BE(at + 2)];
}

describe.each(["v4", "v6"] as const)("%s", (family) => {
  test("clause E5: a connection that passes through is XDP's once both ends have spoken", async () => {
    expect(await seenOf(family, ELSEWHERE)).toBe(0);
  });

  test("one to the node itself is the stack's", async () => {
    expect(await seenOf(family, HERE)).toBeGreaterThan(ECHOES);
  });
});

test("status says which device has it; taken off, it is back", async () => {
  const status = JSON.parse(await portolan(n1(), ["status", "-o", "json"]));
  const eth0 = status.devices.find((one: { device: string }) => one.device === "eth0");
  expect(eth0).toMatchObject({ hooks: ["xdp", "ingress", "egress"] });
  {
    using link = openPinnedLink(xdpPin(pinsUnder(n1().bpffs), eth0.ifindex));
    link.detach();
  }
  await until("XDP is back", async () => (await device()).includes("name pt_xdp"), 5000);
});

test("an agent without the option takes it away; one with it leaves another's where it is", async () => {
  const { lab } = cluster();
  await cluster().agents.get("n1")?.stop();
  await cluster().startAgent("n1", []);
  await until("no XDP", async () => !(await device()).includes("prog/xdp"));
  expect(await seenOf("v4", ELSEWHERE)).toBeGreaterThan(ECHOES);
  await cluster().agents.get("n1")?.stop();
  await attachPass(lab, n1().netns, ["eth0"]);
  const agent = await cluster().startAgent("n1");
  expect(agent.stderr).toMatch(/no XDP on this device, tc does its work device=eth0 reason=".*(EBUSY|EEXIST)/);
  expect(await device()).toMatch(/prog\/xdp .* name pass /);
  expect(await seenOf("v4", ELSEWHERE)).toBeGreaterThan(ECHOES);
});
