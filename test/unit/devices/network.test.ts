// SPDX-License-Identifier: Apache-2.0
// The view of the network, kept by rtnetlink's events.

import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { Network } from "../../../src/datapath/network.ts";
import type { LinkInfo, Netlink, NetlinkEvent, RouteInfo } from "../../../src/libbpf/types.ts";
import { until } from "../../support/until.ts";
import { address, defaultRoute, link } from "./builders.ts";

class FakeNetlink implements Netlink {
  all: readonly LinkInfo[] = [link(1, "lo")];
  table: readonly RouteInfo[] = [];
  emit: (event: NetlinkEvent) => void = () => undefined;
  links = () => this.all;
  addresses = () => [];
  routes = () => this.table;
  watch(onEvent: (event: NetlinkEvent) => void): void {
    this.emit = onEvent;
  }
  [Symbol.dispose](): void {}
}

const onError = (error: unknown) => {
  throw error;
};
const names = (network: Network) => network.view().links.map(({ name }) => name);

test("links, addresses and default routes follow the events, one call for a burst", async () => {
  const netlink = new FakeNetlink();
  using network = new Network(netlink, onError);
  let calls = 0;
  network.onChange(() => calls++);
  netlink.emit({ kind: "link", removed: false, link: link(2, "eth0") });
  netlink.emit({ kind: "link", removed: false, link: link(2, "uplink") });
  netlink.emit({ kind: "address", removed: false, address: address(2, [192, 0, 2, 1]) });
  netlink.emit({ kind: "route", removed: false, route: defaultRoute(2) });
  await nextTurn();
  expect(names(network)).toEqual(["lo", "uplink"]);
  expect(network.view()).toMatchObject({ addresses: [{ ifindex: 2 }], defaultRoutes: [{ outputIfindex: 2 }] });
  expect(calls).toBe(1);

  netlink.emit({ kind: "route", removed: true, route: defaultRoute(2) });
  netlink.emit({ kind: "address", removed: true, address: address(2, [192, 0, 2, 1]) });
  netlink.emit({ kind: "link", removed: true, link: link(2, "uplink") });
  await nextTurn();
  expect(network.view()).toEqual({
    links: [link(1, "lo")],
    addresses: [],
    defaultRoutes: [],
  });
  expect(calls).toBe(2);
});

test("an address whose prefix changes, and a route whose metric does, are there all the while", async () => {
  const netlink = new FakeNetlink();
  using network = new Network(netlink, onError);
  netlink.emit({ kind: "address", removed: false, address: address(2, [192, 0, 2, 1]) });
  netlink.emit({ kind: "address", removed: false, address: address(2, [192, 0, 2, 1], { prefixLength: 20 }) });
  netlink.emit({ kind: "address", removed: true, address: address(2, [192, 0, 2, 1]) });
  netlink.emit({ kind: "route", removed: false, route: defaultRoute(2, { metric: 100 }) });
  netlink.emit({ kind: "route", removed: false, route: defaultRoute(2, { metric: 200 }) });
  netlink.emit({ kind: "route", removed: true, route: defaultRoute(2, { metric: 100 }) });
  await nextTurn();
  expect(network.view()).toMatchObject({ addresses: [{ prefixLength: 20 }], defaultRoutes: [{ metric: 200 }] });
});

test("other routes are no change", async () => {
  const netlink = new FakeNetlink();
  using network = new Network(netlink, onError);
  let calls = 0;
  network.onChange(() => calls++);
  const route = defaultRoute(2, { destination: Uint8Array.of(10, 0, 0, 0), prefixLength: 8 });
  netlink.emit({ kind: "route", removed: false, route });
  await nextTurn();
  expect(calls).toBe(0);
});

test("after an overrun everything is listed again", async () => {
  const netlink = new FakeNetlink();
  using network = new Network(netlink, onError);
  netlink.all = [link(1, "lo"), link(7, "eth7")];
  netlink.emit({ kind: "overrun" });
  await nextTurn();
  expect(names(network)).toEqual(["lo", "eth7"]);
});

test("a listing that fails after an overrun is told and tried again, and what was known stays", async () => {
  const netlink = new FakeNetlink();
  const errors: unknown[] = [];
  using network = new Network(netlink, (error) => errors.push(error));
  netlink.links = () => {
    throw new Error("ENOBUFS");
  };
  netlink.emit({ kind: "overrun" });
  await nextTurn();
  expect(errors).toHaveLength(1);
  netlink.links = () => [link(1, "lo"), link(9, "eth9")];
  await until("the second try lists", () => names(network).includes("eth9"));
});

test("default routes are listed again, once a burst, when the device or the address of one goes: the kernel does not tell", () => {
  vi.useFakeTimers();
  try {
    const netlink = new FakeNetlink();
    const preferredSource = Uint8Array.of(192, 0, 2, 1);
    netlink.table = [defaultRoute(2, { metric: 50 }), defaultRoute(3, { preferredSource })];
    let listed = 0;
    netlink.routes = () => {
      listed++;
      return netlink.table;
    };
    using network = new Network(netlink, onError);
    let calls = 0;
    network.onChange(() => calls++);
    const outputs = () => network.view().defaultRoutes.map(({ outputIfindex }) => outputIfindex);
    netlink.emit({ kind: "link", removed: false, link: link(3, "eth1") });
    netlink.emit({ kind: "link", removed: true, link: link(9, "veth9") });
    netlink.emit({ kind: "address", removed: true, address: address(9, [192, 0, 2, 9]) });
    vi.advanceTimersByTime(600_000);
    expect([listed, calls, outputs()]).toEqual([1, 1, [2, 3]]);

    netlink.emit({ kind: "link", removed: false, link: link(2, "eth0", { up: false }) });
    netlink.emit({ kind: "address", removed: true, address: address(2, [198, 51, 100, 1]) });
    netlink.table = [defaultRoute(3, { preferredSource })];
    vi.advanceTimersByTime(600_000);
    expect([listed, calls, outputs()]).toEqual([2, 3, [3]]);

    netlink.emit({ kind: "address", removed: true, address: address(1, [192, 0, 2, 1]) });
    netlink.table = [];
    vi.advanceTimersByTime(600_000);
    expect([listed, calls, outputs()]).toEqual([3, 4, []]);
  } finally {
    vi.useRealTimers();
  }
});
