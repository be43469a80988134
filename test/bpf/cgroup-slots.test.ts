// SPDX-License-Identifier: Apache-2.0
// An unconnected UDP socket of the node that talks to more VIPs than it can remember; what a pod's does: test/netns/udp-many.

import { describe, expect, test } from "vitest";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { netnsCookie } from "../../src/libbpf/system.ts";
import { service } from "../support/compiled.ts";
import { UdpClient } from "../support/loopback.ts";
import { memberOf, useSocketDatapath, WAYS } from "../support/socket-fixture.ts";

const fixture = useSocketDatapath("slots", { hostNetnsCookie: netnsCookie() });

describe.each(WAYS)("an unconnected $name socket of the node", ({ dial, family, shown, udp, vip }) => {
  test("that talks to more VIPs than it has slots for forgets the one used longest ago", async () => {
    const { datapath, servers } = fixture();
    const a = memberOf(servers[family][0], "UDP");
    const ports = Array.from({ length: abi.Limits.SOCK_PEERS + 1 }, (_, i) => 1000 + i);
    const services = ports.map((port) =>
      service({ name: `many${port}`, at: vip(9), port, protocol: "UDP", cluster: [a] }),
    );
    datapath.publish(...services);
    const connections = () => services.map(({ key }) => datapath.stats(key).connections);
    const before = connections();
    using client = new UdpClient(udp);
    for (const port of ports) expect((await client.ask(dial(9), port)).from).toBe(shown(9, port));
    for (const port of ports.slice(1)) expect((await client.ask(dial(9), port)).from).toBe(shown(9, port));
    expect(connections().map((count, i) => count - (before[i] ?? 0))).toEqual(ports.map(() => 1));
    expect((await client.ask(dial(9), 1000)).from).toBe(shown(9, 1000));
    expect(connections().map((count, i) => count - (before[i] ?? 0))).toEqual(ports.map((_, i) => (i === 0 ? 2 : 1)));
    datapath.remove(...services.map(({ key }) => key));
  });
});
