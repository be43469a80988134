// SPDX-License-Identifier: Apache-2.0
// Makes a lab's wires fit for XDP in the drivers of nodes: a veth takes in what XDP sends to it only if it has a program itself,
// and nobody may leave checksums to hardware that is not there.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Lab } from "../../src/demo/lab/lab.ts";
import { ip } from "../../src/demo/lab/run.ts";

export async function readyForXdp(lab: Lab): Promise<void> {
  const names = lab.nodes.map(({ name }) => name);
  await attachPass(lab, lab.plan.switchNetns, names);
  for (const host of [lab.client, ...lab.nodes, ...lab.pods])
    await lab.exec(host, ["ethtool", "-K", "eth0", "tx", "off"]);
}

/** A program that lets every frame pass, as somebody else's would hang there. */
export async function attachPass(lab: Lab, netns: string, devices: readonly string[]): Promise<void> {
  const object = join(lab.plan.directory, "pass.bpf.o");
  const source = join(import.meta.dirname, "programs", "pass.bpf.c");
  const machine = execFileSync("uname", ["-m"], { encoding: "utf8" }).trim();
  const flags = ["-g", "-O2", "-target", "bpf", "-idirafter", `/usr/include/${machine}-linux-gnu`];
  execFileSync(process.env.CLANG ?? "clang-19", [...flags, "-c", source, "-o", object], { stdio: "pipe" });
  await ip(
    netns,
    devices.map((name) => `link set dev ${name} xdpdrv obj ${object} sec xdp`),
  );
}
