// SPDX-License-Identifier: Apache-2.0
// IPv6 where the uplink takes router advertisements: its own flag says that it does not forward, and the kernel, which
// asks only the flag of all devices, does.
import { beforeAll, describe, expect, test } from "vitest";
import { useCluster } from "../support/cluster.ts";

describe("net.ipv6.conf.eth0.forwarding is 0, that of all is 1", () => {
  const cluster = useCluster({
    services: (lab) => [
      { name: "far", number: 1, nodePort: 30_001, endpoints: [{ address: lab.pod("p2a").address }] },
      { name: "near", number: 2, nodePort: 30_002, endpoints: [{ address: lab.pod("p1b").address }] },
    ],
  });
  beforeAll(async () => {
    const { lab } = cluster();
    for (const name of ["p1b", "p2a"]) await lab.serve(lab.pod(name));
    await lab.sysctl(lab.node("n1"), "net.ipv6.conf.eth0.forwarding=0");
  });

  test("the kernel forwards", async () => {
    const { lab } = cluster();
    const client = await cluster().wire(lab.client);
    const direct = await client.tcp({ address: lab.pod("p1b").address.v6, port: 8080, count: 1 });
    expect(direct).toMatchObject({ answered: 1, sources: { [lab.client.address.v6]: 1 } });
  });

  test.each([
    ["another node's", 30_001],
    ["this node's", 30_002],
  ])("row 36: NodePorts are masqueraded, of %s pod", async (_, port) => {
    const { lab } = cluster();
    const client = await cluster().wire(lab.client);
    const address = lab.node("n1").address.v6;
    const asked = { address, port, count: 5, timeoutMs: 2000 };
    expect(await client.tcp(asked)).toMatchObject({ answered: 5, failures: {}, sources: { [address]: 5 } });
    expect(await client.udp(asked)).toMatchObject({ answered: 5, failures: {}, sources: { [address]: 5 } });
  });
});
