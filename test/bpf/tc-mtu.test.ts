// SPDX-License-Identifier: Apache-2.0
// A flow whose first packet is larger than the MTU of the device it will leave by.

import { describe, expect, test } from "vitest";
import { buildPacket, endsOf } from "./support/build-packet.ts";
import { useDatapath } from "./support/scenario.ts";
import { services4, services6 } from "./support/services.ts";

const families = [
  { family: 4 as const, services: services4, source: "10.0.0.10", destination: "198.51.100.1", seen: "0ac80001:9c40" },
  {
    family: 6 as const,
    services: services6,
    source: "fd00::10",
    destination: "2001:db8:51::1",
    seen: "fd000200000000000000000000000001:9c40",
  },
];

describe.each(families)("a large datagram over IPv$family", ({ family, services, source, destination, seen }) => {
  const datapath = useDatapath(services);

  test("is masqueraded although the overlay cannot take it whole: the stack fragments it or says so", async () => {
    await datapath().machine.ask({ do: "command", argv: ["ip", "link", "set", "overlay", "mtu", "1400"] });
    const fields = {
      device: "client",
      family,
      proto: "udp",
      source,
      destination,
      sourcePort: 50000,
      destinationPort: 53,
    } as const;
    const packet = buildPacket({ ...fields, flags: 0, payload: new Uint8Array(1440) });
    const there = await datapath().run("ingress", "client", packet);
    expect(there.verdict).toBe("next");
    const out = await datapath().run("egress", "overlay", there.data);
    expect(endsOf(out.data).split(" > ")[0]).toBe(seen);
  });
});
