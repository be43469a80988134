// SPDX-License-Identifier: Apache-2.0
// Nodes whose uplink is a VLAN device, or a bond of two ports: kernels of machines have these modules, the one that the other
// tests run on does not. Nobody has to name the devices to the agent. A connection goes on when the bond changes its port.

import { beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { Host } from "../../src/demo/lab/plan.ts";
import { ip } from "../../src/demo/lab/run.ts";
import { CARRIED_WAYS, carriedServices, carriedTarget, expectCarried, serveCarried } from "../support/carried.ts";
import { useCluster } from "../support/cluster.ts";
import { until } from "../support/until.ts";

const VLAN = "eth0.7";
/** Its port of a node, and the end in the switch. */
const SECOND_PORT = "eth1";
const FAMILIES = ["v4", "v6"] as const;
/** One of each kind: a process of the node, a pod on the wire, a client outside, by its ClusterIP and by a NodePort. */
const WAYS = CARRIED_WAYS.filter(({ from, service, frontend }) =>
  [
    "n1 far clusterIP",
    "p1a far clusterIP",
    "client far nodePort",
    "client near nodePort",
    "client far-host nodePort",
  ].includes(`${from} ${service} ${frontend}`),
);

/** Gives the addresses and routes of eth0 to a device, which the lines make and set up. */
async function moveUplink(lab: Lab, host: Host, device: string, lines: readonly string[]): Promise<void> {
  const routes = (await Promise.all(["-4", "-6"].map((family) => routesBy(lab, host, family)))).flat();
  await lab.ip(host, "addr flush dev eth0", ...lines);
  await lab.ip(
    host,
    `addr add ${host.address.v4}/24 dev ${device}`,
    `addr add ${host.address.v6}/64 dev ${device} nodad`,
  );
  await lab.ip(host, ...routes.map((route) => `route replace ${route} dev ${device}`));
}

/** Those that somebody has set, not the kernel's own. */
async function routesBy(lab: Lab, host: Host, family: string): Promise<readonly string[]> {
  const listed = await lab.exec(host, ["ip", family, "route", "show", "dev", "eth0"]);
  return listed
    .split("\n")
    .filter((line) => line !== "" && !line.includes("proto kernel"))
    .map((line) => line.replace(/ (proto \S+|pref medium|metric \d+)/g, "").trim());
}

async function useVlan(lab: Lab): Promise<void> {
  for (const host of [...lab.nodes, lab.client]) {
    await moveUplink(lab, host, VLAN, [`link add link eth0 name ${VLAN} type vlan id 7`, `link set ${VLAN} up`]);
  }
}

async function useBond(lab: Lab): Promise<void> {
  for (const node of lab.nodes) {
    await ip(lab.plan.switchNetns, [
      `link add ${node.name}b type veth peer name ${SECOND_PORT} netns ${node.netns}`,
      `link set ${node.name}b master br0 up`,
    ]);
    await moveUplink(lab, node, "bond0", [
      "link add bond0 type bond mode active-backup miimon 50 num_grat_arp 5",
      "link set eth0 down",
      "link set eth0 master bond0",
      `link set ${SECOND_PORT} master bond0`,
      "link set bond0 type bond primary eth0",
      "link set bond0 up",
    ]);
  }
}

/** Of n1's bond. */
async function activePort(lab: Lab): Promise<string | undefined> {
  const shown = await lab.exec(lab.node("n1"), ["ip", "-details", "link", "show", "dev", "bond0"]);
  return /\bactive_slave (\S+)/.exec(shown)?.[1];
}

async function rolesOf(lab: Lab): Promise<Readonly<Record<string, readonly string[]>>> {
  const node = lab.node("n1");
  const places = ["--bpffs", node.bpffs, "--state-dir", node.stateDir];
  const status = await lab.exec(node, [process.execPath, "dist/portolan.js", "status", "-o", "json", ...places]);
  const { devices } = JSON.parse(status) as {
    devices: readonly { device: string; roles: readonly string[] }[];
  };
  return Object.fromEntries(devices.map(({ device, roles }) => [device, roles]));
}

describe.each([
  { device: VLAN, prepare: useVlan },
  { device: "bond0", prepare: useBond },
])("rows 24, 27, 36: the uplink is $device", ({ device, prepare }) => {
  const cluster = useCluster({ services: carriedServices, prepare });
  beforeAll(() => serveCarried(cluster().lab));

  test("it is known as an uplink", async () => {
    expect(await rolesOf(cluster().lab)).toMatchObject({ [device]: ["uplink"] });
  });

  describe.each(FAMILIES)("%s", (family) => {
    test.each(WAYS)("$from to $service by $frontend is answered by $answers, who sees the $source", (way) =>
      expectCarried(cluster(), way, "host routes", family),
    );

    test.runIf(device === "bond0")(
      "a connection goes on when its port is unplugged, and new ones are served",
      async () => {
        const { lab } = cluster();
        const client = await cluster().wire(lab.client);
        const target = {
          ...carriedTarget(lab, { service: "far", frontend: "nodePort" }, "host routes", family),
          timeoutMs: 10_000,
        };
        const held = await client.hold(target);
        await held.echo({ count: 5, timeoutMs: 10_000 });
        await until("its first port is in use", async () => (await activePort(lab)) === "eth0");
        await lab.ip(lab.node("n1"), "link set eth0 down");
        await held.echo({ count: 20, gapMs: 50, timeoutMs: 10_000 });
        expect(await activePort(lab)).toBe(SECOND_PORT);
        expect(await client.tcp({ ...target, count: 3 })).toMatchObject({ answered: 3, failures: {} });
        await lab.ip(lab.node("n1"), "link set eth0 up");
        await held.close();
      },
    );
  });
});
