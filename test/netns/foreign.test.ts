// SPDX-License-Identifier: Apache-2.0
// What is no Service's goes by as if no agent were there: the hostPorts of the CNI plugin portmap, the kubelet's probes,
// connections in other conntrack zones, and packets between pods and to the outside, byte by byte.
import { beforeAll, describe, expect, test } from "vitest";
import type { Host } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { useCluster } from "../support/cluster.ts";
import { compileProgram } from "../support/compile.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { mapHostPorts } from "../support/portmap.ts";
import { until } from "../support/until.ts";

const WEB = 81;
const NODE_PORT = 30_181;
const HOST_PORT = 8081;
/** Of a pod behind a bridge, its port in hairpin mode, as the bridge plugin sets it. */
const BRIDGED_PORT = 8082;
/** Nothing but direct traffic goes there. */
const FOREIGN_PORT = 8090;
const families = ["v4", "v6"] as const;
type Family = (typeof families)[number];

const cluster = useCluster({
  firewall: "realistic",
  services: (lab) => [
    {
      name: "web",
      number: WEB,
      nodePort: NODE_PORT,
      endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }],
    },
  ],
});

const programs = { frames: "", raw: "" };

beforeAll(async () => {
  const { lab } = cluster();
  for (const name of ["frames", "raw"] as const) programs[name] = compileProgram(name, lab.plan.directory);
  const n1 = lab.node("n1");
  for (const name of ["p1a", "p1b", "b1a", "b1b", "p2a"]) {
    await lab.serve(lab.pod(name), { tcp: [8080, FOREIGN_PORT] });
  }
  await lab.serve(lab.client, { tcp: [FOREIGN_PORT] });
  await mapHostPorts(lab, n1, [
    { pod: lab.pod("p1a"), hostPort: HOST_PORT, containerPort: 8080 },
    { pod: lab.pod("b1a"), hostPort: BRIDGED_PORT, containerPort: 8080 },
  ]);
  await lab.exec(n1, ["bridge", "link", "set", "dev", lab.pod("b1a").hostDevice, "hairpin", "on"]);
  for (const [command, family] of [
    ["iptables", "v4"],
    ["ip6tables", "v6"],
  ] as const) {
    // The firewall of the lab masquerades what leaves for the outside: not to this client.
    await lab.exec(n1, [command, "-t", "nat", "-I", "POSTROUTING", "-d", lab.client.address[family], "-j", "ACCEPT"]);
  }
});

describe.each(families)("portmap beside a NodePort, %s", (family) => {
  const places = [
    { from: "client", path: "wire" },
    { from: "n2", path: "socket" },
    { from: "p2a", path: "socket" },
    { from: "p2a", path: "wire" },
    { from: "n1", path: "socket" },
    { from: "p1b", path: "socket" },
    { from: "p1b", path: "wire" },
    { from: "b1a", path: "socket" },
    { from: "b1a", path: "wire" },
    { from: "p1a", path: "socket" },
    { from: "p1a", path: "wire" },
  ] as const;

  test.each(places)(
    "$from, by its $path, reaches the pod at the hostPort and the Service at the node port",
    async (way) => {
      const { lab } = cluster();
      const client = await cluster()[way.path](hostOf(lab, way.from));
      const address = lab.node("n1").address[family];
      const shown = (port: number) => (family === "v4" ? `${address}:${port}` : `[${address}]:${port}`);
      for (const [port, pod] of [
        [HOST_PORT, "p1a"],
        [BRIDGED_PORT, "b1a"],
        [NODE_PORT, "p1b"],
      ] as const) {
        const served = { answered: 4, failures: {}, pods: { [pod]: 4 }, remotes: { [shown(port)]: 4 } };
        expect(await client.tcp({ address, port, count: 4 })).toMatchObject(served);
        expect(await client.udp({ address, port, count: 4 })).toMatchObject(served);
      }
    },
  );

  test("the client outside is seen with its own address at the hostPort", async () => {
    const { lab } = cluster();
    const client = await cluster().wire(lab.client);
    const target = { address: lab.node("n1").address[family], port: HOST_PORT, count: 3 };
    const sources = { [lab.client.address[family]]: 3 };
    expect(await client.tcp(target)).toMatchObject({ sources });
    expect(await client.udp(target)).toMatchObject({ sources });
  });
});

