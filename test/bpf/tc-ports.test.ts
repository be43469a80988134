// SPDX-License-Identifier: Apache-2.0
// Ports drawn at random: in their range, outside the NodePort range, away from host sockets and frontends, each once.

import { describe, expect, test } from "vitest";
import { answerTo } from "./support/build-packet.ts";
import { u16 } from "./support/datapath.ts";
import { fromPort, outsider4, outsider6 } from "./support/outsider.ts";
import { expectNothingLeft, useDatapath } from "./support/scenario.ts";

const families = [
  {
    ...outsider4,
    node: "192.0.2.1",
    hostPacket: `
      02000000ff20 020000000022 0800
      45000028 00014000 4006b7ae c0000201 0a000014
      9c40 1f90 00001001 00000000 5002ffff 5eef 0000`,
  },
  {
    ...outsider6,
    node: "2001:db8:2::1",
    hostPacket: `
      02000000ff20 020000000022 86dd
      6000000000140640 20010db8000200000000000000000001 fd000000000000000000000000000020
      9c40 1f90 00001001 00000000 5002ffff 0000 0000`,
  },
];

const range = (min: number, max: number) => ({ rodata: { snat_port_min: u16(min), snat_port_max: u16(max) } });

describe.each(families)("ports over $family", ({ family, services, portOffset, node, syn, hostPacket }) => {
  describe("of the default range", () => {
    const datapath = useDatapath(services, range(1024, 65535));

    test("row 41: 300 flows to one backend get 300 random ports, none below 1024, none of the NodePort range", async () => {
      for (let port = 50000; port < 50300; port++) {
        const { verdict } = await datapath().run("ingress", "uplink", syn(port));
        expect(verdict).toBe("next");
      }
      const owners = (await datapath().records()).filter(({ flow }) => flow.role === 1);
      const ports = owners.map(({ flow }) => flow.snatPort);
      expect(new Set(ports).size).toBe(300);
      const inOrder = owners
        .map(({ flow }) => [flow.clientPort, flow.snatPort])
        .sort()
        .map(([, port]) => port);
      expect(inOrder).not.toEqual([...inOrder].sort((a, b) => (a ?? 0) - (b ?? 0)));
      expect(ports.filter((port) => port < 1024 || (port >= 30000 && port <= 32767))).toEqual([]);
      await expectNothingLeft(datapath());
    });
  });

  describe("of a range of two that begins within the NodePort range", () => {
    const datapath = useDatapath(services, range(32766, 32768));

    test("only the port outside the NodePort range is drawn", async () => {
      await datapath().run("ingress", "uplink", syn(50_000));
      const [owner] = (await datapath().records()).filter(({ flow }) => flow.role === 1);
      expect(owner?.flow.snatPort).toBe(32768);
      await expectNothingLeft(datapath());
    });
  });

  describe("of a range of two, one of them a NodePort outside the NodePort range", () => {
    const nodePort = { name: "early", proto: "tcp", kind: "NodePort" } as const;
    const wildcard = family === "IPv4" ? "0.0.0.0" : "[::]";
    const endpoint = family === "IPv4" ? "10.0.0.20:8080" : "[fd00::20]:8080";
    const early = { ...nodePort, frontend: `${wildcard}:20005`, endpoints: [endpoint] };
    const datapath = useDatapath([...services, early], range(20_005, 20_006));

    test("row 41: the NodePort is not drawn: an answer to it would be taken for a new connection", async () => {
      const verdicts: string[] = [];
      for (const port of [50_000, 50_001]) {
        verdicts.push((await datapath().run("ingress", "uplink", syn(port))).verdict);
      }
      expect(verdicts).toEqual(["next", "drop"]);
      const owners = (await datapath().records()).filter(({ flow }) => flow.role === 1);
      expect(owners.map(({ flow }) => flow.snatPort)).toEqual([20_006]);
      await expectNothingLeft(datapath());
    });
  });

  describe("of a range of two", () => {
    const datapath = useDatapath(services, range(40000, 40001));
    const drawn = async () => {
      const owners = (await datapath().records()).filter(({ flow }) => flow.role === 1);
      return owners.map(({ flow }) => flow.snatPort).sort();
    };

    test.each(["tcp", "udp"] as const)("a host's %s socket keeps its port (E2)", async (proto) => {
      await datapath().machine.ask({ do: "listen", proto, address: node, port: 40000 });
      try {
        for (let port = 50000; port < 50002; port++) {
          await datapath().run("ingress", "uplink", syn(port));
        }
        expect(await drawn()).toEqual(proto === "tcp" ? [40001] : [40000, 40001]);
      } finally {
        await datapath().machine.ask({ do: "closeSockets" });
        await datapath().forgetFlows();
      }
    });

    test("a host packet on a claimed SNAT tuple leaves from the other port, and its reply comes back to its own (E2)", async () => {
      await datapath().run("ingress", "uplink", syn(50_000));
      const [claimed = 0] = await drawn();
      const other = 80001 - claimed;
      const out = await datapath().run("egress", "server", fromPort(hostPacket, portOffset, claimed));
      expect(new DataView(out.data.buffer, out.data.byteOffset).getUint16(portOffset)).toBe(other);
      expect(await drawn()).toEqual([40000, 40001]);

      const reply = answerTo(out.data);
      reply[portOffset + 13] = 0x12; // SYN and ACK
      const back = await datapath().run("ingress", "server", reply);
      expect(new DataView(back.data.buffer, back.data.byteOffset).getUint16(portOffset + 2)).toBe(claimed);
      expect(Object.keys(await datapath().counters()).filter((name) => name.startsWith("service"))).toEqual([]);
      await expectNothingLeft(datapath());
    });
  });
});
