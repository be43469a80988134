// SPDX-License-Identifier: Apache-2.0
// What the FIB says while flows begin and go on: an MTU too small, a route that is gone, no address to masquerade with.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { buildPacket, endsOf } from "./support/build-packet.ts";
import type { Counters } from "./support/datapath.ts";
import { expectNothingLeft, useDatapath } from "./support/scenario.ts";
import { services4, services6 } from "./support/services.ts";

const families = [
  {
    family: 4 as const,
    services: services4,
    pod: "10.0.0.10",
    outside: "203.0.113.5",
    node: "192.0.2.1",
    external: "198.51.100.1",
    /** Overlay address and drawn port, hex. */
    seen: "0ac80001:9c40",
    backend: "10.200.0.20",
    backendSeen: "0ac80014",
    host: "c0000201:1f90",
    forwarding: "net.ipv4.conf.uplink.forwarding",
    encap: ["ip", "id", "5", "dst", "10.200.0.9"],
  },
  {
    family: 6 as const,
    services: services6,
    pod: "fd00::10",
    outside: "2001:db8:99::5",
    node: "2001:db8:2::1",
    external: "2001:db8:51::1",
    seen: "fd000200000000000000000000000001:9c40",
    backend: "fd00:200::20",
    backendSeen: "fd000200000000000000000000000020",
    host: "20010db8000200000000000000000001:1f90",
    forwarding: "net.ipv6.conf.all.forwarding",
    encap: ["ip6", "id", "5", "dst", "fd00:200::9"],
  },
];

describe.each(families)(
  "routes over IPv$family",
  ({ family, services, pod, outside, node, external, seen, backend, backendSeen, host, forwarding, encap }) => {
    const datapath = useDatapath(services);
    const sysctl = (setting: string) => datapath().machine.ask({ do: "command", argv: ["sysctl", "-qw", setting] });
    const ip = (...argv: readonly string[]) =>
      datapath().machine.ask({ do: "command", argv: ["ip", `-${family}`, ...argv] });
    const drops = (counters: Counters): readonly string[] =>
      Object.entries(counters).flatMap(([name, count]) => (name.startsWith("drops.") ? [`${name} ${count}`] : []));
    const syn = { family, proto: "tcp", sourcePort: 50000, flags: 2, payload: new Uint8Array(0) } as const;

    afterEach(() => expectNothingLeft(datapath()));

    test("a datagram above the MTU is masqueraded too: the stack fragments it or says so", async () => {
      await ip("link", "set", "overlay", "mtu", "1400");
      const fields = { device: "client", family, proto: "udp", sourcePort: 50000, destinationPort: 53 } as const;
      const large = { source: pod, destination: external, flags: 0, payload: new Uint8Array(1440) };
      const there = await datapath().run("ingress", "client", buildPacket({ ...fields, ...large }));
      await ip("link", "set", "overlay", "mtu", "1500");
      expect(there.verdict).toBe("next");
      const out = await datapath().run("egress", "overlay", there.data);
      expect(endsOf(out.data).split(" > ")[0]).toBe(seen);
    });

    test("a transit flow whose route goes is dropped by name, and goes on when it is back", async () => {
      const packet = buildPacket({
        ...syn,
        device: "uplink",
        source: outside,
        destination: external,
        destinationPort: 80,
      });
      expect((await datapath().run("ingress", "uplink", packet)).verdict).toBe("redirect");
      await ip("route", "add", "unreachable", backend);
      expect((await datapath().run("ingress", "uplink", packet)).verdict).toBe("drop");
      expect(drops(await datapath().counters())).toEqual(["drops.no_route 1"]);
      await ip("route", "del", "unreachable", backend);
      expect((await datapath().run("ingress", "uplink", packet)).verdict).toBe("redirect");
    });

    test("a device without an address of the family cannot masquerade: refused by name", async () => {
      const before = drops(await datapath().counters());
      const packet = buildPacket({
        ...syn,
        device: "uplink",
        source: outside,
        destination: node,
        destinationPort: 30085,
      });
      expect((await datapath().run("ingress", "uplink", packet)).verdict).toBe("drop");
      expect(await datapath().flows()).toEqual([]);
      const added = drops(await datapath().counters()).filter((line) => !before.includes(line));
      expect(added).toEqual(["drops.no_snat_address 1"]);
    });

    const empty = new Uint8Array(0);
    const fromOutside = { family, device: "uplink", source: outside, sourcePort: 50_001 } as const;
    const toOverlay = { ...fromOutside, destination: external, flags: 2, payload: empty };

    test("row 41: a route whose device the FIB does not tell is not taken as the client: refused by name", async () => {
      await ip("route", "add", backend, "encap", ...encap, "dev", "overlay");
      const before = (await datapath().counters())["drops.no_route"] ?? 0;
      const packet = buildPacket({ ...toOverlay, proto: "tcp", destinationPort: 80 });
      expect((await datapath().run("ingress", "uplink", packet)).verdict).toBe("drop");
      await ip("route", "del", backend);
      expect((await datapath().counters())["drops.no_route"]).toBe(before + 1);
      expect(await datapath().flows()).toEqual([]);
    });

    test.each([
      ["tcp", 80, "1f90"],
      ["udp", 53, "14e9"],
    ] as const)(
      "row 41: what began without a way is masqueraded once there is one, by %s",
      async (proto, port, target) => {
        const packet = buildPacket({ ...toOverlay, proto, destinationPort: port });
        await ip("route", "add", "unreachable", backend);
        const { verdict, data } = await datapath().run("ingress", "uplink", packet);
        expect(verdict).toBe("next"); // to the stack, which says so
        expect(endsOf(data).split(" > ")[1]).toBe(`${backendSeen}:${target}`);
        await ip("route", "del", "unreachable", backend);
        const there = await datapath().run("ingress", "uplink", packet);
        expect(there.verdict).toBe("redirect");
        expect(endsOf(there.data)).toBe(`${seen} > ${backendSeen}:${target}`);
      },
    );

    test("a node that forwards nothing serves backends of its own, which see the client", async () => {
      const packet = buildPacket({
        ...fromOutside,
        proto: "tcp",
        destination: node,
        destinationPort: 30_084,
        flags: 2,
        payload: empty,
      });
      await sysctl(`${forwarding}=0`);
      const { verdict, data } = await datapath().run("ingress", "uplink", packet);
      await sysctl(`${forwarding}=1`);
      expect(verdict).toBe("next");
      expect(endsOf(data).split(" > ")[1]).toBe(host);
      expect((await datapath().flows()).join()).not.toMatch(/ as /);
    });
  },
);

