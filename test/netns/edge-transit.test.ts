// SPDX-License-Identifier: Apache-2.0
// Clause E5 of the rule of the edge: a flow that enters and leaves by uplinks is translated at both edges at once and never
// meets the node's stack: its FORWARD policy may drop everything, and its conntrack knows nothing of the flow.
import { beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { Host, PodHost } from "../../src/demo/lab/plan.ts";
import { ip } from "../../src/demo/lab/run.ts";
import { useCluster } from "../support/cluster.ts";
import { compileProgram } from "../support/compile.ts";
import { forgetPaths, pathMtu, sayEverything } from "../support/path-mtu.ts";
import { pathServices, servePaths } from "../support/paths.ts";

const BYTES = 500_000;
const BACKENDS = [
  { kind: "a pod of another node", nodePort: 30_005, answers: "p2a" },
  { kind: "another node's own network", nodePort: 30_007, answers: "n2" },
  { kind: "the client itself", nodePort: 30_009, answers: "client" },
];

describe("transit through a node that forwards nothing", () => {
  const cluster = useCluster({
    firewall: "realistic",
    services: pathServices,
    agentFlags: ["--mark-bits", "3,4"], // any two will do
  });
  beforeAll(async () => {
    const { lab } = cluster();
    await servePaths(lab);
    await sayEverything(lab);
    for (const command of ["iptables", "ip6tables"]) {
      // in a table where the agent puts no accept of its own before it (row 42)
      await lab.exec(lab.node("n1"), [command, "-t", "mangle", "-I", "FORWARD", "-j", "DROP"]);
      // something that asks for the state of every packet, so that what passes is tracked
      await lab.exec(lab.node("n1"), [command, "-A", "INPUT", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT"]);
    }
  });

  describe.each(["v4", "v6"] as const)("%s", (family) => {
    test.each(BACKENDS)("a NodePort reaches $kind, and conntrack has not seen it", async ({ nodePort, answers }) => {
      const { lab } = cluster();
      const client = await cluster().wire(lab.client);
      const target = { address: lab.node("n1").address[family], port: nodePort };
      const held = await client.hold(target);
      expect(held.answer).toMatchObject({ pod: answers, peer: lab.node("n1").address[family] });
      expect(await client.udp({ ...target, count: 5 })).toMatchObject({ answered: 5, failures: {} });
      const table = await lab.exec(lab.node("n1"), ["conntrack", "-L", "-f", family === "v4" ? "ipv4" : "ipv6"]);
      expect(table).not.toContain(`sport=${held.answer.peerPort}`);
      expect(table).not.toContain(`dport=${nodePort}`);
      // no segment of what the kernel cuts only on the way out is taken for too big
      const much = { ...target, bytes: BYTES, timeoutMs: 4000 };
      expect(await client.upload(much)).toMatchObject({ bytes: BYTES });
      expect(await client.download(much)).toMatchObject({ bytes: BYTES });
      await held.echo();
      await held.close();
    });

    test("conntrack does see what ends on the node itself", async () => {
      const { lab } = cluster();
      const client = await cluster().wire(lab.client);
      const held = await client.hold({ address: lab.node("n1").address[family], port: 30_008 });
      const table = await lab.exec(lab.node("n1"), ["conntrack", "-L", "-f", family === "v4" ? "ipv4" : "ipv6"]);
      expect(table).toContain("dport=9090");
      await held.close();
    });

    // As a router does: its own sending is no reason to keep from others what the path still has to tell them.
    test("row 49: a node that has learnt a smaller path MTU forwards what fits its device", async () => {
      const { lab } = cluster();
      const n1 = lab.node("n1");
      const pod = lab.pod("p2a");
      const probe = compileProgram("probe", lab.plan.directory);
      await using _wide = await narrowed(lab, pod);
      expect(await lab.exec(n1, [probe, pod.address[family], "8080", "1450"])).toMatch(/^error EMSGSIZE .* mtu 1400$/m);
      expect(await pathMtu(lab, n1, pod.address[family])).toBe(1400);
      const client = await cluster().wire(lab.client);
      const target = { address: n1.address[family], port: 30_005, bytes: BYTES, timeoutMs: 4000 };
      expect(await pathMtu(lab, lab.client, target.address)).toBe(undefined);
      expect(await client.upload(target)).toMatchObject({ bytes: BYTES });
      expect(await pathMtu(lab, lab.client, target.address)).toBe(1400);
    });
  });

  test("IPv6 BIG TCP passes: the header that says its length is not in its segments", async () => {
    const { lab } = cluster();
    await allowBigTcp(lab);
    // what is measured too long goes up to the stack, which is to forward nothing
    await lab.exec(lab.node("n1"), ["nft", countBig("forward")]);
    const client = await cluster().wire(lab.client);
    const target = { address: lab.node("n1").address.v6, port: 30_007, bytes: 20_000_000, timeoutMs: 8000 };
    expect(await client.upload(target)).toMatchObject({ bytes: 20_000_000 });
    const counted = (host: Host) => lab.exec(host, ["nft", "list", "table", "inet", "big"]);
    expect(await counted(lab.client)).toMatch(/counter packets [1-9]/);
    expect(await counted(lab.node("n1"))).toContain("counter packets 0 ");
  });
});

/** Only 1400 bytes fit the last link to a pod, until disposed of; nobody knows of any path MTU then. */
async function narrowed(lab: Lab, pod: PodHost): Promise<AsyncDisposable> {
  const set = async (mtu: number): Promise<void> => {
    await lab.ip(lab.node(pod.nodeName), `link set ${pod.hostDevice} mtu ${mtu}`);
    await forgetPaths(lab);
  };
  await set(1400);
  return { [Symbol.asyncDispose]: () => set(1500) };
}

/** For nft: counts what IPv6 calls big, before all other rules. */
function countBig(hook: "output" | "forward"): string {
  const rule = `type filter hook ${hook} priority -400; meta nfproto ipv6 meta length > 65583 counter`;
  return `table inet big { chain big { ${rule}; }; }`;
}

/** TCP may pass from the client to the nodes' own network in pieces of 150 000 bytes; the client counts them. */
async function allowBigTcp(lab: Lab): Promise<void> {
  const sizes = "gso_max_size 150000 gro_max_size 150000";
  const hosts = [lab.client, ...lab.nodes];
  await ip(
    lab.plan.switchNetns,
    ["br0", ...hosts.map(({ name }) => name)].map((name) => `link set ${name} ${sizes}`),
  );
  await Promise.all(hosts.map((host) => lab.ip(host, `link set eth0 ${sizes}`)));
  await lab.exec(lab.client, ["nft", countBig("output")]);
}
