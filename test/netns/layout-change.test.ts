// SPDX-License-Identifier: Apache-2.0
// An agent of another layout takes over, and the first one again, while connections begin and go on: none of them notices.
// On the wire: that is whose flows lie otherwise.

import { existsSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { decode, encode } from "../../src/datapath/ebpf/codec.ts";
import { layoutPins, layoutsUnder, mapPin, pinsUnder, programPin } from "../../src/datapath/ebpf/pins.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { openPinnedMap } from "../../src/libbpf/index.ts";
import { spawnAgent } from "../support/agent.ts";
import { useCluster } from "../support/cluster.ts";
import { compileProgram } from "../support/compile.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { buildOtherLayout } from "../support/other-layout.ts";
import { expectUnharmed, serveRush, startRush } from "../support/rush.ts";
import { until } from "../support/until.ts";

const NODE_PORT = 30_080;
const STREAMS = 10;

const world = useCluster({
  nodes: [
    { name: "n1", routedPods: ["p1a", "p1b"] },
    { name: "n2", routedPods: ["p2a"] },
  ],
  services: (lab) => [
    {
      name: "web",
      number: 10,
      protocols: ["TCP"],
      nodePort: NODE_PORT,
      endpoints: ["p1b", "p2a"].map((name) => {
        const { address, nodeName } = lab.pod(name);
        return { address, nodeName };
      }),
    },
  ],
});

const processes: LabProcess[] = [];
let clients: readonly LabProcess[] = [];
let other: readonly string[];

beforeAll(async () => {
  other = [process.execPath, buildOtherLayout().bundle];
  const { lab } = world();
  const program = compileProgram("rush", lab.plan.directory);
  processes.push(...(await Promise.all(["p1b", "p2a"].map((name) => serveRush(lab, lab.pod(name), program)))));
  const { v4, v6 } = serviceAddresses(10).clusterIP;
  const node = lab.node("n1").address;
  const rush = { program, rate: 500, streams: STREAMS };
  clients = await Promise.all([
    startRush(lab, lab.pod("p1a"), { ...rush, targets: [v4, "80", v6, "80"] }),
    startRush(lab, lab.client, { ...rush, targets: [node.v4, String(NODE_PORT), node.v6, String(NODE_PORT)] }),
  ]);
  processes.push(...clients);
});

/** A new agent on n1, killed as soon as the pins say so. */
async function killedWhen(command: readonly string[] | undefined, reached: () => boolean): Promise<void> {
  const { lab, manifests } = world();
  const agent = spawnAgent(lab, lab.node("n1"), manifests, { flags: [], command });
  await until("the agent has got there", reached, 30_000, 1);
  process.kill(agent.pid, "SIGKILL");
  await agent.exited;
}

const pins = () => pinsUnder(world().lab.node("n1").bpffs);
const layoutsPinned = () => layoutsUnder(pins().root).map(({ number }) => number);

function serving(): abi.Serving {
  using map = openPinnedMap(pins().serving);
  return decode(abi.serving, map.lookup(new Uint8Array(4)) ?? new Uint8Array());
}

test("rows 14, 50: an agent of another layout takes over, and the first one again", async () => {
  const cluster = world();
  await cluster.agents.get("n1")?.stop();
  expect([serving(), layoutsPinned()]).toEqual([{ generation: 1, version: 1, from: 0 }, [1]]);
  const newer = await cluster.startAgent("n1", [], { command: other });
  expect(newer.stderr).toMatch(/INFO took over from another layout, flows and all from=v1 records=\d{3,}/);
  expect([serving(), layoutsPinned()]).toEqual([{ generation: 2, version: 2, from: 0 }, [2]]);
  await expect(portolan(cluster.lab.node("n1"), ["services"])).rejects.toThrow(
    "an agent of another version of Portolan serves, with maps of layout v2: ask the command line of that version",
  );
  await newer.stop();
  const older = await cluster.startAgent("n1");
  expect(older.stderr).toMatch(/INFO took over from another layout, flows and all from=v2 records=\d{3,}/);
  expect([serving(), layoutsPinned()]).toEqual([{ generation: 3, version: 1, from: 0 }, [1]]);
  await older.stop();
}, 60_000);

test("rows 14, 50: one that is killed before its programs serve leaves the others in force, and nothing once they are there", async () => {
  await killedWhen(other, () => existsSync(programPin(layoutPins(pins().root, 2), "ingress")));
  expect([serving(), layoutsPinned()]).toEqual([{ generation: 3, version: 1, from: 0 }, [1, 2]]);
  // What a kill at the very end of a take-over leaves: a hold on the other layout's programs.
  const hold = mapPin(pins(), "programs_before");
  using anyMap = openPinnedMap(pins().serving);
  anyMap.pin(hold);
  await (await world().startAgent("n1")).stop();
  expect([serving(), layoutsPinned()]).toEqual([{ generation: 3, version: 1, from: 0 }, [1]]);
  expect(existsSync(hold)).toBe(false);
}, 60_000);

test("rows 14, 50: one that is killed as its programs begin to serve is gone on from, by the other layout and by its own", async () => {
  await killedWhen(other, () => serving().generation === 4);
  await killedWhen(undefined, () => serving().generation === 5);
  await (await world().startAgent("n1")).stop();
  expect([serving(), layoutsPinned()]).toEqual([{ generation: 5, version: 1, from: 0 }, [1]]);
}, 60_000);

test("rows 14, 50: it waits for the last device that has no hooks of ours", async () => {
  const { lab, manifests } = world();
  const { generation } = serving();
  // The second half of attaching fails there.
  const inTheWay = `${pins().links}/${readdirSync(pins().links).find((name) => name.endsWith("-egress"))}-new`;
  mkdirSync(inTheWay);
  const agent = spawnAgent(lab, lab.node("n1"), manifests, { flags: [], command: other });
  await agent.waitForOutput(/ERROR not all devices have hooks of ours: .* from=v1/, 30_000);
  expect(serving()).toEqual({ generation, version: 1, from: 0 });
  rmdirSync(inTheWay);
  await agent.waitForOutput(/INFO took over from another layout, flows and all from=v1/, 30_000);
  expect([serving(), layoutsPinned()]).toEqual([{ generation: generation + 1, version: 2, from: 0 }, [2]]);
  await agent.stop();
  await (await world().startAgent("n1")).stop();
}, 90_000);

test("a layout that cannot be taken over is named, and goes on serving", async () => {
  const { lab, manifests } = world();
  const { v1, path } = { v1: pins().layout, path: `${pins().root}/v9` };
  mkdirSync(path);
  using map = openPinnedMap(pins().serving);
  const now = serving();
  map.update(new Uint8Array(4), encode(abi.serving, { ...now, version: 9 }));
  const agent = spawnAgent(lab, lab.node("n1"), manifests, { flags: [] });
  expect(await agent.exited).toEqual({ code: 3, signal: null });
  expect(agent.stderr).toContain(
    `portolan: layout v9 serves this node, and this is v1: ${path}/layout is not there: nobody says how the maps beside it lie. \`portolan cleanup\` makes room, and ends connections through Services on the wire`,
  );
  map.update(new Uint8Array(4), encode(abi.serving, now));
  rmdirSync(path);
  expect(existsSync(v1)).toBe(true);
}, 30_000);

test("through all of that no connection was refused, reset, late or lost", async () => {
  await Promise.all(clients.map((client) => expectUnharmed(client, 5000, STREAMS)));
});

afterAll(() => Promise.all(processes.map((one) => one.stop())));
