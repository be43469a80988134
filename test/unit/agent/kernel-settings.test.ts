// SPDX-License-Identifier: Apache-2.0
// Conntrack and out-of-memory settings: which are to be written, given what is there, and the writing below a root.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { applyKernelSettings } from "../../../src/agent/kernel-files.ts";
import { conntrackMax, cpusIn, type KernelSettings, kernelWrites } from "../../../src/agent/kernel-settings.ts";
import type { Log } from "../../../src/agent/log.ts";

const NONE: KernelSettings = {
  maxPerCore: undefined,
  min: 131_072,
  tcpEstablishedMs: undefined,
  tcpCloseWaitMs: undefined,
  tcpBeLiberal: false,
  udpMs: undefined,
  udpStreamMs: undefined,
  oomScoreAdj: undefined,
};
const MAX = "proc/sys/net/netfilter/nf_conntrack_max";
const HASHSIZE = "sys/module/nf_conntrack/parameters/hashsize";
const ESTABLISHED = "proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established";
const CLOSE_WAIT = "proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait";
const LIBERAL = "proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal";
const UDP = "proc/sys/net/netfilter/nf_conntrack_udp_timeout";
const UDP_STREAM = "proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream";
const OOM = "proc/self/oom_score_adj";

describe("row 63: nf_conntrack_max", () => {
  test.each([
    { cpus: 1, max: 131_072, why: "the floor, as 32768 is less" },
    { cpus: 4, max: 131_072, why: "both the same" },
    { cpus: 5, max: 163_840, why: "by the CPUs" },
    { cpus: 32, max: 1_048_576, why: "just the cap" },
    { cpus: 128, max: 1_048_576, why: "the cap" },
  ])("$cpus CPUs: $max, $why", ({ cpus, max }) => {
    expect(conntrackMax({ maxPerCore: 32_768, min: 131_072 }, cpus)).toBe(max);
  });

  test("a floor above the cap counts where the CPUs come to less than the cap, and only there", () => {
    expect(conntrackMax({ maxPerCore: 32_768, min: 2_000_000 }, 4)).toBe(2_000_000);
    expect(conntrackMax({ maxPerCore: 32_768, min: 2_000_000 }, 32)).toBe(2_000_000);
    expect(conntrackMax({ maxPerCore: 32_768, min: 2_000_000 }, 33)).toBe(1_048_576);
  });

  test("0 for each CPU, or nothing said, leaves it, whatever the floor", () => {
    expect(conntrackMax({ maxPerCore: 0, min: 131_072 }, 8)).toBe(0);
    expect(conntrackMax({ maxPerCore: undefined, min: 131_072 }, 8)).toBe(0);
    expect(kernelWrites({ ...NONE, maxPerCore: 0 }, 8, () => 1)).toEqual([]);
  });

  test("it is written when it differs, lower ones too; buckets once it is, and only if there are too few", () => {
    const writes = (max: number, hashsize: number | undefined) =>
      kernelWrites({ ...NONE, maxPerCore: 32_768 }, 8, (file) => (file === MAX ? max : hashsize));
    expect(writes(1_000_000, 65_536)).toEqual([{ file: MAX, value: 262_144 }]);
    expect(writes(100, 1024)).toEqual([{ file: MAX, value: 262_144, next: { file: HASHSIZE, value: 65_536 } }]);
    expect(writes(262_144, 65_535)).toEqual([{ file: HASHSIZE, value: 65_536 }]);
    expect(writes(262_144, 65_536)).toEqual([]);
    expect(writes(100, undefined)).toEqual([{ file: MAX, value: 262_144 }]);
  });

  test.each([
    ["0-3\n", 4],
    ["0\n", 1],
    ["0-3,8,10-11\n", 7],
    ["", 0],
  ])("the CPUs in %j are %i", (list, cpus) => {
    expect(cpusIn(list)).toBe(cpus);
  });
});

describe("row 64: time-outs and tcp_be_liberal", () => {
  const settings: KernelSettings = {
    ...NONE,
    tcpEstablishedMs: 86_400_000,
    tcpCloseWaitMs: 3_600_999,
    tcpBeLiberal: true,
    udpMs: 30_000,
    udpStreamMs: 120_000,
  };

  test("each in whole seconds, where it differs", () => {
    expect(kernelWrites(settings, 2, () => 7)).toEqual([
      { file: ESTABLISHED, value: 86_400 },
      { file: CLOSE_WAIT, value: 3600 },
      { file: LIBERAL, value: 1 },
      { file: UDP, value: 30 },
      { file: UDP_STREAM, value: 120 },
    ]);
    expect(kernelWrites(settings, 2, (file) => (file === UDP ? 30 : 7)).map(({ file }) => file)).not.toContain(UDP);
  });

  test("0, and less than a second, leave them; tcp_be_liberal is never switched off", () => {
    const none = { ...NONE, tcpEstablishedMs: 0, tcpCloseWaitMs: 999, udpMs: 0, udpStreamMs: 0 };
    expect(kernelWrites(none, 2, () => 7)).toEqual([]);
    expect(kernelWrites(NONE, 2, () => 1)).toEqual([]);
  });
});

test("the agent's own score for the out-of-memory killer", () => {
  expect(kernelWrites({ ...NONE, oomScoreAdj: -999 }, 2, () => 0)).toEqual([{ file: OOM, value: -999 }]);
  expect(kernelWrites({ ...NONE, oomScoreAdj: 0 }, 2, () => 0)).toEqual([]);
});

describe("below a root", () => {
  let root = "";
  const said: string[] = [];
  const log = {
    info: (fields: object, message: string) => void said.push(`info ${message} ${JSON.stringify(fields)}`),
    warn: (_fields: object, message: string) => void said.push(`warn ${message}`),
  } as Pick<Log, "info" | "warn"> as Log;
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  const read = (file: string) => readFileSync(join(root, file), "utf8");

  beforeEach(() => {
    said.length = 0;
    root = mkdtempSync(join(tmpdir(), "pt-kernel-"));
    write("sys/devices/system/cpu/online", "0-7\n");
    write(MAX, "65536\n");
    write(HASHSIZE, "16384\n");
    write(CLOSE_WAIT, "60\n");
  });
  afterEach(() => rmSync(root, { recursive: true }));

  test("rows 63 and 64: what differs is written and said", () => {
    applyKernelSettings({ ...NONE, maxPerCore: 32_768, tcpCloseWaitMs: 3_600_000 }, log, root);
    expect([read(MAX), read(HASHSIZE), read(CLOSE_WAIT)]).toEqual(["262144", "65536", "3600"]);
    expect(said).toEqual([
      `info ${root}/${MAX} is set {"before":65536,"now":262144}`,
      `info ${root}/${HASHSIZE} is set {"before":16384,"now":65536}`,
      `info ${root}/${CLOSE_WAIT} is set {"before":60,"now":3600}`,
    ]);
  });

  test("row 63: what cannot be written is a warning, and the rest is written", () => {
    rmSync(join(root, MAX));
    mkdirSync(join(root, MAX));
    applyKernelSettings({ ...NONE, maxPerCore: 32_768, tcpCloseWaitMs: 3_600_000 }, log, root);
    expect(said[0]).toMatch(`warn ${root}/${MAX} could not be set: serving goes on without it`);
    expect([read(HASHSIZE), read(CLOSE_WAIT)]).toEqual(["16384\n", "3600"]);
  });
});
