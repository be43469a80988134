// SPDX-License-Identifier: Apache-2.0
// Packets to addresses of Services that nothing serves here, with real sockets and ping (behaviour row 46): what is
// refused, what meets silence, and what is another's and must pass.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { inNetns, run } from "../../src/demo/lab/run.ts";
import { portolanLine } from "../../src/demo/portolan.ts";
import { type Asker, askAll, clientOf, dropsOf, each } from "../support/askers.ts";
import { useCluster } from "../support/cluster.ts";
import { compileProgram } from "../support/compile.ts";
import { type ServiceSpec, serviceAddresses, writeService, writeServiceCidr } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const families = ["v4", "v6"] as const;
const served = serviceAddresses(1);
const foreign = serviceAddresses(20).clusterIP;
const nobodys = serviceAddresses(200).clusterIP;
const routedHere = {
  v4: { range: "10.96.77.0/24", address: "10.96.77.7" },
  v6: { range: "fd00:10:96::7700/120", address: "fd00:10:96::7707" },
};
const network = { v4: ["10.96.50.7", "10.96.51.7"], v6: ["fd00:10:96::5007", "fd00:10:96::5107"] } as const;
const others: ServiceSpec = {
  name: "others",
  number: 20,
  labels: { "service.kubernetes.io/service-proxy-name": "another" },
  endpoints: [],
};

const cluster = useCluster({
  firewall: "realistic",
  agentFlags: ["--service-cidr", "fd00:10:96::/64"],
  services: (lab) => [
    { name: "web", number: 1, external: true, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] },
    others,
  ],
});

const ASKERS: readonly Asker[] = [
  ["p1a", "wire"],
  ["b1a", "wire"],
  ["client", "wire"],
  ["p1a", "socket"],
  ["n1", "socket"],
];
const ON_NODE = ASKERS.filter(([name]) => name !== "client");
const n1 = () => cluster().lab.node("n1");
const ask = (askers: readonly Asker[], what: Parameters<typeof askAll>[2]) => askAll(cluster(), askers, what);
const drops = (reason: string) => dropsOf(n1(), reason);

beforeAll(async () => {
  const { lab, manifests } = cluster();
  await Promise.all(["p1b", "p2a"].map((name) => lab.serve(lab.pod(name))));
  for (const [command, family] of [["iptables", "v4"] as const, ["ip6tables", "v6"] as const]) {
    await lab.exec(n1(), [command, "-I", "FORWARD", "-s", lab.client.address[family], "-j", "ACCEPT"]);
  }
  writeServiceCidr(manifests, "kubernetes", ["10.96.0.0/16"]);
  const probe = { address: nobodys.v4, port: 80, count: 1, timeoutMs: 200 };
  const client = await clientOf(cluster(), ["p1a", "wire"]);
  await until("the range of the ServiceCIDR counts", async () => {
    await client.tcp(probe);
    return drops("unallocated") > 0;
  });
});

