// SPDX-License-Identifier: Apache-2.0
// How connections spread over endpoints, and what the constants of config.bpf.h switch off.

import { describe, expect, test } from "vitest";
import { ipFromBytes } from "../../src/model/ip.ts";
import { member, service } from "../support/compiled.ts";
import { TcpClient, UdpClient } from "../support/loopback.ts";
import { memberOf, useSocketDatapath } from "../support/socket-fixture.ts";

/** Of the chi-square distribution with two degrees of freedom: p = exp(-x / 2), so p > 0.001 below this. */
const CHI_SQUARE_LIMIT = 13.816;

describe("with the default configuration", () => {
  const fixture = useSocketDatapath("share");

  test("30 000 connections over 3 endpoints are uniform: chi-square p > 0.001", async () => {
    const { datapath } = fixture();
    const cluster = ["127.77.1.1", "127.77.1.2", "127.77.1.3"].map((address) => member(address, 9));
    const spread = service({
      name: "spread",
      at: "10.96.7.1",
      port: 9,
      protocol: "UDP",
      scheduler: "random",
      cluster,
    });
    datapath.publish(spread);
    using client = new UdpClient("udp4");
    for (let i = 0; i < 30_000; i++) {
      await client.connect("10.96.7.1", 9);
      client.disconnect();
    }
    expect(datapath.stats(spread.key).connections).toBe(30_000);
    const counts = datapath.connectionsByBackend().map(({ count }) => count);
    expect(counts.reduce((a, b) => a + b, 0)).toBe(30_000);
    expect(counts).toHaveLength(3);
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    expect(chiSquare).toBeLessThan(CHI_SQUARE_LIMIT);
  });

  test("weights count where a Service asks for Maglev", async () => {
    const { datapath } = fixture();
    const cluster = [member("127.77.2.1", 9, { weight: 3 }), member("127.77.2.2", 9, { weight: 1 })];
    datapath.publish(
      service({ name: "weighted", at: "10.96.7.2", port: 9, protocol: "UDP", scheduler: "mh", cluster }),
    );
    using client = new UdpClient("udp4");
    for (let i = 0; i < 4000; i++) {
      await client.connect("10.96.7.2", 9);
      client.disconnect();
    }
    const share = datapath.connectionsByBackend().find(({ address }) => ipFromBytes(address) === "127.77.2.1");
    expect(share?.count).toBeGreaterThan(2800);
    expect(share?.count).toBeLessThan(3200);
  });
});

describe("with masquerade_all", () => {
  const fixture = useSocketDatapath("masquerade", { masqueradeAll: true });

  test("a pod's sockets leave Service addresses to the wire", async () => {
    const { datapath, servers } = fixture();
    const [a] = servers[4];
    const at = a.address;
    datapath.publish(
      service({ name: "web", at, port: a.tcpPort, cluster: [memberOf(servers[4][1], "TCP")] }),
      service({ name: "web", at, port: a.udpPort, protocol: "UDP", cluster: [memberOf(servers[4][1], "UDP")] }),
    );
    using tcp = await TcpClient.open(at, a.tcpPort);
    using udp = new UdpClient("udp4");
    expect(tcp.server).toBe("a");
    expect((await udp.ask(at, a.udpPort)).server).toBe("a");
  });
});

describe("on kernels without bpf_set_retval()", () => {
  const fixture = useSocketDatapath("no-retval", { setRetval: false });

  test("a Service without endpoints refuses with EPERM", async () => {
    fixture().datapath.publish(service({ name: "empty", at: "10.96.7.3", port: 80 }));
    await expect(TcpClient.open("10.96.7.3", 80)).rejects.toMatchObject({ code: "EPERM" });
    using udp = new UdpClient("udp4");
    fixture().datapath.publish(service({ name: "empty", at: "10.96.7.3", port: 80, protocol: "UDP" }));
    await expect(udp.ask("10.96.7.3", 80)).rejects.toMatchObject({ code: "EPERM" });
  });
});
