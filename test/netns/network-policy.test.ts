// SPDX-License-Identifier: Apache-2.0
// Beside NetworkPolicies as nftables rules on pods' real addresses, in the node's forward hook, INVALID dropped before
// them: what they deny by client, by backend or by port is denied through every frontend of a Service, what they allow is
// served, whether packets or sockets chose the backend.
import { beforeAll, describe, expect, test } from "vitest";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { ManyRequests, TrafficAgent, TrafficResult } from "../../src/demo/lab/traffic.ts";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { sayEverything } from "../support/path-mtu.ts";
import { hostOf } from "../support/paths.ts";

const families = ["v4", "v6"] as const;
type Family = (typeof families)[number];
/** A second address of the client outside, which the policy denies. */
const STRANGER = { v4: "192.168.50.77", v6: "fd00:50::77" } as const;
const SERVICES = {
  routed: { number: 1, pod: "p1b" },
  bridged: { number: 2, pod: "b1b" },
  remote: { number: 3, pod: "p2a" },
};
type Name = keyof typeof SERVICES;
const nodePort = (name: Name) => 30_000 + SERVICES[name].number;

const cluster = useCluster({
  brNetfilter: 1,
  services: (lab) =>
    Object.entries(SERVICES).map(([name, { number, pod }]) => ({
      name,
      number,
      nodePort: 30_000 + number,
      external: true,
      endpoints: [{ address: lab.pod(pod).address, nodeName: lab.pod(pod).nodeName }],
    })),
});

beforeAll(async () => {
  const { lab } = cluster();
  for (const { pod } of Object.values(SERVICES)) await lab.serve(lab.pod(pod), { tcp: [8080, 9090] });
  await lab.ip(lab.client, `addr add ${STRANGER.v4}/24 dev eth0`, `addr add ${STRANGER.v6}/64 dev eth0 nodad`);
  await sayEverything(lab);
  await enforce(lab.node("n1"));
});

/**
 * Ingress of the pods behind Services of n1: from p1a and the client outside, to the containers' port 8080 alone. Egress of p1a: not to
 * p2a, which is refused; of b1a: only there.
 */
function policy(family: Family): string {
  const { lab } = cluster();
  const [ip, address] = [family === "v4" ? "ip" : "ip6", (name: string) => hostOf(lab, name).address[family]];
  const backends = `${address("p1b")}, ${address("b1b")}`;
  return `table ${ip} policies {
  set welcome { type ${family === "v4" ? "ipv4_addr" : "ipv6_addr"}; elements = { ${address("p1a")}, ${address("client")}, ${gatewayOf(family)} }; }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state invalid counter drop
    ct state established,related accept
    ${ip} saddr ${address("p1a")} ${ip} daddr ${address("p2a")} meta l4proto tcp reject with tcp reset
    ${ip} saddr ${address("p1a")} ${ip} daddr ${address("p2a")} reject
    ${ip} saddr ${address("b1a")} ${ip} daddr ${address("p2a")} accept
    ${ip} daddr { ${backends} } jump ingress
  }
  chain ingress {
    meta l4proto { tcp, udp } th dport 8080 ${ip} saddr @welcome accept
    meta l4proto { tcp, udp } counter drop
  }
}
`;
}

/** What bridged pods see of whom the node masquerades. */
function gatewayOf(family: Family): string {
  return cluster().lab.node("n1").bridgeAddress[family].replace(/\/.*/, "");
}

async function enforce(node: NodeHost): Promise<void> {
  await cluster().lab.exec(node, ["nft", "-f", "-"], families.map(policy).join(""));
}

/** By TCP and by UDP at once. */
async function ask(
  client: TrafficAgent,
  requests: ManyRequests & { count: number },
): Promise<readonly TrafficResult[]> {
  return Promise.all([client.tcp(requests), client.udp({ ...requests, connected: true })]);
}

describe.each(families)("%s", (family) => {
  const clusterIP = (name: Name) => ({ address: serviceAddresses(SERVICES[name].number).clusterIP[family], port: 80 });
  const onNode = (name: Name) => ({ address: cluster().lab.node("n1").address[family], port: nodePort(name) });
  const external = (name: Name) => ({
    address: serviceAddresses(SERVICES[name].number).loadBalancer[family],
    port: 80,
  });

  describe.each(["wire", "socket"] as const)("a pod's ClusterIP, by its %s", (path) => {
    const client = (name: string) => cluster()[path](hostOf(cluster().lab, name));

    test.each(["routed", "bridged"] as const)("ingress of the %s pod: whom it allows is served", async (name) => {
      const sources = { [cluster().lab.pod("p1a").address[family]]: 3 };
      const served = { answered: 3, failures: {}, pods: { [SERVICES[name].pod]: 3 }, sources };
      expect(await ask(await client("p1a"), { ...clusterIP(name), count: 3 })).toMatchObject([served, served]);
    });

    test.each(["routed", "bridged"] as const)("ingress of the %s pod: whom it denies meets silence", async (name) => {
      const silence = { answered: 0, failures: { TIMEOUT: 2 } };
      const requests = { ...clusterIP(name), count: 2, concurrency: 2, timeoutMs: 300 };
      expect(await ask(await client("b1a"), requests)).toMatchObject([silence, silence]);
    });

    test("egress: the pod that may reach the backend is served", async () => {
      const served = { answered: 3, failures: {}, pods: { p2a: 3 } };
      expect(await ask(await client("b1a"), { ...clusterIP("remote"), count: 3 })).toMatchObject([served, served]);
    });

    test("egress: the pod that may not is refused, as if by the Service", async () => {
      const refused = { answered: 0, failures: { ECONNREFUSED: 2 } };
      expect(await ask(await client("p1a"), { ...clusterIP("remote"), count: 2 })).toMatchObject([refused, refused]);
    });
  });

  test.each(["routed", "bridged"] as const)(
    "outside, to the %s pod: it judges the client's own address, where the pod sees the node's",
    async (name) => {
      const { lab } = cluster();
      const client = await cluster().wire(lab.client);
      const node = name === "routed" ? lab.node("n1").address[family] : gatewayOf(family);
      const served = { answered: 3, failures: {}, pods: { [SERVICES[name].pod]: 3 }, sources: { [node]: 3 } };
      const silence = { answered: 0, failures: { TIMEOUT: 2 } };
      for (const target of [onNode(name), external(name)]) {
        const own = { ...target, localAddress: lab.client.address[family], count: 3 };
        expect(await ask(client, own)).toMatchObject([served, served]);
        const stranger = { ...target, localAddress: STRANGER[family], count: 2, concurrency: 2, timeoutMs: 300 };
        expect(await ask(client, stranger)).toMatchObject([silence, silence]);
      }
    },
  );

  test("whom a rule that comes later denies: nothing new begins, what is open goes on while the rules let it", async () => {
    const { lab } = cluster();
    const client = await cluster().wire(lab.pod("p1a"));
    const held = await client.hold(clusterIP("routed"));
    const [n1, table] = [lab.node("n1"), family === "v4" ? "ip" : "ip6"];
    const element = ["element", table, "policies", "welcome", `{ ${lab.pod("p1a").address[family]} }`];
    await lab.exec(n1, ["nft", "delete", ...element]);
    const begun = { ...clusterIP("routed"), count: 2, concurrency: 2, timeoutMs: 300 };
    expect((await ask(client, begun)).map(({ answered }) => answered)).toEqual([0, 0]);
    await held.echo({ count: 3 });
    await lab.exec(n1, ["nft", "add", ...element]);
    expect((await ask(client, begun)).map(({ answered }) => answered)).toEqual([2, 2]);
    await held.close();
  });
});
