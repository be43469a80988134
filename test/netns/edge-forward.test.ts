// SPDX-License-Identifier: Apache-2.0
// Clause E5 of the rule of the edge, its last sentence, and row 42 of the behaviour contract: on a node whose FORWARD chain
// drops whatever it does not know, local backends are served, and nothing else is let through.
import { beforeAll, describe, expect, test } from "vitest";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { useCluster } from "../support/cluster.ts";
import { expectedSource, hostOf, PATHS, type Path, pathServices, pathTarget, servePaths } from "../support/paths.ts";
import { until } from "../support/until.ts";

const LOCAL_BACKENDS = ["p1a", "p1b", "b1a", "b1b"];
/** What n1 forwards to a pod of its own; what it forwards to the other node, that one's firewall drops. */
const FORWARDED = PATHS.filter(({ answers }) => LOCAL_BACKENDS.includes(answers));
const COMMANDS = { v4: "iptables", v6: "ip6tables" } as const;
const families = ["v4", "v6"] as const;

/** The bits of --mark-bits 3,4: 0x8 says "translated on the way in". */
const CHAIN = [
  "-N PORTOLAN-FORWARD",
  "-A PORTOLAN-FORWARD -m mark --mark 0x8/0x8 -j ACCEPT",
  "-A PORTOLAN-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
];

describe.each([0, 1] as const)("row 42: a FORWARD chain that drops everything, br_netfilter %i", (brNetfilter) => {
  const cluster = useCluster({
    firewall: "closed",
    brNetfilter,
    services: pathServices,
    agentFlags: ["--mark-bits", "3,4"],
  });
  beforeAll(() => servePaths(cluster().lab));

  describe.each(families)("%s", (family) => {
    test.each(FORWARDED)(
      "$from to $service by $frontend is answered by $answers, who sees the $source",
      async (way) => {
        const { lab } = cluster();
        const client = await wire(way);
        const target = { ...pathTarget(lab, way, family), count: 5 };
        const served = {
          answered: 5,
          failures: {},
          pods: { [way.answers]: 5 },
          sources: { [expectedSource(lab, way, family, "closed")]: 5 },
        };
        expect(await client.tcp(target)).toMatchObject(served);
        expect(await client.udp(target)).toMatchObject(served);
      },
    );

    test("what goes through no Service is dropped as before", async () => {
      const { lab } = cluster();
      const client = await cluster().wire(lab.client);
      const pod = { address: lab.pod("p1b").address[family], port: 8080 };
      expect(await client.tcp({ ...pod, count: 1, timeoutMs: 500 })).toMatchObject({ answered: 0 });
    });

    test("rules that somebody flushed come back, and connections wait for them", async () => {
      const { lab } = cluster();
      const client = await cluster().wire(lab.client);
      const held = await client.hold({ address: lab.node("n1").address[family], port: 30_001 });
      for (const flush of [["-F", "FORWARD"], ["-F"]]) {
        await lab.exec(lab.node("n1"), [COMMANDS[family], ...flush]);
        await held.echo({ timeoutMs: 20_000 });
        await until("the rules are back", async () => (await forwardRules(family))[1] === JUMP);
        expect(await chain(family)).toEqual(CHAIN);
      }
      await held.close();
    });

    test("what a rule of its own drops stays dropped behind a Service, wherever the rule came", async () => {
      const { lab } = cluster();
      const n1 = lab.node("n1");
      const client = await cluster().wire(lab.client);
      const ask = async () => {
        const { answered } = await client.tcp({ address: n1.address[family], port: 30_001, count: 1, timeoutMs: 500 });
        return answered === 1;
      };
      const policy = ["FORWARD", "-s", lab.client.address[family], "-j", "DROP"];
      for (const place of ["-I", "-A"]) {
        expect(await ask()).toBe(true);
        await lab.exec(n1, [COMMANDS[family], place, ...policy]);
        await until("our rules stand behind it", async () => (await forwardRules(family)).at(-1) === JUMP);
        expect(await ask()).toBe(false);
        await lab.exec(n1, [COMMANDS[family], "-D", ...policy]);
      }
    });
  });

  test("cleanup takes our rules away and leaves the others", async () => {
    const { lab } = cluster();
    const others = async () => (await Promise.all(families.map(forwardRules))).flat().filter((rule) => rule !== JUMP);
    const before = await others();
    await cluster().killAgent("n1");
    expect(await portolan(lab.node("n1"), ["cleanup"])).toMatch(
      /^removed \d+ links and \d+ maps and 2 chains of netfilter\n$/,
    );
    for (const family of families) {
      const rules = await lab.exec(lab.node("n1"), [COMMANDS[family], "-S"]);
      expect(rules).not.toContain("PORTOLAN");
      expect(rules).toContain("-P FORWARD DROP");
    }
    expect(await others()).toEqual(before);
  });

  const JUMP = "-A FORWARD -j PORTOLAN-FORWARD";

  async function forwardRules(family: "v4" | "v6"): Promise<readonly string[]> {
    const { lab } = cluster();
    return lines(await lab.exec(lab.node("n1"), [COMMANDS[family], "-S", "FORWARD"]));
  }

  async function chain(family: "v4" | "v6"): Promise<readonly string[]> {
    const { lab } = cluster();
    return lines(await lab.exec(lab.node("n1"), [COMMANDS[family], "-S", "PORTOLAN-FORWARD"]));
  }

  function wire(way: Path): Promise<TrafficAgent> {
    return cluster().wire(hostOf(cluster().lab, way.from));
  }
});

describe("a node whose FORWARD chain drops nothing", () => {
  const cluster = useCluster({});

  test("gets no rules until it begins to", async () => {
    const { lab } = cluster();
    const n1 = lab.node("n1");
    expect(lines(await lab.exec(n1, ["iptables", "-S"]))).toEqual([
      "-P INPUT ACCEPT",
      "-P FORWARD ACCEPT",
      "-P OUTPUT ACCEPT",
    ]);
    await lab.exec(n1, ["iptables", "-P", "FORWARD", "DROP"]);
    await until("the rules are there", async () =>
      (await lab.exec(n1, ["iptables", "-S", "FORWARD"])).includes("-j PORTOLAN-FORWARD"),
    );
  });

  test("with rules of the old kind only, gets them there too", async (context) => {
    const { lab } = cluster();
    const n2 = lab.node("n2");
    try {
      await lab.exec(n2, ["iptables-legacy", "-P", "FORWARD", "DROP"]);
    } catch (error) {
      context.skip(`no iptables of the old kind here: ${error}`);
    }
    await until("the rules are there", async () =>
      (await lab.exec(n2, ["iptables-legacy", "-S", "FORWARD"])).includes("-j PORTOLAN-FORWARD"),
    );
    expect(lines(await lab.exec(n2, ["iptables-nft", "-S", "FORWARD"]))).toEqual(["-P FORWARD ACCEPT"]);
    await cluster().killAgent("n2");
    await portolan(n2, ["cleanup"]);
    expect(await lab.exec(n2, ["iptables-legacy", "-S"])).not.toContain("PORTOLAN");
  });
});

function lines(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "");
}