describe.each(families)("kubelet's probes, %s", (family) => {
  test.each(["p1a", "p1b", "b1a"])(
    "the node reaches %s itself, by TCP and HTTP, on the port that it asked with",
    async (name) => {
      const { lab } = cluster();
      const kubelet = await cluster().socket(lab.node("n1"));
      const target = { address: lab.pod(name).address[family], port: 8080, count: 1 };
      for (const [n, http] of [true, false].entries()) {
        const localPort = 900 + n; // below those that a masqueraded connection may have by chance
        const { answers, failures } = await kubelet.tcp({ ...target, http, localPort });
        expect(failures).toEqual({});
        expect(answers).toMatchObject([{ pod: name, peerPort: localPort }]);
        expect([...Object.values(lab.node("n1").address), ...bridge(family)]).toContain(answers[0]?.peer);
      }
    },
  );
});

/** What the node has on the pods' bridge, by which it reaches them. */
function bridge(family: Family): readonly string[] {
  return [cluster().lab.node("n1").bridgeAddress[family].replace(/\/.*/, "")];
}

describe.each(families)("connections in a conntrack zone of somebody's own, %s", (family) => {
  const command = family === "v4" ? "iptables" : "ip6tables";
  const zoned = (flag: "-A" | "-D") =>
    ["PREROUTING", "OUTPUT"].flatMap((chain) =>
      ["tcp", "udp"].flatMap((protocol) =>
        ["--dport", "--sport"].map((side) => [
          ...[command, "-t", "raw", flag, chain, "-p", protocol, side, String(FOREIGN_PORT)],
          ...["-j", "CT", "--zone", "7"],
        ]),
      ),
    );

  test("stay there, whole, also with a port that a Service's connection to the same pod has", async () => {
    const { lab } = cluster();
    for (const rule of zoned("-A")) await lab.exec(lab.node("n1"), rule);
    const client = await cluster().wire(lab.pod("b1a"));
    const direct = { address: lab.pod("p1b").address[family], port: FOREIGN_PORT };
    const web = { address: serviceAddresses(WEB).clusterIP[family], port: 80 };
    const held = await client.hold({ ...direct, localPort: 20_100 });
    expect(held.answer).toMatchObject({ pod: "p1b", peer: lab.pod("b1a").address[family], peerPort: 20_100 });
    expect(await client.tcp({ ...web, count: 1, localPort: 20_100 })).toMatchObject({ pods: { p1b: 1 } });
    expect(await client.udp({ ...direct, count: 4 })).toMatchObject({ answered: 4, pods: { p1b: 4 } });
    await held.echo({ count: 3 });

    const entries = (await lab.exec(lab.node("n1"), ["conntrack", "-L", "-f", family === "v4" ? "ipv4" : "ipv6"]))
      .split("\n")
      .filter((line) => line.includes(`dport=${FOREIGN_PORT}`));
    expect(entries.filter((line) => line.includes("sport=20100") && line.includes("ESTABLISHED"))).toHaveLength(1);
    expect(entries.length).toBeGreaterThanOrEqual(5);
    for (const line of entries) expect(line).toMatch(/ zone=7\b/);
    await held.close();
    for (const rule of zoned("-D")) await lab.exec(lab.node("n1"), rule);
  });
});

/** Protocol numbers with bytes that might be taken for ports of a Service. */
const PROTOCOLS = [
  { name: "GRE", number: 47, bytes: "000008004500001c0001000040112661c35000501f90005000080000" },
  { name: "ESP", number: 50, bytes: "1f90005000000001000102030405060708090a0b0c0d0e0f" },
  { name: "OSPF", number: 89, bytes: "0201001800500050000000001f9000000000000000000000" },
  { name: "IPv4 in IP", number: 4, bytes: "4500001c0001000040112661c000020ac00002141f90005000080000" },
  { name: "a protocol of nobody's", number: 253, bytes: "c350005000001001" },
] as const;

