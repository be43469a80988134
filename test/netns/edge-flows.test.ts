// SPDX-License-Identifier: Apache-2.0
// The flow table under pressure: two CPUs that begin one flow at once, and a flood of flows nobody answers.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkFlows } from "../../src/datapath/ebpf/flow-invariants.ts";
import { mapPin, pinsUnder } from "../../src/datapath/ebpf/pins.ts";
import { openState } from "../../src/datapath/ebpf/state.ts";
import { openPinnedMap } from "../../src/libbpf/index.ts";
import { useCluster } from "../support/cluster.ts";
import { compileProgram } from "../support/compile.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { useMutant } from "../support/mutant.ts";
import { SLOW_LOOKS } from "../support/slow-looks.ts";
import { until } from "../support/until.ts";

describe("the flow table of n1", () => {
  const cluster = useCluster({
    services: (lab) => [
      {
        name: "three",
        number: 1,
        nodePort: 30_001,
        endpoints: ["p1b", "b1b", "p2a"].map((name) => ({ address: lab.pod(name).address })),
      },
      { name: "busy", number: 3, nodePort: 30_003, endpoints: [{ address: lab.pod("p2a").address }] },
      { name: "silent", number: 2, endpoints: [{ address: lab.pod("p1b").address, port: 7777 }] },
    ],
  });
  beforeAll(async () => {
    const { lab } = cluster();
    for (const name of ["p1b", "b1b", "p2a"]) await lab.serve(lab.pod(name));
  });

  function flows() {
    const pins = pinsUnder(cluster().lab.node("n1").bpffs);
    using answered = openPinnedMap(mapPin(pins, "flows"));
    using nascent = openPinnedMap(mapPin(pins, "nascent"));
    return checkFlows(answered, nascent);
  }

  /** How many flows there are to a frontend; those of earlier tests expire meanwhile. */
  function flowsTo(address: string, port: number): number {
    using state = openState(cluster().lab.node("n1").bpffs);
    return [...state.flows()].filter(({ vip, vipPort }) => vip === address && vipPort === port).length;
  }

  test.each(["v4", "v6"] as const)("two CPUs beginning the same flows leave no orphan, %s", async (family) => {
    const { lab } = cluster();
    const race = compileProgram("race", lab.plan.directory);
    const address = serviceAddresses(1).clusterIP[family];
    const said = await lab.exec(lab.pod("p1a"), [race, address, "80", "2000", "2"]);
    expect(said).toMatch(/^sent 8000 received 8000 refused 0$/m);
    expect(flowsTo(address, 80)).toBe(2000);
    expect(flows().violations).toEqual([]);
  });

  test.each(["v4", "v6"] as const)("nor when every flow is masqueraded as well, %s", async (family) => {
    const { lab } = cluster();
    const race = compileProgram("race", lab.plan.directory);
    const address = lab.node("n1").address[family];
    const said = await lab.exec(lab.client, [race, address, "30001", "2000", "2"]);
    expect(said).toMatch(/^sent 8000 received 8000 refused 0$/m);
    expect(flowsTo(address, 30_001)).toBe(2000);
    expect(flows().violations).toEqual([]);
  });

  test("60 000 flows of one client to one backend have a SNAT port each", async () => {
    const { lab } = cluster();
    const flood = compileProgram("flood", lab.plan.directory);
    const argv = [flood, lab.node("n1").address.v4, "30003", "60000", lab.client.address.v4];
    using state = openState(lab.node("n1").bpffs);
    const answered = () => [...state.flows()].filter((flow) => flow.vipPort === 30_003 && flow.answered);
    // again for those whose packet or answer was lost on the way
    await until(
      "every flow has its answer",
      async () => {
        expect(await lab.exec(lab.client, argv)).toBe("sent 60000 failed 0\n");
        return answered().length >= 60_000;
      },
      120_000,
    );
    const busy = answered();
    expect(busy.length).toBe(60_000);
    expect(new Set(busy.map(({ snat }) => snat?.port)).size).toBe(60_000);
    expect(flows().violations).toEqual([]);
  }, 180_000);

  test("400 000 flows that nobody answers leave idle connections alive, and new ones are served", async () => {
    const { lab } = cluster();
    const client = await cluster().wire(lab.client);
    const target = { address: lab.node("n1").address.v4, port: 30_001 };
    const held = await Promise.all(Array.from({ length: 50 }, () => client.hold(target)));
    const flood = compileProgram("flood", lab.plan.directory);
    const silent = serviceAddresses(2).clusterIP.v4;
    expect(await lab.exec(lab.client, [flood, silent, "80", "400000"])).toBe("sent 400000 failed 0\n");
    for (const connection of held) await connection.echo();
    expect(await client.tcp({ ...target, count: 20 })).toMatchObject({ answered: 20, failures: {} });
    for (const connection of held) await connection.close();
  });
});

describe("the flow table of n1, where a look takes long", () => {
  let slow: Disposable | undefined;
  beforeAll(() => {
    slow = useMutant(SLOW_LOOKS, ["tc"]);
  });
  afterAll(() => slow?.[Symbol.dispose]());
  const cluster = useCluster({
    agents: ["n1"],
    prepare: async (lab) => {
      await lab.serve(lab.pod("p1b"));
    },
    services: (lab) => [{ name: "web", number: 1, nodePort: 30_001, endpoints: [{ address: lab.pod("p1b").address }] }],
  });

  test.each(["v4", "v6"] as const)("no answer is lost to a flow that is promoted meanwhile, %s", async (family) => {
    const { lab } = cluster();
    const race = compileProgram("race", lab.plan.directory);
    const said = await lab.exec(lab.client, [race, lab.node("n1").address[family], "30001", "2000", "2"]);
    expect(said).toMatch(/^sent 8000 received 8000 refused 0$/m);
  });
});
