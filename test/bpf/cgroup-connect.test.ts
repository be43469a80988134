// SPDX-License-Identifier: Apache-2.0
// Real sockets of this process through the cgroup programs, on loopback: connect(), getpeername(), refusals.

import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { netnsCookie } from "../../src/libbpf/system.ts";
import { service } from "../support/compiled.ts";
import { TcpClient, UdpClient } from "../support/loopback.ts";
import { memberOf, useSocketDatapath, WAYS } from "../support/socket-fixture.ts";

const fixture = useSocketDatapath("connect", { hostNetnsCookie: netnsCookie() });

describe.each(WAYS)("$name sockets", ({ family, udp, vip, dial, shown }) => {
  test("a TCP connection to a VIP reaches a backend, and getpeername() answers the VIP", async () => {
    const { datapath, servers } = fixture();
    const web = service({ name: "web", at: vip(1), port: 80, cluster: [memberOf(servers[family][0], "TCP")] });
    datapath.publish(web);
    const before = datapath.stats(web.key).connections;
    using client = await TcpClient.open(dial(1), 80);
    expect(client).toMatchObject({ server: "a", remote: shown(1, 80) });
    expect(await client.echo("hello")).toBe("hello");
    expect(datapath.stats(web.key).connections - before).toBe(1);
  });

  test("a connected UDP socket sees the VIP as its peer and as the source of answers", async () => {
    const { datapath, servers } = fixture();
    const dns = service({
      name: "dns",
      at: vip(2),
      port: 53,
      protocol: "UDP",
      cluster: [memberOf(servers[family][0], "UDP")],
    });
    datapath.publish(dns);
    const before = datapath.stats(dns.key).connections;
    using client = new UdpClient(udp);
    expect(await client.connect(dial(2), 53)).toBe(shown(2, 53));
    expect(await client.askPeer()).toEqual({ server: "a", from: shown(2, 53) });
    expect(await client.askPeer()).toEqual({ server: "a", from: shown(2, 53) });
    expect(datapath.stats(dns.key).connections - before).toBe(1);
  });

  test("a UDP socket that connects again, or disconnects, goes by where it is connected now", async () => {
    const { datapath, servers } = fixture();
    const [a, b] = servers[family];
    const cluster = { protocol: "UDP", port: 53 } as const;
    datapath.publish(
      service({ ...cluster, name: "one", at: vip(3), cluster: [memberOf(a, "UDP")] }),
      service({ ...cluster, name: "two", at: vip(4), cluster: [memberOf(b, "UDP")] }),
    );
    const direct = dial(3).startsWith("::ffff:") ? `::ffff:${a.address}` : a.address;
    using client = new UdpClient(udp);
    expect(await client.connect(dial(3), 53)).toBe(shown(3, 53));
    client.disconnect();
    expect(await client.connect(dial(4), 53)).toBe(shown(4, 53));
    expect(await client.askPeer()).toEqual({ server: "b", from: shown(4, 53) });
    client.disconnect();
    expect(() => client.peer()).toThrow(/ERR_SOCKET_DGRAM_NOT_CONNECTED|Not connected/);
    const shownDirect = direct.includes(":") ? `[${direct}]:${a.udpPort}` : `${direct}:${a.udpPort}`;
    expect(await client.connect(direct, a.udpPort)).toBe(shownDirect);
    expect(await client.askPeer()).toEqual({ server: "a", from: shownDirect });
    client.disconnect();
    expect(await client.ask(dial(3), 53)).toEqual({ server: "a", from: shown(3, 53) });
  });

  test("a Service without endpoints refuses TCP and UDP at once with ECONNREFUSED, and counts it", async () => {
    const { datapath } = fixture();
    const tcp = service({ name: "empty", at: vip(5), port: 80 });
    const datagrams = service({ name: "empty", at: vip(5), port: 80, protocol: "UDP" });
    datapath.publish(tcp, datagrams);
    const rejects = () => [datapath.stats(tcp.key).rejects, datapath.stats(datagrams.key).rejects];
    const [tcpBefore = 0, udpBefore = 0] = rejects();
    const dropsBefore = datapath.drops(abi.DropReason.DROP_NO_ENDPOINTS);
    await expect(TcpClient.open(dial(5), 80)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    using connecting = new UdpClient(udp);
    await expect(connecting.connect(dial(5), 80)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    using sending = new UdpClient(udp);
    await expect(sending.ask(dial(5), 80)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect(rejects()).toEqual([tcpBefore + 1, udpBefore + 2]);
    expect(datapath.drops(abi.DropReason.DROP_NO_ENDPOINTS) - dropsBefore).toBe(3);
  });

  test("a Local policy without a local endpoint is EHOSTUNREACH, since endpoints elsewhere exist", async () => {
    const { datapath, servers } = fixture();
    const far = memberOf(servers[family][0], "TCP", { local: false });
    const local = service({ name: "local", at: vip(6), port: 80, cluster: [far], internalLocal: true });
    datapath.publish(local);
    await expect(TcpClient.open(dial(6), 80)).rejects.toMatchObject({ code: "EHOSTUNREACH" });
    expect(datapath.stats(local.key).rejects).toBeGreaterThan(0);
  });

  test("externalTrafficPolicy Local does not keep the node's own sockets from endpoints elsewhere", async () => {
    const { datapath, servers } = fixture();
    const far = memberOf(servers[family][0], "TCP", { local: false });
    const options = { name: "external", at: vip(7), port: 80, kind: "LoadBalancer" } as const;
    datapath.publish(service({ ...options, cluster: [far], externalLocal: true }));
    using client = await TcpClient.open(dial(7), 80);
    expect(client).toMatchObject({ server: "a", remote: shown(7, 80) });
  });
});

describe.each(WAYS)("row 46: $name sockets of the node, where nothing is served", ({ family, udp, vip, dial }) => {
  test("another port of a ClusterIP refuses TCP with ECONNREFUSED, and counts it; datagrams are left to routing", async () => {
    const { datapath, servers } = fixture();
    const cluster = [memberOf(servers[family][0], "TCP")];
    const [web, more] = [
      service({ name: "web", at: vip(8), port: 80, cluster }),
      service({ name: "more", at: vip(8), port: 8080, cluster }),
    ];
    datapath.publish(web, more);
    const before = datapath.drops(abi.DropReason.DROP_UNUSED_PORT);
    await expect(TcpClient.open(dial(8), 81)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    using sending = new UdpClient(udp);
    await Promise.race([Promise.allSettled([sending.ask(dial(8), 80)]), nextTurn()]);
    expect(datapath.drops(abi.DropReason.DROP_UNUSED_PORT) - before).toBe(1);
    using served = await TcpClient.open(dial(8), 80);
    expect(served.server).toBe("a");
    datapath.remove(web.key); // the other port keeps the address in use
    await expect(TcpClient.open(dial(8), 80)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect(datapath.drops(abi.DropReason.DROP_UNUSED_PORT) - before).toBe(2);
    datapath.remove(more.key);
  });

  test("connect() of a datagram socket only asks for a route: it may", async () => {
    const { datapath, servers } = fixture();
    const at = family === 4 ? "127.77.0.1" : "::1"; // where there always is one
    datapath.publish(service({ name: "web", at, port: 80, cluster: [memberOf(servers[family][0], "TCP")] }));
    using client = new UdpClient(udp);
    expect(await client.connect(dial(8).startsWith("::ffff:") ? `::ffff:${at}` : at, 1025)).toMatch(/:1025$/);
    datapath.remove(service({ name: "web", at, port: 80 }).key);
  });
});

test("a socket that is bound to an address before it connects keeps it", async () => {
  const { datapath, servers } = fixture();
  datapath.publish(service({ name: "web", at: "10.96.7.1", port: 80, cluster: [memberOf(servers[4][0], "TCP")] }));
  using client = await TcpClient.open("10.96.7.1", 80, "127.77.0.9");
  expect(client).toMatchObject({ server: "a", remote: "10.96.7.1:80" });
  expect(client.socket.localAddress).toBe("127.77.0.9");
});

test.each([true, false])(
  "a datagram socket that is bound already keeps its source, connected: %s",
  async (connected) => {
    const { datapath, servers } = fixture();
    const [a] = servers[4];
    datapath.publish(
      service({ name: "dns", at: "10.96.7.1", port: 53, protocol: "UDP", cluster: [memberOf(a, "UDP")] }),
    );
    using client = new UdpClient("udp4");
    const port = await client.bind("127.77.0.9");
    if (connected) expect(await client.connect("10.96.7.1", 53)).toBe("10.96.7.1:53");
    const answer = connected ? await client.askPeer() : await client.ask("10.96.7.1", 53);
    expect(answer).toEqual({ server: "a", from: "10.96.7.1:53" });
    expect(client.socket.address()).toMatchObject({ address: "127.77.0.9", port });
  },
);

test("the same address and port is another Service for another protocol", async () => {
  const { datapath, servers } = fixture();
  const at = "10.96.7.1";
  datapath.publish(
    service({ name: "same", at, port: 90, cluster: [memberOf(servers[4][0], "TCP")] }),
    service({ name: "same", at, port: 90, protocol: "UDP", cluster: [memberOf(servers[4][1], "UDP")] }),
  );
  using tcp = await TcpClient.open(at, 90);
  using udp = new UdpClient("udp4");
  expect(tcp.server).toBe("a");
  expect(await udp.ask(at, 90)).toEqual({ server: "b", from: "10.96.7.1:90" });
});

test("row 46: addresses without a Service, and other ports of a load balancer's, are left alone", async () => {
  const { datapath, servers } = fixture();
  const [a, b] = servers[4];
  const web = { name: "web", port: 80, kind: "LoadBalancer", cluster: [memberOf(b, "TCP")] } as const;
  datapath.publish(service({ ...web, at: "127.77.0.1" }));
  using other = await TcpClient.open(a.address, a.tcpPort);
  expect(other).toMatchObject({ server: "a", remote: `127.77.0.1:${a.tcpPort}` });
  await expect(TcpClient.open("127.77.0.1", 81)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("sockets outside the cgroup are left alone", async () => {
  const { datapath, cgroup, servers } = fixture();
  datapath.publish(service({ name: "web", at: "127.77.0.5", port: 80, cluster: [memberOf(servers[4][0], "TCP")] }));
  cgroup.leave();
  await expect(TcpClient.open("127.77.0.5", 80)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  cgroup.enter();
  using client = await TcpClient.open("127.77.0.5", 80);
  expect(client.server).toBe("a");
});
