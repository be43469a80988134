// SPDX-License-Identifier: Apache-2.0
// The process behind Machine: alone in a network namespace of its own, which goes when it ends. Makes the devices, then
// does what it is asked for, one message at a time.

import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { BeforeProgram, sweepReport } from "../../../src/datapath/ebpf/abi.gen.ts";
import { u32 } from "../../../src/datapath/ebpf/rodata.ts";
import { type LoadedBpfObject, openObject } from "../../../src/libbpf/index.ts";
import { answerParent } from "../../support/namespace-process.ts";
import { Fuzzer } from "./fuzz/fuzz.ts";
import type { Ask, Entry, LoadOptions, Packet, Reply } from "./machine.ts";
import { ipLines, sysctls } from "./topology.ts";

/** Bytes of struct __sk_buff up to hwtstamp, and where the fields lie that a test run takes (linux/bpf.h). */
const SK_BUFF_SIZE = 192;
const MARK = 8;
const IFINDEX = 40;
const GSO_SEGS = 164;
const GSO_SIZE = 176;
/** Of struct xdp_md. */
const XDP_MD_SIZE = 24;
const DATA_END = 4;
const INGRESS_IFINDEX = 12;

interface Copy {
  readonly tc: LoadedBpfObject;
  readonly sweep: LoadedBpfObject;
  readonly xdp: LoadedBpfObject;
}
const copies: Copy[] = [];

function copyOf(handle: number): Copy {
  const copy = copies[handle];
  if (!copy) throw new Error(`no copy ${handle} of the programs is loaded`);
  return copy;
}

function load(directory: string, options: LoadOptions): number {
  using tc = openObject(`${directory}/tc.bpf.o`);
  using sweep = openObject(`${directory}/sweep.bpf.o`);
  using xdp = openObject(`${directory}/xdp.bpf.o`);
  for (const [variable, bytes] of Object.entries(options.rodata)) tc.setRodata(variable, bytes);
  for (const [map, size] of Object.entries(options.sizes)) tc.setMaxEntries(map, size);
  const loaded = tc.load();
  for (const other of [sweep, xdp]) {
    for (const map of other.mapNames)
      if (tc.mapNames.includes(map) && !map.includes(".")) other.reuseMap(map, loaded.map(map));
  }
  return copies.push({ tc: loaded, sweep: sweep.load(), xdp: xdp.load() }) - 1;
}

function runXdp(handle: number, { data, ifindex, mark }: Packet): Reply["run"] {
  const ctx = new DataView(new ArrayBuffer(XDP_MD_SIZE));
  ctx.setUint32(DATA_END, data.length, true);
  ctx.setUint32(INGRESS_IFINDEX, ifindex, true);
  const done = copyOf(handle)
    .xdp.program("pt_xdp")
    .testRun({ data, ctx: new Uint8Array(ctx.buffer) });
  return { verdict: done.retval, data: done.dataOut, mark };
}

function run(handle: number, packet: Packet): Reply["run"] {
  if (packet.program === "pt_xdp") return runXdp(handle, packet);
  const ctx = new DataView(new ArrayBuffer(SK_BUFF_SIZE));
  ctx.setUint32(MARK, packet.mark, true);
  ctx.setUint32(IFINDEX, packet.ifindex, true);
  ctx.setUint32(GSO_SEGS, packet.gsoSize > 0 ? 2 : 0, true);
  ctx.setUint32(GSO_SIZE, packet.gsoSize, true);
  const program = copyOf(handle).tc.program(packet.program);
  const done = program.testRun({ data: packet.data, ctx: new Uint8Array(ctx.buffer) });
  const mark = new DataView(done.ctxOut.buffer, done.ctxOut.byteOffset).getUint32(MARK, true);
  return { verdict: done.retval | 0, data: done.dataOut, mark };
}

function sweep(handle: number): Uint8Array {
  return copyOf(handle)
    .sweep.program("pt_sweep")
    .testRun({ ctx: new Uint8Array(sweepReport.size) }).ctxOut;
}

function handOn(handle: number, to: number): void {
  const array = copyOf(handle).tc.map("programs_before");
  for (const [name, cell] of [
    ["pt_ingress", BeforeProgram.BEFORE_INGRESS],
    ["pt_egress", BeforeProgram.BEFORE_EGRESS],
  ] as const) {
    array.update(u32(cell), u32(copyOf(to).tc.program(name).fd));
  }
}

function entries(handle: number, map: string): Entry[] {
  return [...copyOf(handle).tc.map(map).entries()].map(([key, value]) => [key, value]);
}

function write(handle: number, map: string, written: readonly Entry[]): void {
  for (const [key, value] of written) copyOf(handle).tc.map(map).update(key, value);
}

/** Sockets live until the next `listen`, which closes them first. */
const sockets: { close(): unknown }[] = [];
async function listen(proto: "tcp" | "udp", address: string, port: number): Promise<void> {
  if (proto === "udp") {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4").bind(port, address);
    sockets.push(socket);
    await once(socket, "listening");
    return;
  }
  const server = createServer().listen(port, address);
  sockets.push(server);
  await once(server, "listening");
}

async function answer(ask: Ask): Promise<unknown> {
  switch (ask.do) {
    case "load":
      return load(ask.directory, ask.options);
    case "run":
      return run(ask.handle, ask.packet);
    case "write":
      return write(ask.handle, ask.map, ask.entries);
    case "remove":
      return ask.keys.map((key) => copyOf(ask.handle).tc.map(ask.map).delete(key));
    case "entries":
      return entries(ask.handle, ask.map);
    case "sweep":
      return sweep(ask.handle);
    case "handOn":
      return handOn(ask.handle, ask.to);
    case "fuzz":
      return new Fuzzer(copyOf(ask.handle).tc, ask.plan).run(ask.plan.packets);
    case "listen":
      return listen(ask.proto, ask.address, ask.port);
    case "closeSockets":
      for (const socket of sockets.splice(0)) socket.close();
      return;
    case "command":
      return execFileSync(ask.argv[0] ?? "", ask.argv.slice(1), { encoding: "utf8", stdio: "pipe" });
  }
}

execFileSync("ip", ["-batch", "-"], { input: `${ipLines.join("\n")}\n` });
for (const [name, value] of Object.entries(sysctls)) writeFileSync(`/proc/sys/${name}`, value);

answerParent(answer);