describe.each(families)("what nothing serves over %s", (family) => {
  test("row 46: an unused port of a ClusterIP is refused, by ICMP or in connect(), and counted", async () => {
    const unused = { address: served.clusterIP[family], port: 81, count: 2, timeoutMs: 4000 };
    const before = drops("unused_port");
    expect(await ask(ASKERS, (client) => client.tcp(unused))).toEqual(each(ASKERS, { ECONNREFUSED: 2 }));
    expect(drops("unused_port") - before).toBeGreaterThanOrEqual(2 * ASKERS.length);
    const viaWire = ASKERS.filter(([name]) => name !== "n1"); // connected datagrams of the node pass no hook
    const datagrams = { ...unused, connected: true };
    expect(await ask(viaWire, (client) => client.udp(datagrams))).toEqual(each(viaWire, { ECONNREFUSED: 2 }));
    expect(await ask(ASKERS, (client) => client.tcp({ ...unused, port: 80 }))).toEqual(each(ASKERS, { p1b: 2 }));
  });

  test("row 46: silence at an address of the range that no Service has, TCP and UDP", async () => {
    const asked = { address: nobodys[family], port: 80, count: 1, timeoutMs: 400 };
    const before = drops("unallocated");
    expect(await ask(ASKERS, (client) => client.tcp(asked))).toEqual(each(ASKERS, { TIMEOUT: 1 }));
    const between = drops("unallocated");
    expect(between - before).toBeGreaterThanOrEqual(ASKERS.length);
    expect(await ask(ASKERS, (client) => client.udp(asked))).toEqual(each(ASKERS, { TIMEOUT: 1 }));
    expect(drops("unallocated") - between).toBe(ASKERS.length);
  });

  test("row 46: ping of a ClusterIP says that it is no host", async () => {
    const { lab } = cluster();
    const ping = (address: string) => lab.exec(lab.pod("p1a"), ["sh", "-c", `ping -n -c 1 -W 1 ${address} || true`]);
    const unreachable = family === "v4" ? "Destination Port Unreachable" : "Destination unreachable: Port unreachable";
    expect(await ping(served.clusterIP[family])).toContain(
      `From ${served.clusterIP[family]} icmp_seq=1 ${unreachable}`,
    );
    expect(await ping(nobodys[family])).toContain("1 packets transmitted, 0 received");
  });

  test("a datagram that says it is longer than its packet goes to no VIP, and is counted", async () => {
    const { lab } = cluster();
    const raw = compileProgram("raw", lab.plan.directory);
    // from port 50000 to the Service's, without a checksum
    const send = (length: string) =>
      lab.exec(lab.pod("p1a"), [raw, served.clusterIP[family], "17", `c3500035${length}00006869`]);
    const before = drops("malformed");
    await send("000b");
    expect(drops("malformed") - before).toBe(1);
    await send("000a");
    expect(drops("malformed") - before).toBe(1);
  });

  test("row 46: explain says why, of the wire, of a pod's socket and of the node", async () => {
    const src = cluster().lab.pod("p1a").address[family];
    const wire = [served.clusterIP, nobodys, served.externalIP, foreign].map((dst) => ({
      src,
      dst: dst[family],
      dport: 81,
    }));
    const questions = [...wire, { ...wire[0], src: n1().address[family] }];
    const explain = async (...flags: readonly string[]) => {
      const line = portolanLine(n1(), ["explain", "--batch", ...flags]);
      const said = await run(
        inNetns(n1().netns, line),
        questions.map((question) => JSON.stringify(question)).join("\n"),
      );
      return said
        .trim()
        .split("\n")
        .map((answer) => JSON.parse(answer));
    };
    const unused = { verdict: "reject", service: null, reason: expect.stringContaining("not this port or protocol") };
    const answers = [unused, { verdict: "drop", service: null }, { verdict: "pass" }, { verdict: "pass" }, unused];
    const [onWire, bySocket] = await Promise.all([explain(), explain("--socket")]);
    expect(onWire).toMatchObject(answers);
    expect(bySocket).toMatchObject(answers);
    expect(bySocket[0].reason).toContain("which leaves this to its packets");
  });
});

