// SPDX-License-Identifier: Apache-2.0
// Unconnected UDP sockets through the cgroup programs: sendto() keeps to a backend, recvfrom() shows the VIP.

import { describe, expect, test } from "vitest";
import { service } from "../support/compiled.ts";
import { UdpClient } from "../support/loopback.ts";
import { memberOf, useSocketDatapath, WAYS, type Way } from "../support/socket-fixture.ts";

const fixture = useSocketDatapath("datagram");

function endpoints(way: Way) {
  const [a, b] = fixture().servers[way.family];
  return { a: memberOf(a, "UDP"), b: memberOf(b, "UDP") };
}

function dns(way: Way, n: number, cluster: readonly ReturnType<typeof memberOf>[]) {
  return service({ name: `dns${n}`, at: way.vip(n), port: 53, protocol: "UDP", cluster });
}

describe.each(WAYS)("an unconnected $name socket", (way) => {
  const { dial, shown, udp } = way;

  test("sees the VIP as the source of answers, and stays on one backend", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints(way);
    const published = dns(way, 1, [a, b]);
    datapath.publish(published);
    const before = datapath.stats(published.key).connections;
    using client = new UdpClient(udp);
    const first = await client.ask(dial(1), 53);
    expect(first.from).toBe(shown(1, 53));
    for (let i = 0; i < 20; i++) expect(await client.ask(dial(1), 53)).toEqual(first);
    expect(datapath.stats(published.key).connections - before).toBe(1);
  });

  test("talks to several VIPs and knows their answers apart", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints(way);
    datapath.publish(dns(way, 2, [a]), dns(way, 3, [b]));
    using client = new UdpClient(udp);
    for (let i = 0; i < 3; i++) {
      expect(await client.ask(dial(2), 53)).toEqual({ server: "a", from: shown(2, 53) });
      expect(await client.ask(dial(3), 53)).toEqual({ server: "b", from: shown(3, 53) });
    }
  });

  test("takes answers of a backend behind two VIPs for the one it sent to last", async () => {
    const { datapath } = fixture();
    const { a } = endpoints(way);
    datapath.publish(dns(way, 2, [a]), dns(way, 3, [a]));
    using client = new UdpClient(udp);
    for (const n of [2, 3, 2, 2, 3]) {
      expect(await client.ask(dial(n), 53)).toEqual({ server: "a", from: shown(n, 53) });
    }
  });

  test("that sends to a backend itself gets its answers from the backend, and later from the VIP again", async () => {
    const { datapath, servers } = fixture();
    const { a } = endpoints(way);
    datapath.publish(dns(way, 2, [a]));
    const [server] = servers[way.family];
    const mapped = way.name.startsWith("IPv4-mapped") ? "::ffff:" : "";
    const direct = `${mapped}${server.address}`;
    const shownDirect = direct.includes(":") ? `[${direct}]:${a.port}` : `${direct}:${a.port}`;
    using client = new UdpClient(udp);
    expect(await client.ask(dial(2), 53)).toEqual({ server: "a", from: shown(2, 53) });
    expect(await client.ask(direct, a.port)).toEqual({ server: "a", from: shownDirect });
    expect(await client.ask(dial(2), 53)).toEqual({ server: "a", from: shown(2, 53) });
  });

  test("keeps its backend when the Service changes around it, and leaves it when the backend goes", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints(way);
    datapath.publish(dns(way, 4, [a]));
    using client = new UdpClient(udp);
    expect(await client.ask(dial(4), 53)).toEqual({ server: "a", from: shown(4, 53) });
    for (const cluster of [
      [a, b],
      [a, { ...b, weight: 2 }],
      [b, a],
    ]) {
      datapath.publish(dns(way, 4, cluster));
      for (let i = 0; i < 5; i++) expect(await client.ask(dial(4), 53)).toEqual({ server: "a", from: shown(4, 53) });
    }
    datapath.publish(dns(way, 4, [b]));
    for (let i = 0; i < 5; i++) expect(await client.ask(dial(4), 53)).toEqual({ server: "b", from: shown(4, 53) });
  });

  test("row 58: keeps its backend while that serves beside the sets, terminating, where nobody new is sent", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints(way);
    datapath.publish(dns(way, 4, [a]));
    using client = new UdpClient(udp);
    expect((await client.ask(dial(4), 53)).server).toBe("a");
    datapath.publish({ ...dns(way, 4, [b]), serving: [{ ...a, terminating: true }] });
    await datapath.writer.drained();
    for (let i = 0; i < 5; i++) expect(await client.ask(dial(4), 53)).toEqual({ server: "a", from: shown(4, 53) });
    for (let i = 0; i < 10; i++) {
      using other = new UdpClient(udp);
      expect(await other.ask(dial(4), 53)).toEqual({ server: "b", from: shown(4, 53) });
    }
    datapath.publish(dns(way, 4, [b]));
    expect(await client.ask(dial(4), 53)).toEqual({ server: "b", from: shown(4, 53) });
  });

  test("finds its backend in a Service that grew to many endpoints", async () => {
    const { datapath } = fixture();
    const { a } = endpoints(way);
    const others = Array.from({ length: 100 }, (_, i) => ({ ...a, port: 100 + i }));
    datapath.publish(dns(way, 4, [a]));
    using client = new UdpClient(udp);
    expect((await client.ask(dial(4), 53)).server).toBe("a");
    datapath.publish(dns(way, 4, [...others, a]));
    for (let i = 0; i < 5; i++) expect(await client.ask(dial(4), 53)).toEqual({ server: "a", from: shown(4, 53) });
  });

  test("leaves a backend that stays alive in another Service only", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints(way);
    datapath.publish(dns(way, 5, [a]), dns(way, 6, [a]));
    using client = new UdpClient(udp);
    expect((await client.ask(dial(5), 53)).server).toBe("a");
    datapath.publish(dns(way, 5, [b]));
    expect(await client.ask(dial(5), 53)).toEqual({ server: "b", from: shown(5, 53) });
    expect(await client.ask(dial(6), 53)).toEqual({ server: "a", from: shown(6, 53) });
  });

  test("row 59: is refused when the last endpoint goes, and served again when one comes", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints(way);
    datapath.publish(dns(way, 7, [a]));
    using client = new UdpClient(udp);
    expect((await client.ask(dial(7), 53)).server).toBe("a");
    datapath.publish(dns(way, 7, []));
    await expect(client.ask(dial(7), 53)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    datapath.publish(dns(way, 7, [b]));
    expect(await client.ask(dial(7), 53)).toEqual({ server: "b", from: shown(7, 53) });
  });

  test("follows a Service that is deleted and created again", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints(way);
    datapath.publish(dns(way, 8, [a]));
    using client = new UdpClient(udp);
    expect((await client.ask(dial(8), 53)).server).toBe("a");
    datapath.remove(dns(way, 8, [a]).key);
    await datapath.writer.drained();
    datapath.publish(dns(way, 8, [b]));
    expect(await client.ask(dial(8), 53)).toEqual({ server: "b", from: shown(8, 53) });
  });
});
