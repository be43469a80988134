// SPDX-License-Identifier: Apache-2.0
// Clause E7 of the rule of the edge, fragments: datagrams larger than the MTU go through every path, there and back, in
// whatever order their pieces come.
import { beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import { useCluster } from "../support/cluster.ts";
import { compileProgram } from "../support/compile.ts";
import { type ServiceSpec, serviceAddresses } from "../support/manifests.ts";
import { hostOf, PATHS, type Path, pathServices, pathTarget, servePaths } from "../support/paths.ts";

const SIZES = [2000, 5000, 8000];
/** Datagrams in pieces of 1400 bytes, and in which order they come. */
const ORDERS = [
  { bytes: 2000, order: "10" },
  { bytes: 5000, order: "0321" },
  { bytes: 5000, order: "1032" },
  { bytes: 8000, order: "543210" },
];
/** Where programs answer in pieces that they make themselves. */
const ANSWERING = [
  { pod: "p1b", number: 20, nodePort: 30020, port: 7070 },
  { pod: "p2a", number: 21, nodePort: 30021, port: 7070 },
] as const;
const surroundings = [
  { firewall: "none", brNetfilter: 0 },
  { firewall: "realistic", brNetfilter: 1 },
] as const;

function answering(lab: Lab): readonly ServiceSpec[] {
  return ANSWERING.map(({ pod, number, nodePort, port }) => {
    const { address, nodeName } = lab.pod(pod);
    return { name: `pieces-${pod}`, number, nodePort, endpoints: [{ address, nodeName, port }] };
  });
}

describe.each(surroundings)("row 49: fragments, firewall $firewall, br_netfilter $brNetfilter", (surrounding) => {
  const cluster = useCluster({ ...surrounding, services: (lab) => [...pathServices(lab), ...answering(lab)] });
  let pieces: string;
  beforeAll(async () => {
    const { lab } = cluster();
    await servePaths(lab);
    pieces = compileProgram("pieces", lab.plan.directory);
  });

  function sendPieces(way: Path, family: "v4" | "v6", { bytes, order }: (typeof ORDERS)[number]): Promise<string> {
    const { lab } = cluster();
    const { address, port } = pathTarget(lab, way, family);
    const from = hostOf(lab, way.from);
    return lab.exec(from, [pieces, from.address[family], address, `${port}`, `${bytes}`, order]);
  }

  describe.each(["v4", "v6"] as const)("%s", (family) => {
    test.each(PATHS)("$from to $service by $frontend: datagrams of 2000, 5000 and 8000 bytes", async (way) => {
      const { lab } = cluster();
      const client = await cluster().wire(hostOf(lab, way.from));
      for (const bytes of SIZES) {
        const asked = { ...pathTarget(lab, way, family), payload: `PAD ${bytes} `.padEnd(bytes), timeoutMs: 2000 };
        const { answers, failures } = await client.udp({ ...asked, count: 2 });
        expect({ bytes, failures }).toEqual({ bytes, failures: {} });
        expect(answers.map(({ pod, length, received }) => ({ pod, length, received }))).toEqual([
          { pod: way.answers, length: bytes, received: bytes },
          { pod: way.answers, length: bytes, received: bytes },
        ]);
      }
    });

    test.each(PATHS)("$from to $service by $frontend: pieces out of order", async (way) => {
      for (const sent of ORDERS) {
        expect({ ...sent, got: await sendPieces(way, family, sent) }).toEqual({
          ...sent,
          got: `reply ${sent.bytes}\n`,
        });
      }
    });
  });

  test.each(["v4", "v6"] as const)("answers whose pieces come in any order, %s", async (family) => {
    const { lab } = cluster();
    for (const { bytes, order } of ORDERS) {
      const servers = ANSWERING.map(({ pod, port }) =>
        lab.spawn(lab.pod(pod), [pieces, "answer", lab.pod(pod).address[family], `${port}`, `${bytes}`, order]),
      );
      await Promise.all(servers.map((server) => server.waitForOutput(/^ready$/m)));
      for (const { pod, number, nodePort } of ANSWERING) {
        const clusterIP = serviceAddresses(number).clusterIP[family];
        const asked = [
          ["p1a", clusterIP, "80"],
          ["b1a", clusterIP, "80"],
          ["client", lab.node("n1").address[family], `${nodePort}`],
        ] as const;
        for (const [name, address, port] of asked) {
          const from = hostOf(lab, name);
          const got = await lab.exec(from, [pieces, from.address[family], address, port, "100", "0"]);
          expect({ order, pod, name, got }).toEqual({ order, pod, name, got: `reply ${bytes}\n` });
        }
      }
      await Promise.all(servers.map((server) => server.stop()));
    }
  });
});
