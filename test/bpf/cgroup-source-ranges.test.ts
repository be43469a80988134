// SPDX-License-Identifier: Apache-2.0
// Row 44 at sockets: the node's own are served or refused by the address they are bound to, or by what is said of the
// node; pods' leave it to their packets.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import type { CompiledService, SourceFilter } from "../../src/compile/state.ts";
import { DropReason } from "../../src/datapath/ebpf/abi.gen.ts";
import { netnsCookie } from "../../src/libbpf/system.ts";
import type { Protocol } from "../../src/model/service.ts";
import { ip, service } from "../support/compiled.ts";
import { TcpClient, UdpClient } from "../support/loopback.ts";
import { memberOf, type SocketFixture, useSocketDatapath, WAYS, type Way } from "../support/socket-fixture.ts";
import { until } from "../support/until.ts";

const NODE = { 4: { address: ip("0.0.0.0"), prefixLength: 32 }, 6: { address: ip("::"), prefixLength: 128 } } as const;

/** Admits 127.77.0.8/29 and ::1/128, and the node's unbound sockets or not. */
function guarded(family: 4 | 6, node: boolean): SourceFilter {
  const range =
    family === 4 ? { address: ip("127.77.0.8"), prefixLength: 29 } : { address: ip("::1"), prefixLength: 128 };
  const rules = [
    { range, admit: true },
    { range: NODE[family], admit: node },
  ];
  return { kinds: ["LoadBalancer"], rules };
}

function publish(
  { datapath, servers }: SocketFixture,
  way: Way,
  protocol: Protocol,
  sources: SourceFilter | undefined,
): CompiledService {
  const cluster = [memberOf(servers[way.family][0], protocol)];
  const at = { at: way.vip(4), port: 80, kind: "LoadBalancer" } as const;
  const published = service({ name: "guarded", ...at, protocol, cluster, sources });
  datapath.publish(published);
  return published;
}

describe("row 44: a socket of the node", () => {
  const fixture = useSocketDatapath("ranges-host", { hostNetnsCookie: netnsCookie() });

  test.each(WAYS)("that leaves its address to the kernel is what is said of the node: $name", async (way) => {
    publish(fixture(), way, "TCP", guarded(way.family, true));
    publish(fixture(), way, "UDP", guarded(way.family, true));
    {
      using tcp = await TcpClient.open(way.dial(4), 80);
      expect(tcp).toMatchObject({ server: "a", remote: way.shown(4, 80) });
      using udp = new UdpClient(way.udp);
      expect(await udp.ask(way.dial(4), 80)).toEqual({ server: "a", from: way.shown(4, 80) });
    }
    const { datapath } = fixture();
    const tcp = publish(fixture(), way, "TCP", guarded(way.family, false));
    const udp = publish(fixture(), way, "UDP", guarded(way.family, false));
    const before = [datapath.stats(tcp.key).rejects, datapath.stats(udp.key).rejects];
    const drops = datapath.drops(DropReason.DROP_SOURCE_RANGE);
    await expect(TcpClient.open(way.dial(4), 80)).rejects.toMatchObject({ code: "EACCES" });
    using asking = new UdpClient(way.udp);
    await expect(asking.ask(way.dial(4), 80)).rejects.toMatchObject({ code: "EACCES" });
    await using connecting = new UdpClient(way.udp);
    await expect(connecting.connect(way.dial(4), 80)).rejects.toMatchObject({ code: "EACCES" });
    const after = [datapath.stats(tcp.key).rejects, datapath.stats(udp.key).rejects];
    expect(after.map((count, i) => count - (before[i] ?? 0))).toEqual([1, 2]);
    expect(datapath.drops(DropReason.DROP_SOURCE_RANGE) - drops).toBe(3);
  });

  test.each([
    { way: WAYS[0], bound: "127.77.0.9", served: true },
    { way: WAYS[0], bound: "127.77.0.16", served: false },
    { way: WAYS[2], bound: "::ffff:127.77.0.9", served: true },
    { way: WAYS[2], bound: "::ffff:127.77.0.16", served: false },
  ])("that is bound to $bound is served: $served", async ({ way, bound, served }) => {
    if (way === undefined) throw new Error("no such way");
    // the node is said to be what this address is not
    publish(fixture(), way, "TCP", guarded(way.family, !served));
    publish(fixture(), way, "UDP", guarded(way.family, !served));
    const outcomes: unknown[] = [];
    const note = async (asked: Promise<{ readonly server: string }>) =>
      outcomes.push(
        await asked.then(
          ({ server }) => server,
          ({ code }: NodeJS.ErrnoException) => code,
        ),
      );
    await note(
      TcpClient.open(way.dial(4), 80, bound).then((client) => {
        client[Symbol.dispose]();
        return client;
      }),
    );
    using asking = new UdpClient(way.udp);
    await asking.bind(bound);
    await note(asking.ask(way.dial(4), 80));
    await using connecting = new UdpClient(way.udp);
    await connecting.bind(bound);
    await note(connecting.connect(way.dial(4), 80).then(() => connecting.askPeer()));
    expect(outcomes).toEqual(served ? ["a", "a", "a"] : ["EACCES", "EACCES", "EACCES"]);
  });

  test("of IPv6 that is bound to ::1 is served though the node is not", async () => {
    const [, way] = WAYS;
    if (way === undefined) throw new Error("no such way");
    publish(fixture(), way, "TCP", guarded(6, false));
    using client = await TcpClient.open(way.dial(4), 80, "::1");
    expect(client.server).toBe("a");
  });

  test("row 50: a datagram socket keeps its endpoint when it is not served any more, a new one is refused", async () => {
    const [way] = WAYS;
    if (way === undefined) throw new Error("no such way");
    publish(fixture(), way, "UDP", guarded(4, true));
    using old = new UdpClient("udp4");
    expect(await old.ask(way.dial(4), 80)).toMatchObject({ server: "a" });
    publish(fixture(), way, "UDP", guarded(4, false));
    expect(await old.ask(way.dial(4), 80)).toMatchObject({ server: "a" });
    using fresh = new UdpClient("udp4");
    await expect(fresh.ask(way.dial(4), 80)).rejects.toMatchObject({ code: "EACCES" });
  });
});

