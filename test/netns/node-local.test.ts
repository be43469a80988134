// SPDX-License-Identifier: Apache-2.0
// A ClusterIP that is an address of an interface of the node, with a real listener, as NodeLocal DNSCache has it: ports
// that a socket of the node listens on are that socket's, the others stay the Service's (issue: VIPs on interfaces).
import { beforeAll, describe, expect, test } from "vitest";
import { openState } from "../../src/datapath/ebpf/state.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { useCluster } from "../support/cluster.ts";
import { DNS, dnsServices, METRICS } from "../support/dns-services.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { until } from "../support/until.ts";

const families = ["v4", "v6"] as const;
const vip = serviceAddresses(10).clusterIP;
const linkLocal = { v4: "169.254.20.10", v6: "fd00:169:254::10" };
const HEALTH = 8080;

const cluster = useCluster({
  firewall: "realistic",
  services: (lab) => dnsServices({ address: lab.pod("p2a").address, nodeName: "n2" }),
});

const ASKERS = [
  ["p1a", "wire"],
  ["b1a", "wire"],
  ["p1a", "socket"],
  ["n1", "socket"],
] as const;

/** Who answers each asker's new connections, datagrams, and connected datagrams; a failure counts as an answer. */
async function answers(address: string, port: number): Promise<readonly string[]> {
  const told = ASKERS.map(async ([name, by]) => {
    const client = await cluster()[by](hostOf(cluster().lab, name));
    const asked = { address, port, count: 3, timeoutMs: 2000 };
    const results = [await client.tcp(asked), await client.udp(asked), await client.udp({ ...asked, connected: true })];
    return results.flatMap(({ pods, failures }) => [...Object.keys(pods), ...Object.keys(failures)]);
  });
  return [...new Set((await Promise.all(told)).flat())];
}

/** From the same port of a pod each time, as a resolver that keeps its socket. */
async function datagram(address: string): Promise<object> {
  const client = await cluster().wire(cluster().lab.pod("p1a"));
  const { pods, failures } = await client.udp({ address, port: DNS, localPort: 20_053, count: 1, timeoutMs: 2000 });
  return { ...pods, ...failures };
}

function isNodes(address: string): boolean {
  using state = openState(cluster().lab.node("n1").bpffs);
  return state.nodeAddresses().some((known) => known.address === address);
}

function drops(): number {
  using state = openState(cluster().lab.node("n1").bpffs);
  return state.drops().reduce((sum, { count }) => sum + Number(count), 0);
}

beforeAll(() => cluster().lab.serve(cluster().lab.pod("p2a")));

describe.each(families)("a ClusterIP on an interface of the node over %s", (family) => {
  const address = `${vip[family]}/${family === "v4" ? 32 : 128}`;
  const local = `${linkLocal[family]}/${family === "v4" ? 32 : 128}`;
  const flag = family === "v6" ? " nodad" : "";

  test("row 46: a socket that listens there has its ports, whoever asks; the Service has the others, and all once it ends", async () => {
    const { lab } = cluster();
    const node = lab.node("n1");
    expect(await answers(vip[family], DNS)).toEqual(["p2a"]);
    await lab.ip(node, `addr add ${local} dev lo${flag}`, `addr add ${address} dev lo${flag}`);
    await until("the address is the node's", () => isNodes(vip[family]));
    // What listens on every address is meant for those that are the node's own.
    const anywhere = await lab.serve(node, { tcp: [DNS], udp: [DNS], name: "anywhere" });
    expect(await answers(vip[family], DNS)).toEqual(["p2a"]);
    await anywhere.stop();
    const listener = { tcp: [DNS, HEALTH], udp: [DNS, HEALTH] };
    const cache = await lab.serve(node, { ...listener, address: vip[family], name: "cache" });
    const own = await lab.serve(node, { ...listener, address: linkLocal[family], name: "cache" });
    await until("the cache answers", async () => (await answers(vip[family], DNS)).join() === "cache");
    const before = drops();
    expect(await answers(linkLocal[family], DNS)).toEqual(["cache"]);
    expect(await answers(vip[family], HEALTH)).toEqual(["cache"]); // of no Service
    expect(await answers(vip[family], METRICS)).toEqual(["p2a"]); // nobody listens there
    expect(await datagram(vip[family])).toEqual({ cache: 1 });
    expect(drops()).toBe(before);

    const pod = lab.pod("p1a").address[family];
    const target = family === "v4" ? `${vip.v4}:${DNS}` : `[${vip.v6}]:${DNS}`;
    const explain = async (source: string, ...more: readonly string[]) =>
      JSON.parse(await portolan(node, ["explain", source, `${target}/UDP`, "-o", "json", ...more]));
    const left = { verdict: "pass", reason: expect.stringContaining("left to the socket that listens there") };
    expect(await explain(pod, "--socket")).toMatchObject(left);
    expect(await explain(node.address[family])).toMatchObject(left);

    await Promise.all([cache.stop(), own.stop()]);
    expect(await datagram(vip[family])).toEqual({ p2a: 1 });
    expect(await answers(vip[family], DNS)).toEqual(["p2a"]);
    await lab.ip(node, `addr del ${local} dev lo`, `addr del ${address} dev lo`);
    await until("the address is gone", () => !isNodes(vip[family]));
    expect(await answers(vip[family], DNS)).toEqual(["p2a"]);
  });
});
