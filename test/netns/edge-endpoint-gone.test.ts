// SPDX-License-Identifier: Apache-2.0
// A client that sends all its datagrams from one port follows its Service's endpoints (row 58 of the behaviour contract),
// also when the endpoint it leaves goes on serving another Service. A TCP connection stays with its endpoint, whatever SYN
// comes by (row 50).
import { beforeAll, describe, expect, test } from "vitest";
import { onesComplementSum } from "../bpf/support/valid-packet.ts";
import { address as bytesOf } from "../bpf/support/world.ts";
import { useCluster } from "../support/cluster.ts";
import { compileProgram } from "../support/compile.ts";
import { pathServices, servePaths } from "../support/paths.ts";

/** A TCP header from port 46001 to 30005, hex, of a number that the connection is nowhere near. */
function synOf(source: string, destination: string): string {
  const header = Buffer.from("b3b17535 00003039 00000000 5002 03e8 0000 0000".replaceAll(" ", ""), "hex");
  const addresses = Buffer.concat([bytesOf(source), bytesOf(destination)]); // of IPv4 they sum up the same as mapped
  header.writeUInt16BE(0xffff - onesComplementSum([addresses, Uint8Array.of(0, 6, 0, header.length), header]), 16);
  return header.toString("hex");
}

describe("the endpoints of a Service change under a UDP client", () => {
  const cluster = useCluster({ firewall: "realistic", services: pathServices });
  beforeAll(() => servePaths(cluster().lab));

  test.each(["v4", "v6"] as const)("which goes to whom serves it now, %s", async (family) => {
    const { lab } = cluster();
    const client = await cluster().wire(lab.client);
    const remote = pathServices(lab).find(({ name }) => name === "remote");
    if (!remote) throw new Error("the paths have no remote Service");
    const many = { address: lab.node("n1").address[family], port: 30_005, localPort: 46_000, count: 2 };
    expect(await client.udp(many)).toMatchObject({ pods: { p2a: 2 } });
    await cluster().write({ ...remote, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] });
    expect(await client.udp(many)).toMatchObject({ pods: { p1b: 2 } });
    await cluster().write({ ...remote, endpoints: [] });
    expect(await client.udp({ ...many, timeoutMs: 500 })).toMatchObject({ answered: 0 });
    await cluster().write(remote);
    expect(await client.udp(many)).toMatchObject({ pods: { p2a: 2 } });
  });

  test.each(["v4", "v6"] as const)(
    "row 50: a stray SYN takes no connection from the one that left, %s",
    async (family) => {
      const { lab } = cluster();
      const raw = compileProgram("raw", lab.plan.directory);
      const client = await cluster().wire(lab.client);
      const remote = pathServices(lab).find(({ name }) => name === "remote");
      if (!remote) throw new Error("the paths have no remote Service");
      const address = lab.node("n1").address[family];
      const held = await client.hold({ address, port: 30_005, localPort: 46_001 });
      await cluster().write({ ...remote, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] });
      await held.echo();
      await lab.exec(lab.client, [raw, address, "6", synOf(lab.client.address[family], address)]);
      await held.echo({ count: 3 }); // behind the SYN
      await held.close();
      expect(await client.tcp({ address, port: 30_005, count: 2 })).toMatchObject({ pods: { p1b: 2 } });
      await cluster().write(remote);
    },
  );
});