describe.each(families)("what is not ours to refuse over %s", (family) => {
  const nft = (rules: string, host: { readonly netns: string } = n1()) =>
    run(inNetns(host.netns, ["nft", "-f", "-"]), rules);
  const ip = family === "v4" ? "ip" : "ip6";
  const to = (pod: string) => cluster().lab.pod(pod).address[family];
  const end = (address: string, port: number) => (family === "v4" ? `${address}:${port}` : `[${address}]:${port}`);
  const translate = (hook: string, address: string, port: number, pod: string) =>
    `table ${ip} another { chain ${hook} { type nat hook ${hook} priority -110;
      ${ip} daddr ${address} tcp dport ${port} dnat to ${end(to(pod), 8080)}
    }
    }\n`;

  test("row 46: the Service of another proxy is reached on every port, and taken over when its label goes", async () => {
    await nft(
      [81, 82]
        .flatMap((port) => ["prerouting", "output"].map((hook) => translate(hook, foreign[family], port, "p2a")))
        .join(""),
    );
    const asked = { address: foreign[family], count: 2, timeoutMs: 2000 };
    for (const port of [81, 82]) {
      expect(await ask(ON_NODE, (client) => client.tcp({ ...asked, port }))).toEqual(each(ON_NODE, { p2a: 2 }));
    }
    await cluster().write({ ...others, labels: {}, endpoints: [{ address: cluster().lab.pod("p1b").address }] });
    expect(await ask(ON_NODE, (client) => client.tcp({ ...asked, port: 80 }))).toEqual(each(ON_NODE, { p1b: 2 }));
    const socket: readonly Asker[] = [["n1", "socket"]];
    expect(await ask(socket, (client) => client.tcp({ ...asked, port: 81 }))).toEqual(
      each(socket, { ECONNREFUSED: 2 }),
    );
    writeService(cluster().manifests, others);
    const again = () => ask(ON_NODE, (client) => client.tcp({ ...asked, port: 81 }));
    await until("it is the other proxy's again", async () =>
      isDeepStrictEqual(await again(), each(ON_NODE, { p2a: 2 })),
    );
    await nft(`delete table ${ip} another\n`);
  });

  test("row 46: a pod's own namespace may translate an unused port: its sockets are not refused", async () => {
    const pod = cluster().lab.pod("p1a");
    await nft(translate("output", served.clusterIP[family], 83, "p1b"), pod);
    const socket: readonly Asker[] = [["p1a", "socket"]];
    const asked = { address: served.clusterIP[family], port: 83, count: 2, timeoutMs: 2000 };
    expect(await ask(socket, (client) => client.tcp(asked))).toEqual(each(socket, { p1b: 2 }));
    await nft(`delete table ${ip} another\n`, pod);
  });

  test("row 46: another network in the range: its addresses answer, routed to a pod or behind a bridge", async () => {
    const { lab } = cluster();
    const bits = family === "v4" ? 32 : 128;
    const [routed, bridged] = network[family];
    const both = [bridged, served.clusterIP[family]]; // of this b1b has another port than the Service
    const [p1b, b1b] = [lab.pod("p1b"), lab.pod("b1b")];
    const flag = family === "v6" ? " nodad" : "";
    await lab.ip(p1b, `addr add ${routed}/${bits} dev eth0${flag}`);
    await lab.ip(n1(), `route add ${routed}/${bits} dev ${p1b.hostDevice}`);
    for (const address of both) {
      await lab.ip(b1b, `addr add ${address}/${bits} dev eth0${flag}`);
      await lab.ip(lab.pod("b1a"), `route add ${address}/${bits} via ${b1b.address[family]}`);
    }
    const listener = { tcp: [85], udp: [85] };
    await lab.serve(p1b, { ...listener, address: routed, name: "p1b" });
    for (const address of both) await lab.serve(b1b, { ...listener, address, name: "b1b" });
    const before = [drops("unallocated"), drops("unused_port"), drops("no_flow")];
    const asked = { address: routed, port: 85, count: 2, timeoutMs: 2000 };
    const others = ASKERS.filter(([name]) => name !== "client");
    expect(await ask(others, (client) => client.tcp(asked))).toEqual(each(others, { p1b: 2 }));
    expect(await ask(others, (client) => client.udp(asked))).toEqual(each(others, { p1b: 2 }));
    const neighbour: readonly Asker[] = [["b1a", "wire"]];
    for (const address of both) {
      const there = { ...asked, address };
      expect(await ask(neighbour, (client) => client.tcp(there))).toEqual(each(neighbour, { b1b: 2 }));
      expect(await ask(neighbour, (client) => client.udp(there))).toEqual(each(neighbour, { b1b: 2 }));
    }
    expect([drops("unallocated"), drops("unused_port"), drops("no_flow")]).toEqual(before);
    await lab.ip(n1(), `route del ${routed}/${bits} dev ${p1b.hostDevice}`);
    for (const address of both) {
      await lab.ip(b1b, `addr del ${address}/${bits} dev eth0`);
      await lab.ip(lab.pod("b1a"), `route del ${address}/${bits} via ${b1b.address[family]}`);
    }
  });

  test("row 46: what is routed to the node itself (AnyIP) is the node's to answer", async () => {
    const { lab } = cluster();
    const { range, address } = routedHere[family];
    await lab.ip(n1(), `route add local ${range} dev lo`);
    const listener = await lab.serve(n1(), { tcp: [84], udp: [84], name: "any-ip" });
    const asked = { address, port: 84, count: 2, timeoutMs: 2000 };
    expect(await ask(ASKERS, (client) => client.tcp(asked))).toEqual(each(ASKERS, { "any-ip": 2 }));
    await listener.stop();
    await lab.ip(n1(), `route del local ${range} dev lo`);
  });

  test("row 46: so are unused ports of a ClusterIP that is served, with SYN cookies too", async () => {
    const { lab } = cluster();
    const address = served.clusterIP[family];
    await lab.ip(n1(), `route add local ${address} dev lo`);
    await lab.sysctl(n1(), "net.ipv4.tcp_syncookies=2"); // always: of both families
    const untracked = ["prerouting", "output"].map(
      (hook) => `chain ${hook} { type filter hook ${hook} priority raw;\ntcp dport 84 notrack\ntcp sport 84 notrack\n}`,
    );
    await nft(`table ${ip} another { ${untracked.join("\n")}\n}\n`);
    const listener = await lab.serve(n1(), { tcp: [84], udp: [84], name: "any-ip" });
    const asked = { address, port: 84, count: 2, timeoutMs: 2000 };
    expect(await ask(ASKERS, (client) => client.tcp(asked))).toEqual(each(ASKERS, { "any-ip": 2 }));
    // To the node itself such a socket answers from another of its IPv6 addresses, which its masquerading does not know.
    const askers = ASKERS.filter(([name]) => family === "v4" || name !== "n1");
    expect(await ask(askers, (client) => client.udp(asked))).toEqual(each(askers, { "any-ip": 2 }));
    expect(await ask(ASKERS, (client) => client.tcp({ ...asked, port: 80 }))).toEqual(each(ASKERS, { p1b: 2 }));
    await listener.stop();
    await nft(`delete table ${ip} another\n`);
    await lab.sysctl(n1(), "net.ipv4.tcp_syncookies=1");
    await lab.ip(n1(), `route del local ${address} dev lo`);
  });

  test("row 46: a device that does not forward takes what is routed to the node, and of IPv6 forwards if all devices do", async () => {
    const { lab } = cluster();
    const address = served.clusterIP[family];
    const outside: readonly Asker[] = [["client", "wire"]];
    const asked = { address, port: 84, count: 2, timeoutMs: 2000 };
    const flag = family === "v4" ? "net.ipv4.conf.eth0.forwarding" : "net.ipv6.conf.eth0.forwarding";
    await lab.sysctl(n1(), `${flag}=0`);
    await lab.ip(n1(), `route add local ${address} dev lo`);
    const listener = await lab.serve(n1(), { tcp: [84], udp: [84], name: "any-ip" });
    expect(await ask(outside, (client) => client.tcp(asked))).toEqual(each(outside, { "any-ip": 2 }));
    await listener.stop();
    await lab.ip(n1(), `route del local ${address} dev lo`);
    const before = drops("unused_port");
    const refused = family === "v4" ? { TIMEOUT: 1 } : { ECONNREFUSED: 1 };
    expect(await ask(outside, (client) => client.tcp({ ...asked, count: 1 }))).toEqual(each(outside, refused));
    expect(drops("unused_port") > before).toBe(family === "v6");
    await lab.sysctl(n1(), `${flag}=1`);
  });
});

