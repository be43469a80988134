// SPDX-License-Identifier: Apache-2.0
// An agent with other flags than the one before it, killed after it has adopted the maps and before its programs are in
// their places: the old programs go on as they were, `status` says so, and the next start comes out right.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { inNetns, run } from "../../src/demo/lab/run.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { readyAgent, spawnAgent } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const FIRST = ["--devices", "eth0", "--cluster-cidr", "10.9.0.0/16,fd00:9::/32", "--mark-bits", "3,4"];
const THEN = ["--devices", "eth0", "--detect-local-mode", "NodeCIDR", "--mark-bits", "5,6"];

describe("an agent that is killed before its programs are attached", () => {
  const lab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });
  let manifests: string;
  let client: TrafficAgent;

  beforeAll(async () => {
    manifests = join(lab().plan.directory, "manifests");
    mkdirSync(manifests);
    const endpoints = [{ address: lab().pod("p1b").address, nodeName: "n1" }];
    writeService(manifests, { name: "web", number: 1, nodePort: 30201, endpoints });
    await lab().serve(lab().pod("p1b"));
    client = await lab().agentIn(lab().client);
    for (const command of ["iptables", "ip6tables"]) await onNode(command, "-P", "FORWARD", "DROP");
  });

  const onNode = (...command: readonly string[]) => run(inNetns(lab().node("n1").netns, command));

  /** New connections from outside, which a FORWARD chain that drops lets through by the mark they carry. */
  async function answered(): Promise<readonly number[]> {
    const { v4, v6 } = lab().node("n1").address;
    const ask = (address: string) => client.tcp({ address, port: 30201, count: 3, timeoutMs: 1000 });
    return (await Promise.all([v4, v6].map(ask))).map((asked) => asked.answered);
  }

  const statusMode = async () => JSON.parse(await portolan(lab().node("n1"), ["status", "-o", "json"])).detectLocalMode;

  test("rows 38 and 42: leaves the node as it was, and the next one does not take its word for another's", async () => {
    const node = lab().node("n1");
    const first = await readyAgent(lab(), node, manifests, { flags: FIRST });
    expect(await answered()).toEqual([3, 3]);
    await first.stop();

    // Its look at IPv6's FORWARD never ends: that at IPv4's is done by then, and the programs come after.
    const directory = join(lab().plan.directory, "commands");
    const marker = join(directory, "waiting");
    mkdirSync(directory);
    const script = [
      "#!/bin/sh",
      `case "$*" in *"-t filter"*) echo $$ >${marker}; exec sleep 60 ;; esac`,
      `PATH=${process.env.PATH}:/usr/sbin`,
      'exec ip6tables-nft "$@"',
    ];
    writeFileSync(join(directory, "ip6tables-nft"), `${script.join("\n")}\n`);
    chmodSync(join(directory, "ip6tables-nft"), 0o755);
    const under = ["env", `PATH=${directory}:${process.env.PATH}`];
    const killed = spawnAgent(lab(), node, manifests, { flags: THEN, under });
    await until("it looks at IPv6's rules", () => existsSync(marker) && readFileSync(marker, "utf8").endsWith("\n"));
    await killed.stop("SIGKILL");
    process.kill(Number(readFileSync(marker, "utf8")), "SIGKILL");
    expect(killed.stderr).toContain(" INFO adopted ");
    expect(killed.stderr).not.toContain(" INFO attached ");
    expect(await answered()).toEqual([3, 3]);
    expect(await statusMode()).toBe("ClusterCIDR");

    const next = await readyAgent(lab(), node, manifests, { flags: THEN });
    expect(next.stderr).toContain("NodeCIDR: local pods are not known, of IPv4 none, of IPv6 none");
    expect(await answered()).toEqual([3, 3]);
    expect(await statusMode()).toBe("NodeCIDR");
    for (const command of ["iptables", "ip6tables"]) {
      const rules = () => onNode(command, "-S", "PORTOLAN-FORWARD");
      await until("only what the new programs mark is accepted", async () => !(await rules()).includes("--mark 0x8/"));
      expect(await rules()).toContain("--mark 0x20/0x20 -j ACCEPT");
    }
    await next.stop();
  });
});
