// SPDX-License-Identifier: Apache-2.0
// Sockets that live on while the Services, or the programs themselves, change under them.

import { describe, expect, test } from "vitest";
import { service } from "../support/compiled.ts";
import { TcpClient, UdpClient } from "../support/loopback.ts";
import { memberOf, useSocketDatapath, WAYS } from "../support/socket-fixture.ts";

const fixture = useSocketDatapath("change");

describe.each(WAYS)("$name sockets", ({ family, udp, vip, dial, shown }) => {
  test("row 50: an established connection outlives its backend's removal, and new ones go elsewhere", async () => {
    const { datapath, servers } = fixture();
    const [a, b] = servers[family].map((server) => memberOf(server, "TCP"));
    if (!a || !b) throw new Error("the fixture has two servers a family");
    const web = (cluster: readonly (typeof a)[]) => service({ name: "web", at: vip(1), port: 80, cluster });
    datapath.publish(web([a]));
    using held = await TcpClient.open(dial(1), 80);
    datapath.publish(web([b]));
    await datapath.writer.drained();
    expect(await held.echo("still there?")).toBe("still there?");
    for (let i = 0; i < 10; i++) {
      using client = await TcpClient.open(dial(1), 80);
      expect(client.server).toBe("b");
    }
    datapath.remove(web([b]).key);
    await datapath.writer.drained();
    expect(await held.echo("and now?")).toBe("and now?");
  });

  test("a Service deleted and created again is served again, also with another address", async () => {
    const { datapath, servers } = fixture();
    const [a, b] = servers[family];
    const first = service({ name: "again", at: vip(2), port: 80, cluster: [memberOf(a, "TCP")] });
    datapath.publish(first);
    using before = await TcpClient.open(dial(2), 80);
    expect(before.server).toBe("a");
    datapath.remove(first.key);
    await datapath.writer.drained();
    datapath.publish(service({ name: "again", at: vip(3), port: 80, cluster: [memberOf(b, "TCP")] }));
    using after = await TcpClient.open(dial(3), 80);
    expect(after).toMatchObject({ server: "b", remote: shown(3, 80) });
    datapath.publish(service({ name: "again", at: vip(2), port: 80, cluster: [memberOf(b, "TCP")] }));
    using back = await TcpClient.open(dial(2), 80);
    expect(back).toMatchObject({ server: "b", remote: shown(2, 80) });
  });

  test("sockets that were there before the programs were replaced know their VIPs after", async () => {
    const { datapath, servers } = fixture();
    const [a] = servers[family];
    datapath.publish(
      service({ name: "web", at: vip(1), port: 80, cluster: [memberOf(a, "TCP")] }),
      service({ name: "dns", at: vip(1), port: 53, protocol: "UDP", cluster: [memberOf(a, "UDP")] }),
    );
    using tcp = await TcpClient.open(dial(1), 80);
    using connected = new UdpClient(udp);
    await connected.connect(dial(1), 53);
    using unconnected = new UdpClient(udp);
    const first = await unconnected.ask(dial(1), 53);
    datapath.replacePrograms();
    expect(await tcp.echo("hello")).toBe("hello");
    expect(connected.peer()).toBe(shown(1, 53));
    expect(await connected.askPeer()).toEqual({ server: "a", from: shown(1, 53) });
    expect(await unconnected.ask(dial(1), 53)).toEqual(first);
    using later = await TcpClient.open(dial(1), 80);
    expect(later).toMatchObject({ server: "a", remote: shown(1, 80) });
  });
});
