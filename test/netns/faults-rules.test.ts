// SPDX-License-Identifier: Apache-2.0
// `diff` and `doctor` where rules serve: nothing on a node that is as it should be; chains that somebody emptied by hand are named,
// and so are Services that the source has otherwise, bridges that netfilter does not see, the mode, and an agent that is gone.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { inNetns, run } from "../../src/demo/lab/run.ts";
import { portolan, portolanLine } from "../../src/demo/portolan.ts";
import type { Finding } from "../../src/inspect/doctor-types.ts";
import type { DifferenceRow } from "../../src/inspect/rows.ts";
import { readyAgent } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { serviceAddresses, writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const SYSCTLS = ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"];

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a"], bridgedPods: ["b1a"] }], brNetfilter: 0 });
const node = () => getLab().node("n1");
const onNode = (...command: readonly string[]) => getLab().exec(node(), command);
let manifests: string;
let others: string;

/** Of a command with -o json; that something is found is no failure. */
async function told<Row>(
  ...command: readonly string[]
): Promise<{ readonly rows: readonly Row[]; readonly status: number }> {
  const line = portolanLine(node(), [...command, "-o", "json"]);
  const said = await run(inNetns(node().netns, ["sh", "-c", '"$@"; echo "exit $?"', "sh", ...line]));
  const [, json = "", status = ""] = /^(.*)exit (\d+)\n$/s.exec(said) ?? [];
  return { rows: JSON.parse(json || "null"), status: Number(status) };
}
const diff = (...flags: readonly string[]) => told<DifferenceRow>("diff", ...flags);
const doctor = () => told<Finding>("doctor");

function write(directory: string, number: number): void {
  const endpoints = [{ address: getLab().pod("b1a").address, nodeName: "n1" }];
  writeService(directory, { name: "web", number, external: true, nodePort: 30_010, affinitySeconds: 60, endpoints });
}

beforeAll(() => {
  manifests = join(getLab().plan.directory, "manifests");
  others = join(getLab().plan.directory, "others");
  for (const directory of [manifests, others]) mkdirSync(directory);
  write(manifests, 10);
  write(others, 11);
});

/** Empties a chain of the Service, which the agent does not notice; returns how it is called. */
const EMPTY = {
  nftables: async () => {
    const listed = await onNode("nft", "list", "map", "inet", "portolan", "frontends4");
    const [, chain = ""] = /10\.96\.0\.10 \. (?:tcp|6) \. 80 : (?:goto|jump) (\S+?)[,\s]/.exec(listed) ?? [];
    await onNode("nft", "flush", "chain", "inet", "portolan", chain);
    return `inet portolan chain ${chain}`;
  },
  iptables: async () => {
    const [chain = ""] = /KUBE-SVC-\w+/.exec(await onNode("iptables-nft", "-t", "nat", "-S", "KUBE-SERVICES")) ?? [];
    await onNode("iptables-nft", "-t", "nat", "-F", chain);
    return `iptables -t nat ${chain}`;
  },
};
const FLUSH = {
  nftables: () => onNode("nft", "flush", "ruleset"),
  iptables: () => onNode("iptables-nft", "-t", "nat", "-F"),
};

describe.each(["nftables", "iptables"] as const)("mode %s", (mode) => {
  let agent: LabProcess;
  beforeAll(async () => {
    agent = await readyAgent(getLab(), node(), manifests, { flags: ["--devices", "eth0", "--mode", mode] });
  });
  afterAll(async () => {
    await agent.stop();
    await portolan(node(), ["cleanup"]);
  });

  test("nothing differs, and the doctor warns of the mode and of bridges that netfilter does not see", async () => {
    expect(await diff()).toEqual({ rows: [], status: 0 });
    const { rows, status } = await doctor();
    expect(status).toBe(0);
    const bridges = rows.filter(({ check }) => check === "bridges").map(({ do: advice }) => advice);
    expect(bridges).toEqual(SYSCTLS.map((name) => `sysctl -w net.bridge.${name}=1`));
    expect(rows.filter(({ check }) => check !== "bridges")).toEqual([
      {
        check: "mode",
        severity: "warning",
        what: `this node is served in mode ${mode}, not ebpf: --mode ${mode}`,
        do: "if that is meant, nothing; else start the agent without it",
      },
    ]);
    await getLab().sysctl(node(), ...SYSCTLS.map((name) => `net.bridge.${name}=1`));
    expect((await doctor()).rows.map(({ check }) => check)).toEqual(["mode"]);
    await getLab().sysctl(node(), ...SYSCTLS.map((name) => `net.bridge.${name}=0`));
  });

  test("what the source has otherwise is named", async () => {
    const { rows, status } = await diff("--manifests", others, "--address", `${serviceAddresses(11).clusterIP.v4}:80`);
    expect(status).toBe(1);
    const row = { service: "test/web:tcp", family: "IPv4", what: "frontend", wanted: "ClusterIP", found: null };
    expect(rows).toContainEqual(expect.objectContaining(row));
  });

  test("a chain that somebody emptied is named by both, until all is written anew", async () => {
    const chain = await EMPTY[mode]();
    expect(await diff()).toEqual({
      rows: [
        {
          service: null,
          protocol: "",
          family: null,
          what: "rule",
          name: chain,
          wanted: "as written",
          found: "otherwise",
        },
      ],
      status: 1,
    });
    const { rows, status } = await doctor();
    expect(status).toBe(1);
    expect(rows.find(({ check }) => check === "rules")?.what).toBe(`rules are not as the agent wrote them: ${chain}`);
    await FLUSH[mode]();
    await until("the rules are whole again", async () => (await diff()).status === 0, 20_000, 500);
  });

  test("without its agent diff says what to do, and the doctor that nothing counts any more", async () => {
    await agent.stop();
    await expect(portolan(node(), ["diff"])).rejects.toThrow(/exit 3\n.*: start the agent/s);
    const { rows } = await doctor();
    expect(rows.find(({ check }) => check === "agent")?.what).toMatch(
      / does not answer: what its rules knew is served/,
    );
  });
});
