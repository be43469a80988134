// SPDX-License-Identifier: Apache-2.0
// Clause E7 of the rule of the edge with the tool that administrators use: traceroute through Service addresses, by TCP and
// UDP, with the path MTU of VXLAN between the nodes, and with datagrams in fragments.
import { beforeAll, describe, expect, test } from "vitest";
import { carriedServices, carriedTarget, serveCarried } from "../support/carried.ts";
import { useCluster } from "../support/cluster.ts";
import { carrierAddress, carryBy, OVERLAY_MTU } from "../support/overlay.ts";
import { sayEverything } from "../support/path-mtu.ts";
import { hostOf } from "../support/paths.ts";

const ASKED = [
  { from: "p1a", frontend: "clusterIP" },
  { from: "client", frontend: "nodePort" },
  { from: "client", frontend: "loadBalancer" },
] as const;
type Asked = (typeof ASKED)[number];

interface Hop {
  readonly hop: number;
  /** "*": nobody answered */
  readonly from: string;
  readonly mtu: number | undefined;
}

describe("row 49: traceroute", () => {
  const cluster = useCluster({
    firewall: "realistic",
    services: carriedServices,
    prepare: (lab) => carryBy(lab, "vxlan"),
  });
  beforeAll(async () => {
    await serveCarried(cluster().lab);
    await sayEverything(cluster().lab);
  });

  describe.each(["v4", "v6"] as const)("%s", (family) => {
    test.each(ASKED)("from $from through the $frontend: both nodes, then the address itself", async (asked) => {
      for (const protocol of ["-U", "-T"]) expectHops(await traceroute(asked, [protocol]), target(asked).address);
    });

    test.each(ASKED)(
      "from $from through the $frontend: the MTU of each link, then 5000 bytes in fragments",
      async (asked) => {
        const { address } = target(asked);
        const hops = await traceroute(asked, ["-U", "--mtu"]);
        expectHops(hops, address);
        // a router names what fits its next link; nobody does beyond the second
        expect(hops.map(({ mtu }) => mtu)).toEqual([1500, OVERLAY_MTU.vxlan[family], undefined]);
        expect(await traceroute(asked, ["-U", "-f", "3"], "5000")).toMatchObject([{ hop: 3, from: address }]);
      },
    );

    function target({ frontend }: Asked): { readonly address: string; readonly port: number } {
      return carriedTarget(cluster().lab, { service: "far", frontend }, "vxlan", family);
    }

    function expectHops(hops: readonly Hop[], address: string): void {
      expect(hops.map(({ hop }) => hop)).toEqual([1, 2, 3]);
      expect(own("n1")).toContain(hops[0]?.from);
      expect(own("n2")).toContain(hops[1]?.from);
      expect(hops[2]?.from).toBe(address);
    }

    /** A router answers from whichever of its addresses it likes. */
    function own(name: string): readonly string[] {
      const node = cluster().lab.node(name);
      const bridge = node.bridgeAddress[family].replace(/\/.*/, "");
      return [node.address[family], bridge, carrierAddress(node, "vxlan")[family]];
    }

    async function traceroute(asked: Asked, options: readonly string[], bytes = ""): Promise<readonly Hop[]> {
      const { address, port } = target(asked);
      const fixed = ["-n", "-q", "1", "-w", "5", "-m", "5", "-p", String(port)];
      const argv = ["traceroute", ...fixed, ...options, address, bytes].filter((word) => word !== "");
      return readHops(await cluster().lab.exec(hostOf(cluster().lab, asked.from), argv));
    }
  });
});

/** " 2  10.9.2.0  0.105 ms F=1450" */
function readHops(text: string): readonly Hop[] {
  const found = text.matchAll(/^ *(\d+) {2}(\S+)(?:.* ms(?: F=(\d+))?)?$/gm);
  return [...found].map(([, hop, from = "", mtu]) => ({
    hop: Number(hop),
    from,
    mtu: mtu === undefined ? undefined : Number(mtu),
  }));
}
