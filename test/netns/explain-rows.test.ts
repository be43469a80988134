// SPDX-License-Identifier: Apache-2.0
// What `explain` says of rows whose answer depends on who asks: source ranges (44) and session affinity (51).

import { beforeAll, describe, expect, test } from "vitest";
import { openState } from "../../src/datapath/ebpf/state.ts";
import type { DualAddress } from "../../src/demo/lab/plan.ts";
import { portolan } from "../../src/demo/portolan.ts";
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

async function explain(source: string, vip: string, ...flags: readonly string[]): Promise<Answer> {
  const target = vip.includes(":") ? `[${vip}]:80/TCP` : `${vip}:80/TCP`;
  return JSON.parse(await portolan(cluster().lab.node("n1"), ["explain", source, target, "-o", "json", ...flags]));
}

describe.each(["v4", "v6"] as const)("%s", (family) => {
  test("row 44: explain names the range that decides, for sockets and for packets", async () => {
    const { lab } = cluster();
    const [p1a, p1b] = [lab.pod("p1a").address[family], lab.pod("p1b").address[family]];
    const vip = serviceAddresses(2).loadBalancer[family];
    const width = family === "v4" ? 32 : 128;
    expect(await explain(p1a, vip)).toMatchObject({
      verdict: "dnat",
      reason: expect.stringContaining(`source range ${p1a}/${width} admits the client`),
    });
    expect(await explain(p1b, vip, "--socket")).toMatchObject({
      verdict: "drop",
      reason: expect.stringMatching(/leaves source ranges to its packets.*no source range holds the client/),
    });
    expect(await explain(lab.node("n1").address[family], vip)).toMatchObject({ verdict: "dnat", masquerade: true });
    const office = serviceAddresses(1).loadBalancer[family];
    expect(await explain(lab.node("n1").address[family], office)).toMatchObject({ verdict: "drop" });
  });

  test("row 51: explain says whose endpoint it is, and leaves no trace; affinity lists it", async () => {
    const { lab } = cluster();
    const node = lab.node("n1");
    const traces = () => {
      using state = openState(node.bpffs);
      return { memories: state.affinity(), services: state.services() };
    };
    const askers = [
      { name: "client", by: "wire", listed: lab.client.address[family], flags: [] },
      { name: "p1a", by: "socket", listed: lab.pod("p1a").address[family], flags: ["--socket"] },
      { name: "p1a", by: "wire", listed: lab.pod("p1a").address[family], flags: [] },
      { name: "n1", by: "socket", listed: "host", flags: [] },
    ] as const;
    const vip = serviceAddresses(3).clusterIP[family];
    for (const asker of askers) {
      const host = hostOf(lab, asker.name);
      const client = await cluster()[asker.by](host);
      const { pods } = await client.tcp({ address: vip, port: 80, count: 2 });
      const [chosen = "", ...others] = Object.keys(pods);
      expect(others).toEqual([]);
      const backend = lab.pod(chosen).address[family];
      const shown = family === "v4" ? `${backend}:8080` : `[${backend}]:8080`;
      const before = traces();
      const said = await explain(host.address[family], vip, ...asker.flags);
      expect(said).toMatchObject({ verdict: "dnat", chosen: shown });
      expect(said.reason).toContain("of 3 endpoints the one this client has by session affinity");
      expect(traces()).toEqual(before);
      const rows = (await listed<AffinityRow>(["affinity"])).filter(
        ({ client: whose, service, endpoint }) =>
          whose === asker.listed && service === "test/sticky:tcp" && endpoint.includes("[") === (family === "v6"),
      );
      expect(rows).toMatchObject([{ endpoint: shown, protocol: "TCP" }]);
    }
    const before = traces();
    const stranger = await explain(family === "v4" ? "192.0.2.77" : "2001:db8::77", vip);
    expect(stranger.reason).toContain("to be kept by session affinity for 10800 s");
    expect(traces()).toEqual(before);
  });
});
