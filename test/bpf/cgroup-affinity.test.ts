// SPDX-License-Identifier: Apache-2.0
// Session affinity of local sockets (behaviour rows 51, 52, 56): which endpoint a process' next connection goes to.

import { describe, expect, test } from "vitest";
import type { CompiledService } from "../../src/compile/state.ts";
import { service } from "../support/compiled.ts";
import { TcpClient, UdpClient } from "../support/loopback.ts";
import { memberOf, useSocketDatapath, WAYS, type Way } from "../support/socket-fixture.ts";

const TIMEOUT = 10_800;
/** Two endpoints without affinity agree once in 2^29 runs. */
const MANY = 30;

const fixture = useSocketDatapath("affinity");

describe.each(WAYS)("$name sockets", (way) => {
  const protocols = ["TCP", "UDP", "connected UDP"] as const;
  type Kind = (typeof protocols)[number];

  /** Endpoints a and b; number is the VIP's. */
  function sticky(number: number, kind: Kind, more: Partial<CompiledService> = {}): CompiledService {
    const protocol = kind === "TCP" ? "TCP" : "UDP";
    const cluster = fixture().servers[way.family].map((server) => memberOf(server, protocol));
    const at = { name: `sticky-${number}`, at: way.vip(number), port: 80 };
    return service({ ...at, protocol, cluster, affinitySeconds: TIMEOUT, ...more });
  }

  test.each(protocols)("row 51: every new %s socket comes to one endpoint", async (kind) => {
    fixture().datapath.publish(sticky(1, kind));
    const met = new Set<string>();
    for (let i = 0; i < MANY; i++) met.add(await ask(way, 1, kind));
    expect(met.size).toBe(1);
  });

  test.each(protocols)(
    "row 52: %s sockets keep it as long as they come within the timeout, and no longer",
    async (kind) => {
      const { datapath } = fixture();
      datapath.publish(sticky(2, kind));
      const chosen = await ask(way, 2, kind);
      for (let i = 0; i < MANY; i++) {
        datapath.ageAffinity(TIMEOUT - 5);
        expect(await ask(way, 2, kind)).toBe(chosen);
      }
      const later = new Set<string>();
      for (let i = 0; i < MANY; i++) {
        expect(datapath.ageAffinity(TIMEOUT + 2)).toBeGreaterThan(0);
        later.add(await ask(way, 2, kind));
      }
      expect(later).toEqual(new Set(["a", "b"]));
    },
  );

  test("row 56: with its endpoint gone a process gets another, and keeps that", async () => {
    const { datapath } = fixture();
    const both = sticky(3, "TCP");
    datapath.publish(both);
    const chosen = await ask(way, 3, "TCP");
    datapath.publish({ ...both, cluster: both.cluster.slice(chosen === "a" ? 1 : 0, chosen === "a" ? 2 : 1) });
    const other = chosen === "a" ? "b" : "a";
    expect(await ask(way, 3, "TCP")).toBe(other);
    datapath.publish(both);
    for (let i = 0; i < MANY; i++) expect(await ask(way, 3, "TCP")).toBe(other);
  });

  test("row 56: an endpoint that the policy does not offer is not used", async () => {
    const { datapath } = fixture();
    const both = sticky(4, "TCP");
    datapath.publish(both);
    const chosen = await ask(way, 4, "TCP");
    const local = both.cluster.slice(chosen === "a" ? 1 : 0, chosen === "a" ? 2 : 1);
    datapath.publish({ ...both, local, internalLocal: true });
    expect(await ask(way, 4, "TCP")).toBe(chosen === "a" ? "b" : "a");
  });

  test("row 51: switched off nothing is kept; switched on again it begins anew", async () => {
    const { datapath } = fixture();
    const on = sticky(5, "TCP");
    const first = new Set<string>();
    for (let i = 0; i < MANY; i++) {
      datapath.publish(on);
      const chosen = await ask(way, 5, "TCP");
      expect(await ask(way, 5, "TCP")).toBe(chosen);
      first.add(chosen);
      datapath.publish({ ...on, affinitySeconds: 0 });
    }
    expect(first).toEqual(new Set(["a", "b"]));
    const met = new Set<string>();
    for (let i = 0; i < MANY; i++) met.add(await ask(way, 5, "TCP"));
    expect(met).toEqual(new Set(["a", "b"]));
  });

  test("row 51: Services are independent, also one that comes by the id of another", async () => {
    const { datapath } = fixture();
    const met = new Set<string>();
    for (let i = 0; i < MANY; i++) {
      const next = sticky(6, "TCP", { namespace: `n${i}` });
      datapath.publish(next);
      met.add(await ask(way, 6, "TCP"));
      datapath.remove(next.key);
      await datapath.writer.drained();
    }
    expect(met).toEqual(new Set(["a", "b"]));
  });
});

/** Who answers a socket of its own. */
async function ask(way: Way, number: number, kind: "TCP" | "UDP" | "connected UDP"): Promise<string> {
  if (kind === "TCP") {
    using client = await TcpClient.open(way.dial(number), 80);
    return client.server;
  }
  using client = new UdpClient(way.udp);
  if (kind === "UDP") return (await client.ask(way.dial(number), 80)).server;
  await client.connect(way.dial(number), 80);
  return (await client.askPeer()).server;
}
