// SPDX-License-Identifier: Apache-2.0
// NodePorts through the cgroup programs: which addresses are the node, for its own processes and for pods.

import { describe, expect, test } from "vitest";
import { netnsCookie } from "../../src/libbpf/system.ts";
import { ip, service } from "../support/compiled.ts";
import { TcpClient, UdpClient } from "../support/loopback.ts";
import { memberOf, type SocketFixture, useSocketDatapath } from "../support/socket-fixture.ts";

const NODE_PORT = 30080;

/** 127.77.0.9 and fd00:77::9 stand for addresses of the node that others reach too. */
function publish({ datapath, servers }: SocketFixture, localhost = true): void {
  datapath.setNodeAddresses([
    { address: ip("127.0.0.1"), loopback: true, nodePort: localhost },
    { address: ip("::1"), loopback: true, nodePort: localhost },
    { address: ip("127.77.0.9"), loopback: false, nodePort: true },
    { address: ip("fd00:77::9"), loopback: false, nodePort: true },
    { address: ip("127.77.0.10"), loopback: false, nodePort: false },
  ]);
  for (const family of [4, 6] as const) {
    const [a, b] = servers[family];
    datapath.publish(
      service({ name: "web", at: undefined, family, port: NODE_PORT, cluster: [memberOf(a, "TCP")] }),
      service({
        name: "web",
        at: undefined,
        family,
        port: NODE_PORT,
        protocol: "UDP",
        cluster: [memberOf(b, "UDP")],
      }),
    );
  }
}

describe("a process of the host", () => {
  const fixture = useSocketDatapath("nodeport-host", { hostNetnsCookie: netnsCookie() });

  test.each([
    ["127.0.0.1", "127.0.0.1:30080"],
    ["::1", "[::1]:30080"],
    ["::ffff:127.0.0.1", "[::ffff:127.0.0.1]:30080"],
    ["127.77.0.9", "127.77.0.9:30080"],
    ["fd00:77::9", "[fd00:77::9]:30080"],
    ["0.0.0.0", "0.0.0.0:30080"],
    ["::", "[::]:30080"],
  ])("row 29: reaches a NodePort at %s over TCP and UDP", async (address, shown) => {
    publish(fixture());
    using tcp = await TcpClient.open(address, NODE_PORT);
    expect(tcp).toMatchObject({ server: "a", remote: shown });
    using udp = new UdpClient(address.includes(":") ? "udp6" : "udp4");
    expect(await udp.ask(address, NODE_PORT)).toEqual({ server: "b", from: shown });
  });

  test.each(["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"])(
    "row 29: does not reach a NodePort at %s where loopback serves none",
    async (address) => {
      publish(fixture(), false);
      await expect(TcpClient.open(address, NODE_PORT)).rejects.toMatchObject({ code: "ECONNREFUSED" });
      using tcp = await TcpClient.open("127.77.0.9", NODE_PORT);
      expect(tcp.server).toBe("a");
    },
  );

  test.each([
    { family: 4, address: "127.77.0.9", loopback: "127.0.0.1" },
    { family: 6, address: "fd00:77::9", loopback: "::1" },
  ] as const)(
    "row 27: reaches a Service at $address itself before a NodePort",
    async ({ family, address, loopback }) => {
      publish(fixture());
      const { datapath, servers } = fixture();
      const cluster = [memberOf(servers[family][1], "TCP")];
      const external = service({ name: "own", at: address, kind: "ExternalIP", port: NODE_PORT, cluster });
      datapath.publish(external);
      using own = await TcpClient.open(address, NODE_PORT);
      expect(own.server).toBe("b");
      using web = await TcpClient.open(loopback, NODE_PORT);
      expect(web.server).toBe("a");
      datapath.remove(external.key);
    },
  );

  test("does not reach a NodePort at an address of the node that serves none", async () => {
    publish(fixture());
    await expect(TcpClient.open("127.77.0.10", NODE_PORT)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

describe("a process in a pod", () => {
  const fixture = useSocketDatapath("nodeport-pod", { hostNetnsCookie: netnsCookie() + 1n });

  test.each([
    ["127.77.0.9", "127.77.0.9:30080"],
    ["fd00:77::9", "[fd00:77::9]:30080"],
  ])("reaches a NodePort at %s", async (address, shown) => {
    publish(fixture());
    using tcp = await TcpClient.open(address, NODE_PORT);
    expect(tcp).toMatchObject({ server: "a", remote: shown });
  });

  test.each(["127.0.0.1", "::1", "0.0.0.0", "::"])(
    "row 29: has a port of its own at %s, not the node's",
    async (address) => {
      publish(fixture());
      await expect(TcpClient.open(address, NODE_PORT)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    },
  );
});
