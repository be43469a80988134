// SPDX-License-Identifier: Apache-2.0
// The smallest flow tables there can be, under SYNs whose senders never go on, and one client port used again and again.
import { beforeAll, describe, expect, test } from "vitest";
import type { HeldConnection } from "../../src/demo/lab/traffic.ts";
import { useCluster } from "../support/cluster.ts";

const families = ["v4", "v6"] as const;
/** Begins connections and leaves them at once: HALF_OPEN ADDRESS PORT COUNT. */
const HALF_OPEN = `
import socket, sys
address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for _ in range(count):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    s.setblocking(False)
    s.connect_ex((address, port))
    s.close()
`;

describe.each(["none", "realistic"] as const)("1024 records of flows, firewall %s", (firewall) => {
  const cluster = useCluster({
    firewall,
    agentFlags: ["--max-flows", "1024"],
    services: (lab) => [
      { name: "pod", number: 1, nodePort: 30_001, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] },
      { name: "far", number: 2, nodePort: 30_002, endpoints: [{ address: lab.pod("p2a").address, nodeName: "n2" }] },
    ],
  });
  beforeAll(async () => {
    const { lab } = cluster();
    for (const pod of ["p1b", "p2a"]) await lab.serve(lab.pod(pod));
  });

  test.each(families)("3000 half-open connections leave others alive and new ones are served, %s", async (family) => {
    const { lab } = cluster();
    const client = await cluster().wire(lab.client);
    const target = { address: lab.node("n1").address[family], port: 30_002 };
    const held: HeldConnection[] = [];
    for (let n = 0; n < 5; n++) held.push(await client.hold(target));
    const iptables = family === "v4" ? "iptables" : "ip6tables";
    const unheard = ["-p", "tcp", "--sport", "30001", "--tcp-flags", "SYN,ACK", "SYN,ACK", "-j", "DROP"];
    await lab.exec(lab.client, [iptables, "-I", "INPUT", ...unheard]);
    await lab.exec(lab.client, ["python3", "-c", HALF_OPEN, target.address, "30001", "3000"]);
    expect(await client.tcp({ ...target, count: 30 })).toMatchObject({ answered: 30, failures: {} });
    await lab.exec(lab.client, [iptables, "-D", "INPUT", ...unheard]);
    expect(await client.tcp({ ...target, port: 30_001, count: 30 })).toMatchObject({ answered: 30, failures: {} });
    for (const connection of held) {
      await connection.echo();
      await connection.close();
    }
  });

  test.each(families)("20 connections one after the other from one client port, %s", async (family) => {
    const { lab } = cluster();
    const client = await cluster().wire(lab.client);
    for (const port of [30_001, 30_002]) {
      const target = {
        address: lab.node("n1").address[family],
        port,
        localPort: 45_000 + port - 30_000,
        timeoutMs: 3000,
      };
      for (let n = 0; n < 20; n++) {
        const held = await client.hold(target);
        await held.echo();
        await held.close();
        // the client forgets it, or it would not use the port again for a minute
        await lab.exec(lab.client, ["ss", "-K", "state", "all", "sport", "=", `:${target.localPort}`]);
      }
    }
  });
});
