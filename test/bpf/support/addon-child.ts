// SPDX-License-Identifier: Apache-2.0
// What addon-netns.test.ts runs in its namespace: `addon-child.ts FUNCTION OBJECT BPFFS`, the result as JSON on stdout.

import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import {
  detachTc,
  type LoadedBpfObject,
  type NetlinkEvent,
  openNetlink,
  openObject,
  openPinnedLink,
} from "../../../src/libbpf/index.ts";

const [, , task = "", objectPath = "", pins = ""] = process.argv;
const KEY = new Uint8Array(4);
const OVERRUN_BUFFER = 2048; /* bytes: a handful of events */

function load(): LoadedBpfObject {
  using object = openObject(objectPath);
  return object.load();
}

function packetsSeen(object: LoadedBpfObject): number {
  const perCpu = object.map("counters").lookup(KEY) ?? new Uint8Array(0);
  const counts = new BigUint64Array(perCpu.slice().buffer);
  return Number(counts.reduce((sum, count) => sum + count, 0n));
}

/** One packet from vb to va; how many each object's mark_packet saw of it. */
async function probe(objects: readonly LoadedBpfObject[]): Promise<number[]> {
  const before = objects.map(packetsSeen);
  const socket = createSocket("udp4");
  await new Promise((resolve) => socket.send("x", 9, "10.77.0.9", resolve));
  await new Promise<void>((resolve) => socket.close(resolve));
  return objects.map((object, i) => packetsSeen(object) - (before[i] ?? 0));
}

function ifindexOf(name: string): number {
  using netlink = openNetlink();
  return netlink.links().find((link) => link.name === name)?.ifindex ?? 0;
}

function messageOf(act: () => unknown): string {
  try {
    return String(act());
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function tcx(): Promise<unknown> {
  const objects = [load(), load(), load()] as const;
  const a = ifindexOf("va");
  const program = (i: 0 | 1 | 2) => objects[i].program("mark_packet");
  const seen: Record<string, unknown> = {};
  using first = program(0).attachTcx(a, "ingress", true);
  seen["one link"] = await probe(objects);
  const second = program(1).attachTcx(a, "ingress", true);
  seen["second attached first"] = await probe(objects);
  using third = program(2).attachTcx(a, "ingress", false);
  seen["third attached last"] = await probe(objects);
  second.update(objects[1].program("pass_packet"));
  seen["second updated to pass"] = await probe(objects);
  third.detach();
  first.pin(`${pins}/tcx`);
  first[Symbol.dispose]();
  second[Symbol.dispose]();
  seen["handle closed, link pinned"] = await probe(objects);
  openPinnedLink(`${pins}/tcx`).detach();
  seen["pinned link detached"] = await probe(objects);
  seen["no such device"] = messageOf(() => program(0).attachTcx(9999, "ingress", true));
  return seen;
}

async function clsact(): Promise<unknown> {
  const objects = [load(), load()] as const;
  const a = ifindexOf("va");
  const detach = (name: string) => detachTc(a, "ingress", 10, name);
  const seen: Record<string, unknown> = {};
  objects[0].program("mark_packet").attachTc(a, "ingress", 10);
  seen.attached = await probe(objects);
  objects[1].program("mark_packet").attachTc(a, "ingress", 10);
  seen.replaced = await probe(objects);
  seen["another program's name"] = [detach("stranger"), await probe(objects)];
  seen.detached = [detach("mark_packet"), await probe(objects)];
  seen["detached again"] = detach("mark_packet");
  return seen;
}

function ip(script: string): void {
  execFileSync("ip", ["-batch", "-"], { input: script });
}

/** Collects events until one is the last. */
function collect(receiveBuffer: number, act: () => void, isLast: (event: NetlinkEvent) => boolean): Promise<unknown> {
  return new Promise((resolve) => {
    const netlink = openNetlink({ receiveBuffer });
    const events: NetlinkEvent[] = [];
    netlink.watch((event) => {
      events.push(event);
      if (!isLast(event)) return;
      netlink[Symbol.dispose]();
      resolve(events);
    });
    act();
  });
}

function watch(): Promise<unknown> {
  const script = `link add pa type veth peer name pb
link add bridge0 type bridge
addr add 10.78.0.1/24 dev pa
link set pa master bridge0
link set pa up
link set pb up
link set pa nomaster
link del bridge0
link del pa`;
  const isLast = (event: NetlinkEvent) => event.kind === "link" && event.removed && event.link.name === "pa";
  return collect(1 << 20, () => ip(script), isLast);
}

function overrun(): Promise<unknown> {
  const addresses = Array.from({ length: 50 }, (_, i) => `addr add 10.79.0.${i + 1}/32 dev va`);
  return collect(
    OVERRUN_BUFFER,
    () => ip(addresses.join("\n")),
    (event) => event.kind === "overrun",
  );
}

function lists(): unknown {
  using netlink = openNetlink();
  const plain = (rows: readonly object[]) =>
    rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([k, v]) => [k, v instanceof Uint8Array ? Array.from(v) : v])),
    );
  return {
    links: plain(netlink.links()),
    addresses: plain(netlink.addresses()),
    routes: plain(netlink.routes()),
  };
}

const tasks: Readonly<Record<string, () => unknown>> = { tcx, clsact, watch, overrun, lists };
process.stdout.write(JSON.stringify(await tasks[task]?.()));
