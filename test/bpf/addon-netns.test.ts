// SPDX-License-Identifier: Apache-2.0
// TCX links, clsact filters and rtnetlink through the addon: a child process does it in a network namespace of its own.
// There is a veth pair va-vb; packets sent out of vb arrive at va.

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NetlinkEvent } from "../../src/libbpf/index.ts";
import { compileFixture } from "../support/bpf-fixture.ts";
import { bpffs } from "../support/bpffs.ts";

const child = fileURLToPath(new URL("support/addon-child.ts", import.meta.url));
const netns = `pt-${randomBytes(4).toString("hex")}`;
const fixture = compileFixture("addon");
const pins = bpffs();

function sh(script: string): void {
  execFileSync("ip", ["netns", "exec", netns, "sh", "-ec", script], { stdio: "inherit" });
}

/** Runs one function of the child in the namespace; what it returns. */
function inNetns(name: string): unknown {
  const args = ["netns", "exec", netns, process.execPath, "--import", "tsx", child, name, fixture.path, pins.path];
  return JSON.parse(execFileSync("ip", args, { encoding: "utf8" })) as unknown;
}

beforeAll(() => {
  execFileSync("ip", ["netns", "add", netns]);
  sh(`echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
      ip link add va type veth peer name vb; ip link set lo up; ip link set va up; ip addr add 10.77.0.1/24 dev vb
      ip link set vb up; ip neigh add 10.77.0.9 lladdr 02:00:00:00:00:09 dev vb nud permanent`);
});

afterAll(() => {
  execFileSync("ip", ["netns", "del", netns]);
  pins[Symbol.dispose]();
  fixture[Symbol.dispose]();
});

test("TCX links run in the order asked for, can be replaced, pinned and detached", () => {
  expect(inNetns("tcx")).toEqual({
    "one link": [1, 0, 0],
    "second attached first": [0, 1, 0],
    "third attached last": [0, 1, 0],
    "second updated to pass": [1, 0, 0],
    "handle closed, link pinned": [1, 0, 0],
    "pinned link detached": [0, 0, 0],
    "no such device": "bpf(BPF_LINK_CREATE) mark_packet on tcx/ingress of ifindex 9999: ENODEV",
  });
});

test("a clsact filter is attached, replaced and taken away by its name", () => {
  expect(inNetns("clsact")).toEqual({
    attached: [1, 0],
    replaced: [0, 1],
    "another program's name": [false, [0, 1]],
    detached: [true, [0, 0]],
    "detached again": false,
  });
});

test("a watch tells of a veth's birth, address, move into a bridge and death, in order", () => {
  const events = inNetns("watch") as NetlinkEvent[];
  const links = events.filter((event) => event.kind === "link" && event.link.name === "pa");
  expect(links.at(0)).toMatchObject({ removed: false, link: { kind: "veth", arpType: 1, master: 0, up: false } });
  expect(links.some((event) => event.kind === "link" && event.link.master !== 0 && event.link.up)).toBe(true);
  expect(links.filter((event) => event.kind === "link" && event.removed)).toHaveLength(1);
  expect(links.at(-1)).toMatchObject({ removed: true, link: { name: "pa" } });
  expect(events).toContainEqual({
    kind: "address",
    removed: false,
    address: expect.objectContaining({ address: { 0: 10, 1: 78, 2: 0, 3: 1 }, prefixLength: 24, scope: 0 }),
  });
  expect(events.filter((event) => event.kind === "route" && event.removed).length).toBeGreaterThan(0);
});

test("a watch whose buffer overflowed says so", () => {
  expect(inNetns("overrun")).toContainEqual({ kind: "overrun" });
});

test("lists hold the devices, addresses and routes of this namespace", () => {
  const lists = inNetns("lists") as { links: unknown[]; addresses: unknown[]; routes: unknown[] };
  expect(lists.links).toEqual([
    expect.objectContaining({ name: "lo", kind: "", arpType: 772, up: true }),
    expect.objectContaining({ name: "vb", kind: "veth", arpType: 1, mtu: 1500, up: true }),
    expect.objectContaining({ name: "va", kind: "veth", arpType: 1, mtu: 1500, up: true }),
  ]);
  expect(lists.addresses).toContainEqual(expect.objectContaining({ address: [10, 77, 0, 1], prefixLength: 24 }));
  expect(lists.routes).toContainEqual(
    expect.objectContaining({ family: 4, destination: [10, 77, 0, 0], prefixLength: 24, table: 254, type: 1 }),
  );
});
