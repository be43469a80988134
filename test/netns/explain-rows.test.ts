// SPDX-License-Identifier: Apache-2.0
// What `explain` says of rows whose answer depends on who asks: source ranges (44) and session affinity (51).

import { beforeAll, describe, expect, test } from "vitest";
import { openState } from "../../src/datapath/ebpf/state.ts";
import type { DualAddress } from "../../src/demo/lab/plan.ts";
import { inNetns, run } from "../../src/demo/lab/run.ts";
import { portolan, portolanLine } from "../../src/demo/portolan.ts";
import type { Answer } from "../../src/inspect/answer.ts";
import type { AffinityRow, SourceRow } from "../../src/inspect/rows.ts";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses, writeNode } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { until } from "../support/until.ts";

const PODS = ["p1b", "b1b", "p2a"];

const cluster = useCluster({
  services: (lab) => {
    const endpoints = PODS.map((name) => ({ address: lab.pod(name).address, nodeName: lab.pod(name).nodeName }));
    const alone = ({ v4, v6 }: DualAddress) => [`${v4}/32`, `${v6}/128`];
    const inside = [...alone(lab.pod("p1a").address), ...alone(lab.node("n1").address)];
    const external = { external: true, endpoints };
    return [
      { name: "office", number: 1, ...external, sourceRanges: alone(lab.client.address) },
      { name: "inside", number: 2, ...external, sourceRanges: inside },
      { name: "sticky", number: 3, nodePort: 30_203, endpoints, affinitySeconds: 10_800 },
    ];
  },
});

beforeAll(async () => {
  const { lab, manifests } = cluster();
  writeNode(manifests, "n1", {}, [], lab.node("n1").address);
  await Promise.all(PODS.map((name) => lab.serve(lab.pod(name))));
  await until("n1 knows its own addresses", async () => {
    const rows = await listed<SourceRow>(["sources", "--service", "inside"]);
    return rows.some(({ range, verdict }) => range === null && verdict === "admit");
  });
});

async function listed<Row>(command: readonly string[]): Promise<readonly Row[]> {
  return JSON.parse(await portolan(cluster().lab.node("n1"), [...command, "-o", "json"]));
}

/** All questions in one process: each of them loads the programs. */
async function explain(
  vip: string,
  sources: readonly string[],
  ...flags: readonly string[]
): Promise<readonly Answer[]> {
  const lines = sources.map((src) => JSON.stringify({ src, dst: vip, dport: 80, proto: "TCP" }));
  const node = cluster().lab.node("n1");
  const output = await run(inNetns(node.netns, portolanLine(node, ["explain", "--batch", ...flags])), lines.join("\n"));
  return output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe.each(["v4", "v6"] as const)("%s", (family) => {
  test("row 44: explain names the range that decides, for sockets and for packets", async () => {
    const { lab } = cluster();
    const [p1a, p1b] = [lab.pod("p1a").address[family], lab.pod("p1b").address[family]];
    const node = lab.node("n1").address[family];
    const vip = serviceAddresses(2).loadBalancer[family];
    const [fromPod, fromNode] = await explain(vip, [p1a, node]);
    expect(fromPod).toMatchObject({
      verdict: "dnat",
      reason: expect.stringContaining(`source range ${p1a}/${family === "v4" ? 32 : 128} admits the client`),
    });
    expect(fromNode).toMatchObject({ verdict: "dnat", masquerade: true });
    expect(await explain(vip, [p1b], "--socket")).toMatchObject([
      {
        verdict: "drop",
        reason: expect.stringMatching(/leaves source ranges to its packets.*no source range holds the client/),
      },
    ]);
    expect(await explain(serviceAddresses(1).loadBalancer[family], [node])).toMatchObject([{ verdict: "drop" }]);
  });

  test("row 51: explain says whose endpoint it is, and leaves no trace; affinity lists it", async () => {
    const { lab } = cluster();
    const node = lab.node("n1");
    const traces = () => {
      using state = openState(node.bpffs);
      return { memories: state.affinity(), services: state.services() };
    };
    const vip = serviceAddresses(3).clusterIP[family];
    const stranger = family === "v4" ? "192.0.2.77" : "2001:db8::77";
    const endpointOf = async (name: string, by: "wire" | "socket"): Promise<string> => {
      const client = await cluster()[by](hostOf(lab, name));
      const { pods } = await client.tcp({ address: vip, port: 80, count: 2 });
      const [chosen = "", ...others] = Object.keys(pods);
      expect(others).toEqual([]);
      const backend = lab.pod(chosen).address[family];
      return family === "v4" ? `${backend}:8080` : `[${backend}]:8080`;
    };
    const outside = await endpointOf("client", "wire");
    const pod = await endpointOf("p1a", "socket");
    expect(await endpointOf("p1a", "wire")).toBe(pod);
    const host = await endpointOf("n1", "socket");

    const before = traces();
    const [client, p1a, n1] = ["client", "p1a", "n1"].map((name) => hostOf(lab, name).address[family]);
    const known = { verdict: "dnat", reason: expect.stringContaining("the one this client has by session affinity") };
    expect(await explain(vip, [client ?? "", p1a ?? "", n1 ?? "", stranger])).toMatchObject([
      { ...known, chosen: outside },
      { ...known, chosen: pod },
      { ...known, chosen: host },
      { verdict: "dnat", reason: expect.stringContaining("to be kept by session affinity for 10800 s") },
    ]);
    expect(await explain(vip, [p1a ?? ""], "--socket")).toMatchObject([{ ...known, chosen: pod }]);
    const kept = (await listed<AffinityRow>(["affinity"]))
      .filter(({ service, endpoint }) => service === "test/sticky:tcp" && endpoint.includes("[") === (family === "v6"))
      .map(({ client: whose, endpoint }) => [whose, endpoint]);
    expect(new Map(kept as [string, string][])).toEqual(
      new Map([
        [client, outside],
        [p1a, pod],
        ["host", host],
      ]),
    );
    expect(traces()).toEqual(before);
  });
});
