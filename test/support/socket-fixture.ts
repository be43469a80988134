// SPDX-License-Identifier: Apache-2.0
// For tests of the socket programs: this very process inside a cgroup they are attached to, and two servers a family.

import { afterAll, beforeAll } from "vitest";
import type { Member } from "../../src/compile/state.ts";
import type { Protocol } from "../../src/model/service.ts";
import { member } from "./compiled.ts";
import { type NamedServer, serveName } from "./loopback.ts";
import { type SocketConfig, SocketDatapath, TestCgroup } from "./socket-datapath.ts";

export interface SocketFixture {
  readonly datapath: SocketDatapath;
  readonly cgroup: TestCgroup;
  /** a and b on loopback addresses of each family */
  readonly servers: Readonly<Record<4 | 6, readonly [NamedServer, NamedServer]>>;
}

/** A way for an application to use sockets, and how it writes a VIP of the family it ends up in. */
export interface Way {
  readonly name: string;
  readonly family: 4 | 6;
  readonly udp: "udp4" | "udp6";
  /** The N-th VIP as it stands in the maps; N below 10. */
  readonly vip: (n: number) => string;
  /** The same as the application writes it. */
  readonly dial: (n: number) => string;
  /** The same with a port as node prints it. */
  readonly shown: (n: number, port: number) => string;
}

const v4Vip = (n: number) => `10.96.7.${n}`;
const v6Vip = (n: number) => `fd00:10:96::7:${n}`;

export const WAYS: readonly Way[] = [
  { name: "IPv4", family: 4, udp: "udp4", vip: v4Vip, dial: v4Vip, shown: (n, port) => `10.96.7.${n}:${port}` },
  { name: "IPv6", family: 6, udp: "udp6", vip: v6Vip, dial: v6Vip, shown: (n, port) => `[fd00:10:96::7:${n}]:${port}` },
  {
    name: "IPv4-mapped IPv6",
    family: 4,
    udp: "udp6",
    vip: v4Vip,
    dial: (n) => `::ffff:10.96.7.${n}`,
    shown: (n, port) => `[::ffff:10.96.7.${n}]:${port}`,
  },
];

/** Call at the top of a file; the function it returns gives the fixture from within tests. */
export function useSocketDatapath(name: string, config: SocketConfig = {}): () => SocketFixture {
  let fixture: SocketFixture | undefined;
  const cleanups: (() => unknown)[] = [];
  const serve = async (label: string, address: string) => {
    const server = await serveName(label, address);
    cleanups.push(() => server[Symbol.asyncDispose]());
    return server;
  };
  beforeAll(async () => {
    const cgroup = new TestCgroup(name);
    cleanups.push(() => cgroup[Symbol.dispose]());
    const servers = {
      4: [await serve("a", "127.77.0.1"), await serve("b", "127.77.0.2")],
      6: [await serve("a", "::1"), await serve("b", "::1")],
    } as const;
    const datapath = new SocketDatapath(config);
    cleanups.push(() => datapath[Symbol.dispose]());
    datapath.attach(cgroup.path);
    cgroup.enter();
    fixture = { datapath, cgroup, servers };
  });
  afterAll(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });
  return () => {
    if (fixture === undefined) throw new Error("the fixture is there only while tests run");
    return fixture;
  };
}

export function memberOf(server: NamedServer, protocol: Protocol, more: Partial<Member> = {}): Member {
  return member(server.address, protocol === "TCP" ? server.tcpPort : server.udpPort, more);
}