describe("while a manifest cannot be read", () => {
  const pod: readonly Asker[] = [["p1a", "wire"]];
  const places = [
    { address: served.clusterIP.v4, port: 91 },
    { address: nobodys.v4, port: 91 },
    { address: foreign.v4, port: 91 },
  ];
  const said = async () => {
    const told = places.map((place) => ask(pod, (client) => client.tcp({ ...place, count: 1, timeoutMs: 400 })));
    return (await Promise.all(told)).map((answers) => Object.keys(answers["p1a by wire"] ?? {}).join());
  };

  test("row 46: what it may hold is another proxy's to serve, after a restart too", async () => {
    const { lab, manifests } = cluster();
    const rules = places.map(
      ({ address, port }) => `ip daddr ${address} tcp dport ${port} dnat to ${lab.pod("p2a").address.v4}:8080`,
    );
    const chain = `chain prerouting { type nat hook prerouting priority -110; ${rules.join("\n")}\n}`;
    await run(inNetns(n1().netns, ["nft", "-f", "-"]), `table ip another { ${chain}\n}\n`);
    expect(await said()).toEqual(["ECONNREFUSED", "TIMEOUT", "p2a"]);
    const broken = join(manifests, "broken.json");
    writeFileSync(broken, "{ broken");
    await until("nothing is refused", async () => (await said()).join() === "p2a,p2a,p2a");
    await cluster().killAgent("n1");
    await cluster().startAgent("n1");
    expect(await said()).toEqual(["p2a", "p2a", "p2a"]);
    rmSync(broken);
    await until("all is known again", async () => (await said()).join() === "ECONNREFUSED,TIMEOUT,p2a");
    await run(inNetns(n1().netns, ["nft", "-f", "-"]), "delete table ip another\n");
  });
});
