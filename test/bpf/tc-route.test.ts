// SPDX-License-Identifier: Apache-2.0
// What the FIB says while flows begin and go on: an MTU too small, a route that is gone, no address to masquerade with.

import { afterEach, describe, expect, test } from "vitest";
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
  },
];

describe.each(families)(
  "routes over IPv$family",
  ({ family, services, pod, outside, node, external, seen, backend }) => {
    const datapath = useDatapath(services);
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
  },
);
