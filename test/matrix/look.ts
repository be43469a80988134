// SPDX-License-Identifier: Apache-2.0
// In the guest: what this kernel can do, found by doing it. Prints a KernelRecord as JSON.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmdirSync } from "node:fs";
import { release } from "node:os";
import { bpfDirectory, bpfObjectPath, CGROUP_HOOKS } from "../../src/datapath/ebpf/programs.ts";
import { MODES, type ModeAnswer } from "../../src/datapath/probe/answer.ts";
import { probeMode } from "../../src/datapath/probe/modes.ts";
import {
  BpfError,
  type BpfProgram,
  kernelLacks,
  openNetlink,
  openObject,
  type Probe,
  probeFeatures,
} from "../../src/libbpf/index.ts";
import { type KernelRecord, MODULES } from "./kernel-record.ts";

const OBJECTS = ["cgroup", "tc", "sweep", "leave", "xdp"];
const CGROUP = "/sys/fs/cgroup/matrix";
const PRIORITY = 1;

// As on a node where connections are tracked; the kernel shows its functions to programs only then.
execFileSync("modprobe", ["nf_conntrack"]);
const features = probeFeatures();

type Attach = (program: BpfProgram) => void;

/** Loads one program and has it attached, once by each way; without any it is run and not attached. The answers by name. */
async function tryProgram(
  object: string,
  program: string,
  ways: Readonly<Record<string, Attach | undefined>>,
): Promise<readonly (readonly [string, Probe])[]> {
  const loaded = await answered(async () => {
    using open = openObject(bpfObjectPath(object));
    for (const name of open.programNames) open.setAutoload(name, name === program);
    const lacks = new Uint8Array(4);
    if (!features.conntrackLookup.supported) open.setRodata("has_conntrack", lacks);
    if (!features.setRetval.supported) open.setRodata("has_set_retval", lacks);
    if (object === "leave" && !features.sockDestroy.supported) open.setRodata("has_sock_destroy", lacks);
    return await open.loadAside();
  });
  const answers: (readonly [string, Probe])[] = [];
  for (const [name, attach] of Object.entries(ways)) {
    if ("refused" in loaded) answers.push([name, { supported: false, reason: loaded.refused }]);
    else if (attach === undefined) answers.push([name, { supported: true, reason: "loaded" }]);
    else {
      const tried = await answered(async () => attach(loaded.value.program(program)));
      const refused = "refused" in tried ? tried.refused : undefined;
      answers.push([name, { supported: refused === undefined, reason: refused ?? "loaded and attached" }]);
    }
  }
  if ("value" in loaded) loaded.value[Symbol.dispose]();
  return answers;
}

async function answered<T>(ask: () => Promise<T>): Promise<{ readonly value: T } | { readonly refused: string }> {
  try {
    return { value: await ask() };
  } catch (error) {
    if (!(error instanceof BpfError)) throw error;
    return { refused: error.message.replaceAll(bpfDirectory(), "build/bpf") };
  }
}

/** lo has no driver that could. */
function tryXdp(program: BpfProgram): void {
  execFileSync("ip", ["link", "add", "matrix0", "type", "veth", "peer", "name", "matrix1"]);
  try {
    using netlink = openNetlink();
    using link = program.attachXdp(netlink.links().find(({ name }) => name === "matrix0")?.ifindex ?? 0);
    link.detach();
  } finally {
    execFileSync("ip", ["link", "delete", "matrix0"]);
  }
}

async function tryHooks(): Promise<Readonly<Record<string, Probe>>> {
  using netlink = openNetlink();
  const lo = netlink.links().find(({ name }) => name === "lo")?.ifindex ?? 0;
  const hooks: (readonly [string, Probe])[] = [];
  mkdirSync(CGROUP);
  for (const hook of [...CGROUP_HOOKS, "bind4", "bind6"] as const) {
    const attach: Attach = (program) => {
      using link = program.attachCgroup(CGROUP, hook);
      link.detach();
    };
    hooks.push(...(await tryProgram("cgroup", `pt_${hook}`, { [`cgroup/${hook}`]: attach })));
  }
  rmdirSync(CGROUP);
  for (const direction of ["ingress", "egress"] as const) {
    const byTcx: Attach = (program) => {
      using link = program.attachTcx(lo, direction, true);
      link.detach();
    };
    const byClsact: Attach = (program) => program.attachTc(lo, direction, PRIORITY);
    const ways = { [`tc/${direction} by TCX`]: byTcx, [`tc/${direction} by clsact`]: byClsact };
    hooks.push(...(await tryProgram("tc", `pt_${direction}`, ways)));
  }
  hooks.push(...(await tryProgram("xdp", "pt_xdp", { "xdp of a veth": tryXdp })));
  hooks.push(...(await tryProgram("sweep", "pt_sweep", { sweep: undefined })));
  for (const protocol of ["udp", "tcp"]) {
    hooks.push(...(await tryProgram("leave", `pt_leave_${protocol}`, { [`iter/${protocol}`]: undefined })));
  }
  return Object.fromEntries(hooks);
}

function hasModule(name: string): boolean {
  try {
    execFileSync("modprobe", ["-n", "-q", name]);
    return true;
  } catch {
    return false; // the answer: modprobe exits with 1 for what it does not find
  }
}

/**
 * One after the other, and again where a command was killed: the kernel loads a module for each kind of rule, which on an emulated
 * processor takes longer than commands are given. What it has loaded by then it has.
 */
async function askModes(): Promise<readonly ModeAnswer[]> {
  const answers: ModeAnswer[] = [];
  for (const mode of MODES) {
    const ask = () => probeMode(mode, { bpffs: "/sys/fs/bpf", cgroupRoot: undefined });
    let given = await ask();
    for (let again = 0; again < 3 && /: killed$/.test(given.reason); again++) given = await ask();
    answers.push(given);
  }
  return answers;
}

const record: KernelRecord = {
  release: release(),
  features,
  lacks: Object.fromEntries(OBJECTS.map((name) => [name, kernelLacks(bpfObjectPath(name))])),
  hooks: await tryHooks(),
  modules: Object.fromEntries(MODULES.map((name) => [name, hasModule(name)])),
  modes: await askModes(),
};
process.stdout.write(`${JSON.stringify(record)}\n`);