// What hosts do that take router advertisements: bpf_fib_lookup() goes by the device's own flag, the kernel by that of all.
describe("IPv6 forwarding that is off at the uplink and on for all", () => {
  const datapath = useDatapath(services6);
  const sysctl = (value: 0 | 1) =>
    datapath().machine.ask({
      do: "command",
      argv: ["sysctl", "-qw", `net.ipv6.conf.uplink.forwarding=${value}`],
    });
  beforeAll(() => sysctl(0));
  afterAll(() => sysctl(1));
  afterEach(() => expectNothingLeft(datapath()));

  const syn = (destination: string, destinationPort: number) =>
    buildPacket({
      device: "uplink",
      family: 6,
      proto: "tcp",
      source: "2001:db8:99::5",
      sourcePort: 50_000,
      destination,
      destinationPort,
      flags: 2,
      payload: new Uint8Array(0),
    });

  test("what passes through is masqueraded and goes on", async () => {
    for (let n = 0; n < 2; n++) {
      const { verdict, data } = await datapath().run("ingress", "uplink", syn("2001:db8:51::1", 80));
      expect(verdict).toBe("redirect");
      expect(endsOf(data)).toBe("fd000200000000000000000000000001:9c40 > fd000200000000000000000000000020:1f90");
    }
  });

  test("a pod sees the node", async () => {
    const { verdict } = await datapath().run("ingress", "uplink", syn("2001:db8:2::1", 30_080));
    expect(verdict).toBe("next");
    expect(await datapath().flows()).toEqual([
      "nascent owner [2001:db8:99::5]:50000 > [2001:db8:2::1]:30080 > [fd00::20]:8080 as [2001:db8:2::1]:40000",
    ]);
  });
});
