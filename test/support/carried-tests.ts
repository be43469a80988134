// SPDX-License-Identifier: Apache-2.0
// Tests of the ways that go from node to node, for whatever carries them there and whatever filters them.
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CARRIED_WAYS, carriedTarget, clientOf, expectCarried, serveCarried } from "./carried.ts";
import type { Cluster } from "./cluster.ts";
import { compileProgram } from "./compile.ts";
import { type Carrier, OVERLAY_MTU, type Overlay } from "./overlay.ts";
import { forgetPaths, pathMtu, sayEverything } from "./path-mtu.ts";
import { hostOf } from "./paths.ts";

const BYTES = 500_000;
/** IP and UDP. */
const HEADERS = { v4: 28, v6: 48 };
/** Through a VIP, with the overlay behind the node that serves it. */
const NARROWED = CARRIED_WAYS.filter(
  ({ from, service, frontend }) =>
    service === "far" && ["p1a clusterIP", "client loadBalancer"].includes(`${from} ${frontend}`),
);

/** Call inside describe(). */
export function testCarried(cluster: () => Cluster, carrier: Carrier): void {
  beforeAll(() => serveCarried(cluster().lab));

  describe.each(["v4", "v6"] as const)("%s", (family) => {
    test.each(CARRIED_WAYS)("$from to $service by $frontend is answered by $answers, who sees the $source", (way) =>
      expectCarried(cluster(), way, carrier, family),
    );

    test("a client that comes by the device between the nodes is told that there is no endpoint", async () => {
      const target = carriedTarget(cluster().lab, { service: "none", frontend: "carrierPort" }, carrier, family);
      const client = await clientOf(cluster(), "p2a");
      const refused = { answered: 0, failures: { ECONNREFUSED: 2 } };
      expect(await client.tcp({ ...target, count: 2 })).toMatchObject(refused);
      expect(await client.udp({ ...target, count: 2, connected: true })).toMatchObject(refused);
    });
  });
}

/** Row 49 where less fits between the nodes than elsewhere. Call inside describe(), after testCarried(). */
export function testPathMtu(cluster: () => Cluster, overlay: Overlay): void {
  let probe: string;
  beforeAll(async () => {
    await sayEverything(cluster().lab);
    probe = compileProgram("probe", cluster().lab.plan.directory);
  });
  beforeEach(() => forgetPaths(cluster().lab));
  const families = ["v4", "v6"] as const;

  describe.each(families)("path MTU, %s", (family) => {
    const mtu = OVERLAY_MTU[overlay][family];

    test.each(NARROWED)("$from to $service by $frontend: what nobody may cut fits to the byte", async (way) => {
      const { lab } = cluster();
      const { address, port } = carriedTarget(lab, way, overlay, family);
      const send = (bytes: number) =>
        lab.exec(hostOf(lab, way.from), [probe, address, String(port), String(bytes - HEADERS[family])]);
      expect(await send(mtu)).toBe("reply 300\n");
      expect(await send(mtu + 1)).toMatch(new RegExp(`^error EMSGSIZE .* mtu ${mtu}$`, "m"));
    });

    test.each(NARROWED)("$from to $service by $frontend: TCP learns the path MTU by what it sends", async (way) => {
      const { lab } = cluster();
      const client = await clientOf(cluster(), way.from);
      const target = { ...carriedTarget(lab, way, overlay, family), bytes: BYTES, timeoutMs: 10_000 };
      expect(await client.upload(target)).toMatchObject({ bytes: BYTES });
      expect(await pathMtu(lab, hostOf(lab, way.from), target.address)).toBe(mtu);
    });

    test.each(NARROWED)("$from to $service by $frontend: datagrams of 5000 bytes come whole", async (way) => {
      const client = await clientOf(cluster(), way.from);
      const target = { ...carriedTarget(cluster().lab, way, overlay, family), payload: "PAD 5000 ".padEnd(5000) };
      // over IPv6 nobody cuts on the way: one is lost in each direction, but its sender is told
      const lost = family === "v6" ? 2 : 0;
      for (let n = 0; n < lost; n++) await client.udp({ ...target, count: 1, timeoutMs: 300 });
      const { answers, failures } = await client.udp({ ...target, count: 2 });
      expect(failures).toEqual({});
      expect(answers.map(({ length, received }) => [length, received])).toEqual([
        [5000, 5000],
        [5000, 5000],
      ]);
    });
  });
}
