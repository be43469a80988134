// SPDX-License-Identifier: Apache-2.0
// A VIP or a NodePort that comes to another Service, and a VIP that comes to another node (row 50 of the behaviour
// contract): what becomes of connections, and whom new ones meet.
import { beforeAll, describe, expect, test } from "vitest";
import { openState } from "../../src/datapath/ebpf/state.ts";
import { inNetns, run } from "../../src/demo/lab/run.ts";
import { useCluster } from "../support/cluster.ts";
import { type ServiceSpec, serviceAddresses, writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const families = ["v4", "v6"] as const;
type Family = (typeof families)[number];

const cluster = useCluster({ firewall: "realistic" });

function spec(name: string, number: number, pods: readonly string[], more: Partial<ServiceSpec> = {}): ServiceSpec {
  const { lab } = cluster();
  const endpoints = pods.map((pod) => ({ address: lab.pod(pod).address, nodeName: lab.pod(pod).nodeName }));
  return { name, number, external: true, endpoints, ...more };
}

const vip = (number: number, family: Family) => ({ address: serviceAddresses(number).loadBalancer[family], port: 80 });

beforeAll(async () => {
  for (const name of ["p1b", "p2a"]) await cluster().lab.serve(cluster().lab.pod(name));
});

test("row 50: its connections stay with their endpoint when a VIP passes to another Service, new ones meet that, none is lost", async () => {
  const { lab, manifests } = cluster();
  const [outside, pod] = [await cluster().wire(lab.client), await cluster().socket(lab.pod("p1a"))];
  const nodePort = { nodePort: 30_301 };
  writeService(manifests, spec("old", 1, ["p1b"], nodePort));
  await cluster().write(spec("young", 2, ["p2a"]));
  await cluster().served("old", 1);
  const ways = families.flatMap((family) => [
    { client: outside, target: vip(1, family) },
    { client: outside, target: { address: lab.node("n1").address[family], port: 30_301 } },
    { client: pod, target: { address: serviceAddresses(1).clusterIP[family], port: 80 } },
  ]);
  const answers = () =>
    Promise.all(ways.map(async ({ client, target }) => (await client.tcp({ ...target, count: 2 })).pods));
  const held = await Promise.all(ways.map(({ client, target }) => client.hold(target)));
  expect(held.map(({ answer }) => answer.pod)).toEqual(ways.map(() => "p1b"));
  const running = ways.map(({ client, target }) => client.startTcp({ ...target, gapMs: 5 }));

  writeService(manifests, spec("young", 1, ["p2a"], nodePort)); // waits for what the other has
  writeService(manifests, spec("old", 3, ["p1b"]));
  await until("new connections meet the other Service", async () =>
    (await answers()).every(({ p1b = 0 }) => p1b === 0),
  );
  expect(await answers()).toEqual(ways.map(() => ({ p2a: 2 })));
  for (const traffic of running) expect(await traffic.stop()).toMatchObject({ failed: 0, failures: {} });
  for (const connection of held) await connection.echo({ count: 5 });
});

describe("a VIP that passes to another node", () => {
  /** The client's router sends there what goes to the VIP. */
  async function route(number: number, name: string): Promise<void> {
    const { lab } = cluster();
    for (const family of families) {
      const to = `${vip(number, family).address}/${family === "v4" ? 32 : 128}`;
      await run(inNetns(lab.client.netns, ["ip", "route", "replace", to, "via", lab.node(name).address[family]]));
    }
  }

  /** TCP that n2 knew nothing of. */
  function unknown(): number {
    using state = openState(cluster().lab.node("n2").bpffs);
    return Number(state.drops().find(({ name }) => name === "no_flow")?.count);
  }

  test.each([
    { policy: "Cluster", number: 5, sees: "node", more: {} },
    { policy: "Local", number: 6, sees: "client", more: { externalTrafficPolicy: "Local" } },
  ] as const)(
    "row 50: with SNAT its connections end there with a reset, under policy $policy, and new ones are served",
    async ({ number, sees, more }) => {
      const { lab } = cluster();
      const client = await cluster().wire(lab.client);
      await cluster().write(spec(`moved${number}`, number, ["p1b", "p2a"], more));
      await route(number, "n1");
      const open = () => Promise.all(families.map((family) => client.hold(vip(number, family))));
      const [lost, kept] = [await open(), await open()];
      const before = unknown();
      await route(number, "n2");
      for (const connection of lost) await expect(connection.echo()).rejects.toThrow("ECONNRESET");
      expect(unknown()).toBe(before + 2);
      for (const family of families) {
        const asked = { ...vip(number, family), count: 4 };
        const source = { node: lab.node("n2"), client: lab.client }[sees].address[family];
        expect(await client.tcp(asked)).toMatchObject({ answered: 4, sources: { [source]: 4 } });
        expect(await client.udp(asked)).toMatchObject({ answered: 4, sources: { [source]: 4 } });
      }
      await route(number, "n1"); // what said nothing meanwhile goes on
      for (const connection of kept) await connection.echo({ count: 5 });
    },
  );
});