describe("row 44: a socket of a pod", () => {
  const fixture = useSocketDatapath("ranges-pod");

  /** The VIP is where server b listens, so that an untranslated connection meets b. */
  function atServerB(sources: SourceFilter | undefined): { readonly address: string; readonly port: number } {
    const { datapath, servers } = fixture();
    const [a, b] = servers[4];
    const at = { at: b.address, port: b.tcpPort, kind: "LoadBalancer" } as const;
    datapath.publish(service({ name: "guarded", ...at, cluster: [memberOf(a, "TCP")], sources }));
    return { address: b.address, port: b.tcpPort };
  }

  test("leaves a frontend with source ranges to its packets, and no other", async () => {
    const { address, port } = atServerB(guarded(4, true));
    using left = await TcpClient.open(address, port);
    expect(left.server).toBe("b");
    atServerB({ ...guarded(4, true), kinds: ["NodePort"] });
    using balanced = await TcpClient.open(address, port);
    expect(balanced.server).toBe("a");
  });

  test("whose connect() meets ranges that have just come, or gone, is not refused", async () => {
    const { datapath, servers } = fixture();
    const [, b] = servers[4];
    const cluster = [memberOf(b, "UDP")];
    const vip = { at: b.address, port: b.udpPort, kind: "LoadBalancer", protocol: "UDP", cluster } as const;
    const ranged = service({ ...vip, name: "changing", sources: guarded(4, false) });
    const open = service({ ...vip, name: "open", at: "10.96.7.9" });
    datapath.publish(ranged, open);
    const { services } = datapath.writer.stores.cells;
    const rowAt = (id: number) => services.offset(id) / 4;
    const at = rowAt(datapath.serviceId(ranged.key));
    const [row = 0, openRow = 0] = [at, rowAt(datapath.serviceId(open.key))].map((place) => services.halfWords[place]);
    await using connecting = connectAgainAndAgain(b.address, b.udpPort);
    let met = 0;
    await until("it has met changes many times", () => {
      const before = datapath.stats(ranged.key).connections;
      // As often as a word can change: a connect() looks for less than a microsecond.
      for (const end = performance.now() + 50; performance.now() < end; ) {
        for (let i = 0; i < 1000; i++) Atomics.store(services.halfWords, at, i % 2 === 0 ? openRow : row);
      }
      const { connections } = datapath.stats(ranged.key);
      met += connections - before;
      return met > 3000 && connecting.made() > connections + 3000;
    });
    expect(connecting.refusals()).toEqual([]);
    expect(datapath.stats(ranged.key).rejects).toBe(0);
  });
});

/** A process of its own, in this one's cgroup: one socket, connected, closed and again. */
function connectAgainAndAgain(address: string, port: number) {
  const script = `
    const { createSocket } = require("node:dgram");
    let made = 0;
    const again = () => {
      const socket = createSocket("udp4");
      socket.connect(${port}, "${address}", (error) => {
        if (error) console.log(error.code);
        else if (++made % 100 === 0) console.log(made);
        socket.close();
        setImmediate(again);
      });
    };
    again();`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  const lines = () => output.split("\n").slice(0, -1);
  return {
    made: () => Number(lines().findLast((line) => /^\d+$/.test(line)) ?? 0),
    refusals: () => lines().filter((line) => !/^\d+$/.test(line)),
    /** A cgroup cannot go before the last process in it has. */
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
