// SPDX-License-Identifier: Apache-2.0
// The process behind RealClient. In its network namespace every address is its own, so that what its sockets connect or
// send to, translated or not, has a server there, which tells where it was reached; its test packets find devices with
// the indexes that the explained node's have.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { netnsCookie, openPinnedProgram } from "../../../src/libbpf/index.ts";
import type { BpfProgram } from "../../../src/libbpf/types.ts";
import { answerParent } from "../namespace-process.ts";
import { dialAll, serve } from "./dial.ts";
import { DEVICES, MAC, type Ran, type RealAsk } from "./real-client.ts";

/** Bytes of struct __sk_buff up to hwtstamp, and where its ifindex lies (linux/bpf.h). */
const SK_BUFF_SIZE = 192;
const IFINDEX = 40;

const LINES = [
  "link set lo up",
  ...Object.values(DEVICES).flatMap((index) => [
    `link add name dev${index} index ${index} address ${MAC} type veth peer name peer${index}`,
    `link set dev${index} up`,
    `link set peer${index} up`,
  ]),
  "route add local 0.0.0.0/0 dev lo",
  "route add local ::/0 dev lo",
];

const programs = new Map<string, BpfProgram>();

function run(pin: string, ifindex: number, data: Uint8Array): Ran {
  const program = programs.get(pin) ?? openPinnedProgram(pin);
  programs.set(pin, program);
  const ctx = new DataView(new ArrayBuffer(SK_BUFF_SIZE));
  ctx.setUint32(IFINDEX, ifindex, true);
  const done = program.testRun({ data, ctx: new Uint8Array(ctx.buffer) });
  return { verdict: done.retval | 0, data: done.dataOut };
}

async function answer(ask: RealAsk): Promise<unknown> {
  switch (ask.do) {
    case "cookie":
      return netnsCookie();
    case "enter":
      return writeFileSync(`${ask.cgroup}/cgroup.procs`, String(process.pid));
    case "run":
      return run(ask.pin, ask.ifindex, ask.data);
    case "dial":
      await serve(ask.servers);
      return dialAll(ask.dials);
  }
}

execFileSync("ip", ["-batch", "-"], { input: `${LINES.join("\n")}\n` });
for (const family of ["ipv4", "ipv6"]) writeFileSync(`/proc/sys/net/${family}/ip_nonlocal_bind`, "1");
answerParent(answer);
