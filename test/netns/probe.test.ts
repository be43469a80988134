// SPDX-License-Identifier: Apache-2.0
// Which mode a node can serve in, asked of real nodes that each lack one thing: a network and a mount namespace of the
// process's own, its capabilities, its commands.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ModeAnswer } from "../../src/datapath/probe/answer.ts";

const WHOLE = [
  'mkdir -p "$ROOM/bpf" "$ROOM/cgroup"',
  'mount -t bpf bpf "$ROOM/bpf"',
  "umount -a -t cgroup2",
  'mount -t cgroup2 cgroup2 "$ROOM/cgroup"',
];
const NO_NFT = 'mount --bind /dev/null "$(command -v nft)"';

let room: string;
beforeAll(() => {
  room = mkdtempSync("/tmp/pt-probe-");
});
afterAll(() => rmSync(room, { recursive: true }));

/** Runs shell commands in namespaces of their own that have what a whole node has; "$@" is the probe. */
async function onNode(lines: readonly string[], under: readonly string[] = []): Promise<string> {
  const script = join(import.meta.dirname, "../support/programs/probe-modes.ts");
  const probe = [...under, process.execPath, "--import", "tsx", script, `${room}/bpf`];
  const shell = ["sh", "-c", ["set -e", ...WHOLE, ...lines].join("\n"), "sh", ...probe];
  const args = ["--net", "--mount", "--propagation", "private", ...shell];
  const { stdout } = await promisify(execFile)("unshare", args, { env: { ...process.env, ROOM: room } });
  return stdout;
}

/** prepare: takes something away; under: a command that the probe runs under. */
async function probeNode(prepare: readonly string[], under?: readonly string[]): Promise<readonly ModeAnswer[]> {
  return JSON.parse(await onNode([...prepare, 'exec "$@"'], under)) as readonly ModeAnswer[];
}

test("a node that lacks nothing serves by eBPF, and nothing else is asked", async () => {
  expect(await probeNode([])).toEqual([
    {
      mode: "ebpf",
      usable: true,
      reason: "the kernel has all that the programs call",
      facts: { bpffs: `${room}/bpf`, cgroupRoot: `${room}/cgroup` },
    },
  ]);
});

test.each([
  {
    what: "BTF",
    prepare: ["mount -t tmpfs none /sys/kernel/btf"],
    reason:
      /^\/sys\/kernel\/btf\/vmlinux is missing: mount sysfs on \/sys, or boot a kernel with CONFIG_DEBUG_INFO_BTF=y$/,
  },
  {
    what: "a mount of cgroup2",
    prepare: ['umount "$ROOM/cgroup"'],
    reason: /^cgroup2 is not mounted: mkdir -p \S+ && mount -t cgroup2 cgroup2 \S+; where it is, name it/,
  },
  {
    what: "a bpf file system",
    prepare: ['umount "$ROOM/bpf"'],
    reason: /^no bpf file system is mounted at \/tmp\/pt-probe-\w+\/bpf: mount -t bpf bpf /,
  },
  {
    what: "CAP_BPF",
    prepare: [],
    under: ["setpriv", "--inh-caps=-all", "--bounding-set=-all,+net_admin,+perfmon"],
    reason: /^this process lacks CAP_BPF: run it as root or grant these capabilities$/,
  },
])("a node without $what serves by nftables, and is told what it lacks", async ({ prepare, under, reason }) => {
  const [ebpf, nftables, ...rest] = await probeNode(prepare, under);
  expect(ebpf).toMatchObject({ mode: "ebpf", usable: false, reason: expect.stringMatching(reason) });
  expect(nftables).toMatchObject({
    mode: "nftables",
    usable: true,
    reason: expect.stringMatching(/^nft [\d.]+ and the kernel take the rules$/),
  });
  expect(rest).toEqual([]);
});

test("a node without BTF and nft is told the package, and serves by what comes next", async () => {
  const [ebpf, nftables, ...below] = await probeNode(["mount -t tmpfs none /sys/kernel/btf", NO_NFT]);
  expect([ebpf?.usable, nftables?.usable]).toEqual([false, false]);
  expect(nftables?.reason).toBe("nft is not installed: install the package nftables (1.0.1 or newer)");
  expect(below.at(-1)).toMatchObject({ usable: true });
});

test("a node whose process may do nothing is told so for every mode", async () => {
  const answers = await probeNode([], ["setpriv", "--reuid=65534", "--clear-groups"]);
  expect(answers.map(({ mode }) => mode)).toEqual(["ebpf", "nftables", "ipvs", "iptables"]);
  for (const { usable, reason } of answers) {
    expect(usable).toBe(false);
    expect(reason).toMatch(/^this process lacks CAP_NET_ADMIN[^;]*: run it as root or grant these capabilities/);
  }
});

test("asking leaves nothing behind", async () => {
  const asked = [
    "mount -t tmpfs none /sys/kernel/btf",
    '"$@" >"$ROOM/answers"',
    "nft list ruleset",
    "ipset list -name",
  ];
  expect(await onNode([...asked, 'cat "$ROOM/answers"'])).toMatch(/^\[\{"mode":"ebpf","usable":false,.*"nftables"/);
});
