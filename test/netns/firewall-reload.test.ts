// SPDX-License-Identifier: Apache-2.0
// Firewalls that are reloaded while Services are used: firewalld's table replaced in one transaction, iptables' tables
// written anew whole, with our rules gone from FORWARD, and the node's whole ruleset flushed and built again. Open connections go on,
// new ones are answered, though some wait until our rules are back.
import { beforeAll, expect, test } from "vitest";
import { setFirewall } from "../../src/demo/lab/topology.ts";
import type { HeldConnection, RunningTraffic, Target, TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const NODE_PORT = 30_041;
const WEB = 41;
/** What waits for our rules sends its SYN again after 1, 3, 7 s. */
const PATIENT_MS = 20_000;
/** Requests at once of each client. */
const ASKING = 4;
const families = ["v4", "v6"] as const;

/** As `firewall-cmd --reload` sends it: forwarding is refused but for what is open and what a policy lets through to pods. */
/** A policy to pods, and their addresses in the zone trusted. */
const PODS = ["daddr", "saddr"].flatMap((end) => [`ip ${end} 10.9.0.0/16 accept`, `ip6 ${end} fd00:9::/32 accept`]);
const firewalld = (policies: readonly string[]) => `table inet firewalld
delete table inet firewalld
table inet firewalld {
  chain mangle_PREROUTING {
    type filter hook prerouting priority mangle + 10; policy accept;
    icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
    meta nfproto ipv6 fib saddr . mark . iif oif missing drop
  }
  chain filter_FORWARD {
    type filter hook forward priority filter + 10; policy accept;
    ct state { established, related } accept
    ct status dnat accept
    ct state invalid drop
    ${policies.join("\n    ")}
    reject with icmpx admin-prohibited
  }
  chain filter_OUTPUT {
    type filter hook output priority filter + 10; policy accept;
    ct state { established, related } accept
  }
}
`;

const cluster = useCluster({
  nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }],
  firewall: "closed",
  services: (lab) => [
    { name: "web", number: WEB, nodePort: NODE_PORT, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] },
  ],
});

beforeAll(async () => {
  await cluster().lab.serve(cluster().lab.pod("p1b"));
  await reloadFirewalld();
  await ruled();
});

function nft(...argv: readonly string[]): Promise<string> {
  return cluster().lab.exec(cluster().lab.node("n1"), ["nft", ...argv]);
}

async function reloadFirewalld(policies: readonly string[] = PODS): Promise<void> {
  await cluster().lab.exec(cluster().lab.node("n1"), ["nft", "-f", "-"], firewalld(policies));
}

async function ruled(): Promise<void> {
  const { lab } = cluster();
  for (const command of ["iptables", "ip6tables"]) {
    await until("our rules are there", async () =>
      (await lab.exec(lab.node("n1"), [command, "-S", "FORWARD"])).includes("-j PORTOLAN-FORWARD"),
    );
  }
}

interface Users {
  readonly held: readonly HeldConnection[];
  readonly tcp: readonly RunningTraffic[];
  readonly udp: readonly RunningTraffic[];
}

/** A client outside by the NodePort, a pod by the ClusterIP, over both families. */
async function askers(): Promise<readonly (readonly [TrafficAgent, Target])[]> {
  const { lab } = cluster();
  const [outside, inside] = [await cluster().wire(lab.client), await cluster().wire(lab.pod("p1a"))];
  return families.flatMap((family) => [
    [outside, { address: lab.node("n1").address[family], port: NODE_PORT }] as const,
    [inside, { address: serviceAddresses(WEB).clusterIP[family], port: 80 }] as const,
  ]);
}

async function openConnections(): Promise<readonly HeldConnection[]> {
  return Promise.all((await askers()).map(([client, target]) => client.hold(target)));
}

/** Those that are open go on, and new ones come. */
async function expectAnswers(open: readonly HeldConnection[]): Promise<void> {
  for (const connection of open) await connection.echo({ count: 2 });
  for (const [client, target] of await askers()) {
    expect(await client.tcp({ ...target, count: 5 })).toMatchObject({ answered: 5, failures: {} });
    expect(await client.udp({ ...target, count: 5 })).toMatchObject({ answered: 5, failures: {} });
  }
}

/** They hold connections open, and make new ones all the time. */
async function useServices(held: readonly HeldConnection[]): Promise<Users> {
  const endless = { concurrency: ASKING, gapMs: 20, timeoutMs: PATIENT_MS };
  const users = await askers();
  return {
    held,
    tcp: users.map(([client, target]) => client.startTcp({ ...target, ...endless })),
    udp: users.map(([client, target]) => client.startUdp({ ...target, ...endless, timeoutMs: 2000 })),
  };
}

/** All stop; nobody of those who asked was without an answer, and all asked again. */
async function expectServed({ held, tcp, udp }: Users, datagramsToo: boolean): Promise<void> {
  for (const connection of held) {
    await connection.echo({ count: 2, timeoutMs: PATIENT_MS });
    await connection.close();
  }
  const streams = await Promise.all(tcp.map((traffic) => traffic.stop()));
  const datagrams = await Promise.all(udp.map((traffic) => traffic.stop()));
  for (const { failures, answered } of datagramsToo ? [...streams, ...datagrams] : streams) {
    expect(failures).toEqual({});
    expect(answered).toBeGreaterThanOrEqual(ASKING);
  }
}

test("firewalld's table, replaced ten times: nothing is lost, no datagram either", async () => {
  const users = await useServices(await openConnections());
  for (let n = 0; n < 10; n++) {
    await reloadFirewalld();
    for (const connection of users.held) await connection.echo();
  }
  await expectServed(users, true);
});

test("iptables' tables, written anew without our rules: connections wait for these", async () => {
  const { lab } = cluster();
  const users = await useServices(await openConnections());
  await setFirewall(lab.node("n1"), "closed");
  expect(await lab.exec(lab.node("n1"), ["iptables-save"])).not.toContain("PORTOLAN");
  await ruled();
  await expectServed(users, false);
});

/**
 * What is open, with the client's word next, and what begins: a connection whose backend speaks first to a conntrack that has forgotten
 * it is a pod's own to netfilter, which drops or masquerades it as such (docs/coexistence.md).
 */
test("nft flush ruleset, then all of it again: open connections go on, new ones are answered without rules and with them", async () => {
  const idle = await openConnections();
  await nft("flush", "ruleset");
  await expectAnswers(idle);
  await setFirewall(cluster().lab.node("n1"), "closed");
  await reloadFirewalld();
  const users = await useServices(idle);
  await ruled();
  await expectServed(users, false);
});

test("conntrack's table flushed, as by firewalld's complete reload: open connections go on, new ones are answered", async () => {
  const idle = await openConnections();
  for (let n = 0; n < 3; n++) {
    await cluster().lab.exec(cluster().lab.node("n1"), ["conntrack", "-F"]);
    await expectAnswers(idle);
  }
  for (const connection of idle) await connection.close();
});

test("a firewalld without a policy that lets pods be reached refuses Services to clients outside: its table hears nobody else", async () => {
  const { lab } = cluster();
  const client = await cluster().wire(lab.client);
  const ask = () => client.tcp({ address: lab.node("n1").address.v4, port: NODE_PORT, count: 1 });
  await reloadFirewalld([]);
  expect(await ask()).toMatchObject({ answered: 0, failures: { EHOSTUNREACH: 1 } });
  await reloadFirewalld();
  expect(await ask()).toMatchObject({ answered: 1 });
});
