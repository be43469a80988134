// SPDX-License-Identifier: Apache-2.0
// Clause E2 of the rule of the edge: SNAT ports against sockets of the host and against netfilter's masquerade, in every
// order, and packets of the host that leave from a frontend's address and port. Agents draw SNAT ports from three only,
// so that every case meets the port it is about.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { HeldConnection } from "../../src/demo/lab/traffic.ts";
import { useCluster } from "../support/cluster.ts";
import type { ServiceSpec } from "../support/manifests.ts";

const LOCAL_NODE_PORT = 30_100;
const families = ["v4", "v6"] as const;
/** A closed connection keeps its SNAT port for a minute, towards one backend port: every case has one of its own. */
const CASES = 5;

/** Case n: NodePort 30100+n to pod p2a, port 8100+n; NodePort 30200+n to n2's own network, port 9100+n. */
function services(lab: Lab): readonly ServiceSpec[] {
  return Array.from({ length: CASES }, (_, n) => [
    {
      name: `pod-${n}`,
      number: 100 + n,
      nodePort: 30_100 + n,
      endpoints: [{ address: lab.pod("p2a").address, nodeName: "n2", port: 8100 + n }],
    },
    {
      name: `host-${n}`,
      number: 200 + n,
      nodePort: 30_200 + n,
      endpoints: [{ address: lab.node("n2").address, nodeName: "n2", port: 9100 + n }],
    },
  ]).flat();
}

function ports(first: number): readonly number[] {
  return Array.from({ length: CASES }, (_, n) => first + n);
}

describe("SNAT ports", () => {
  const cluster = useCluster({ firewall: "realistic", services, agentFlags: ["--snat-port-range", "40000-40002"] });
  beforeAll(async () => {
    const { lab } = cluster();
    await lab.serve(lab.pod("p2a"), { tcp: ports(8100) });
    await lab.serve(lab.node("n2"), { tcp: ports(9100), udp: [] });
    await lab.serve(lab.client);
    // pods leave by one of the three ports of our SNAT
    for (const [command, range] of [
      ["iptables", "10.9.0.0/16"],
      ["ip6tables", "fd00:9::/32"],
    ] as const) {
      const masquerade = ["-p", "tcp", "-s", range, "!", "-d", range, "-j", "MASQUERADE", "--to-ports", "40000"];
      await lab.exec(lab.node("n1"), [command, "-t", "nat", "-I", "POSTROUTING", ...masquerade]);
    }
  });

  const held: HeldConnection[] = [];
  afterEach(async () => {
    for (const connection of held.splice(0)) await connection.close();
  });

  describe.each(families)("%s", (family) => {
    /** From outside through a NodePort of n1, masqueraded. */
    async function viaNodePort(port: number): Promise<HeldConnection> {
      const client = await cluster().wire(cluster().lab.client);
      return keep(await client.hold({ address: cluster().lab.node("n1").address[family], port, timeoutMs: 2000 }));
    }

    /** From n1 itself, straight to pod p2a. */
    async function fromHost(port: number, localPort: number): Promise<HeldConnection> {
      const host = await cluster().wire(cluster().lab.node("n1"));
      const address = cluster().lab.pod("p2a").address[family];
      return keep(await host.hold({ address, port, localPort, timeoutMs: 2000 }));
    }

    /** From a pod of n1 to n2, masqueraded by netfilter. */
    async function fromPod(port: number): Promise<HeldConnection> {
      const pod = await cluster().wire(cluster().lab.pod("p1a"));
      return keep(await pod.hold({ address: cluster().lab.node("n2").address[family], port, timeoutMs: 2000 }));
    }

    function keep(connection: HeldConnection): HeldConnection {
      held.push(connection);
      return connection;
    }

    async function expectAllAlive(): Promise<void> {
      for (let round = 0; round < 3; round++) for (const connection of held) await connection.echo({ count: 2 });
      expect(new Set(held.map(({ answer }) => `${answer.peer} ${answer.peerPort}`)).size).toBe(held.length);
    }

    test("a masqueraded connection takes none of the ports that host sockets use towards the backend", async () => {
      await fromHost(8100, 40_000);
      await fromHost(8100, 40_001);
      const connection = await viaNodePort(30_100);
      expect(connection.answer.peerPort).toBe(40_002);
      await expectAllAlive();
    });

    test("a host socket on the port of a masqueraded connection gets another on the wire, and both live", async () => {
      const first = await viaNodePort(30_101);
      const second = await fromHost(8101, first.answer.peerPort);
      expect([40_000, 40_001, 40_002]).toContain(second.answer.peerPort);
      await expectAllAlive();
    });

    test("a masqueraded connection avoids the port that netfilter masqueraded a pod to", async () => {
      const pod = await fromPod(9100);
      expect(pod.answer.peerPort).toBe(40_000);
      const others = [await viaNodePort(30_200), await viaNodePort(30_200)];
      expect(others.map(({ answer }) => answer.peerPort).sort()).toEqual([40_001, 40_002]);
      await expectAllAlive();
    });

    test("a pod that netfilter masquerades to a claimed port gets another, and all live", async () => {
      const claimed = [(await viaNodePort(30_201)).answer.peerPort, (await viaNodePort(30_201)).answer.peerPort];
      const pod = await fromPod(9101);
      expect([...claimed, pod.answer.peerPort].sort()).toEqual([40_000, 40_001, 40_002]);
      await expectAllAlive();
    });

    test("with all ports taken another connection gets no answer, and the others live on", async () => {
      for (let n = 0; n < 3; n++) await viaNodePort(30_102);
      await expect(viaNodePort(30_102)).rejects.toThrow("TIMEOUT");
      await expectAllAlive();
    });

    test("a UDP socket of the host on a NodePort's number gets its own replies", async () => {
      const host = await cluster().wire(cluster().lab.node("n1"));
      const asked = { address: cluster().lab.client.address[family], port: 8080, localPort: LOCAL_NODE_PORT };
      expect(await host.udp({ ...asked, count: 5, timeoutMs: 1500 })).toMatchObject({ answered: 5, failures: {} });
    });

    test("a TCP connection of the host from a NodePort's number gets its SYN-ACK", async () => {
      const host = await cluster().wire(cluster().lab.node("n1"));
      const asked = { address: cluster().lab.client.address[family], port: 8080, localPort: LOCAL_NODE_PORT };
      expect(await host.tcp({ ...asked, count: 1, timeoutMs: 1500 })).toMatchObject({ answered: 1, failures: {} });
    });
  });
});

describe("SNAT ports without a firewall, where netfilter tracks nothing", () => {
  const cluster = useCluster({ services, agentFlags: ["--snat-port-range", "40000-40002"] });
  beforeAll(async () => {
    const { lab } = cluster();
    await lab.serve(lab.pod("p2a"), { tcp: ports(8100) });
    // sockets of n1 on two of the three ports
    await lab.serve(lab.node("n1"), { tcp: [40_000], udp: [40_001] });
    await lab.serve(lab.node("n1"), { tcp: [40_001], udp: [40_000] });
  });

  test.each(families)(
    "a masqueraded connection takes none of the ports that host sockets listen on, %s",
    async (family) => {
      const client = await cluster().wire(cluster().lab.client);
      const target = { address: cluster().lab.node("n1").address[family], port: 30_103 };
      const held = await client.hold(target);
      expect(held.answer.peerPort).toBe(40_002);
      await held.close();
      const { answers } = await client.udp({ ...target, count: 1 });
      expect(answers[0]?.peerPort).toBe(40_002);
    },
  );
});