/** A capture of what passes a host's own device, from the IP header on. */
class Capture {
  readonly #process: LabProcess;

  private constructor(process: LabProcess) {
    this.#process = process;
  }

  static async open(host: Host): Promise<Capture> {
    const process = cluster().lab.spawn(host, [programs.frames, "eth0"]);
    await process.waitForOutput(/^ready$/m);
    return new Capture(process);
  }

  /** Packets of a direction between two addresses in their order, their hop counts and an IPv4 header's checksum blanked. */
  packets(direction: "in" | "out", from: string, to: string): readonly string[] {
    const lines = this.#process.stdout.split("\n").filter((line) => line.startsWith(`${direction} `));
    return lines
      .map((line) => Buffer.from(line.slice(direction.length + 1), "hex"))
      .filter((packet) => packet.includes(Buffer.concat([addressBytes(from), addressBytes(to)])))
      .map(withoutHops);
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}

function addressBytes(address: string): Buffer {
  if (!address.includes(":")) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail = ""] = address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const zeros = Array<string>(8 - groups(head).length - groups(tail).length).fill("0");
  return Buffer.from(
    [...groups(head), ...zeros, ...groups(tail)].map((group) => group.padStart(4, "0")).join(""),
    "hex",
  );
}

function withoutHops(packet: Buffer): string {
  const v4 = (packet[0] ?? 0) >> 4 === 4;
  if (v4) packet.fill(0, 8, 9).fill(0, 10, 12);
  else packet.fill(0, 7, 8);
  return packet.toString("hex");
}

describe.each(families)("packets that are no Service's, %s", (family) => {
  const pairs = [
    { from: "p1a", to: "p1b" },
    { from: "b1a", to: "b1b" },
    { from: "b1a", to: "p1b" },
    { from: "p1a", to: "p2a" },
    { from: "p1a", to: "client" },
    { from: "client", to: "b1a" },
  ] as const;

  test.each(pairs)("from $from to $to and back arrive as they left, byte by byte", async ({ from, to }) => {
    const { lab } = cluster();
    const [near, far] = [hostOf(lab, from), hostOf(lab, to)];
    const [source, target] = [near.address[family], far.address[family]];
    const captures = await Promise.all([near, far].map((host) => Capture.open(host)));
    const [here, there] = captures;
    const client = await cluster().wire(near);
    const direct = { address: target, port: FOREIGN_PORT, count: 2 };
    expect(await client.tcp(direct)).toMatchObject({ answered: 2, sources: { [source]: 2 } });
    expect(await client.udp(direct)).toMatchObject({ answered: 2, sources: { [source]: 2 } });
    const echo = family === "v4" ? ["1", "080033370001000161626364"] : ["58", "800000000001000161626364"];
    for (const [number, bytes] of [...PROTOCOLS.map((one) => [String(one.number), one.bytes]), echo]) {
      await lab.exec(near, [programs.raw, target, number ?? "", bytes ?? ""]);
    }

    const numbers = new Set([6, 17, ...PROTOCOLS.map(({ number }) => number), Number(echo[0])]);
    const protocolsOf = (packets: readonly string[] = []) =>
      new Set(packets.map((packet) => Number.parseInt(packet.slice(...(family === "v4" ? [18, 20] : [12, 14])), 16)));
    const sent = () => here?.packets("out", source, target) ?? [];
    const returned = () => here?.packets("in", target, source) ?? [];
    await until("all have arrived", () =>
      [...numbers].every((one) => protocolsOf(there?.packets("in", source, target)).has(one)),
    );
    await until("the echo is answered", () => protocolsOf(returned()).has(family === "v4" ? 1 : 58));
    // Errors about protocols that nobody knows may still be on their way.
    await until("as much has arrived as left", () => {
      const answers = there?.packets("out", target, source).length;
      return there?.packets("in", source, target).length === sent().length && answers === returned().length;
    });
    expect(there?.packets("in", source, target)).toEqual(sent());
    expect(there?.packets("out", target, source)).toEqual(returned());
    for (const capture of captures) await capture.stop();
  });
});
