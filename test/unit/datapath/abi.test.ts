// SPDX-License-Identifier: Apache-2.0
// The generated codec: it is what bpf/abi.h says today, and its bytes are those the C side reads.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { endianness, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as abi from "../../../src/datapath/ebpf/abi.gen.ts";
import { abiSource } from "../../../src/datapath/ebpf/abi-source.ts";
import { parseBtfJson } from "../../../src/datapath/ebpf/btf-json.ts";
import { decode, encode } from "../../../src/datapath/ebpf/codec.ts";

/** BTF of bpf/abi.bpf.c as bpftool prints it. */
function dumpAbi(): string {
  const directory = mkdtempSync(join(tmpdir(), "pt-abi-"));
  try {
    const object = join(directory, "abi.bpf.o");
    const include = execFileSync("gcc", ["-print-multiarch"], { encoding: "utf8" }).trim();
    const flags = ["-g", "-O2", "-target", "bpf", `-I/usr/include/${include}`];
    execFileSync("clang-19", [...flags, "-c", "bpf/abi.bpf.c", "-o", object]);
    return execFileSync("bpftool", ["-j", "btf", "dump", "file", object], { encoding: "utf8" });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const VIP = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 96, 0, 1);

describe("the ABI codec", () => {
  it("is the one that bpf/abi.h generates today", () => {
    expect(abiSource(parseBtfJson(dumpAbi()))).toBe(readFileSync("src/datapath/ebpf/abi.gen.ts", "utf8"));
  });

  it("writes a frontend key with address and port in wire order and padding zero", () => {
    const bytes = new Uint8Array(20).fill(0xaa);
    abi.frontendKey.write(new DataView(bytes.buffer), 0, { addr: VIP, port: 8080, proto: 6 });
    expect([...bytes]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 96, 0, 1, 0x1f, 0x90, 6, 0]);
  });

  it("writes numbers of the host's side in host order", () => {
    const bytes = encode(abi.frontend, { service: 0x01020304, kind: abi.FrontendKind.FRONTEND_NODE_PORT, flags: 1 });
    const service = endianness() === "LE" ? [4, 3, 2, 1] : [1, 2, 3, 4];
    expect([...bytes]).toEqual([...service, 2, 1, 0, 0]);
  });

  it("reads back a nested header", () => {
    const header: abi.BlockHeader = {
      service: 7,
      rows: 3,
      cluster: { count: 20, firstRow: 1, tableRow: 5, tableSize: 2039 },
      local: { count: 4, firstRow: 1, tableRow: 0, tableSize: 0 },
      scheduler: abi.Scheduler.SCHEDULER_MAGLEV,
      sourceKinds: 1 << abi.FrontendKind.FRONTEND_LOAD_BALANCER,
      flags: abi.BlockFlags.BLOCK_EXTERNAL_LOCAL,
      servingCount: 9,
      endsEpoch: 5,
      affinityTimeout: 10800,
      affinityEpoch: 3,
      sourceSet: 9,
    };
    expect(decode(abi.blockHeader, encode(abi.blockHeader, header))).toEqual(header);
  });

  it("reads back texts and 64-bit counters", () => {
    const state: abi.AgentState = {
      abiVersion: 1,
      synced: 1,
      lastSyncMs: 1_700_000_000_123n,
      startedMs: 5n,
      netnsCookie: 2n ** 63n + 1n,
      pid: 42,
      node: 3,
      config: 1,
      pods4Prefix: 24,
      pods6Prefix: 0,
      problems: 3,
      detectLocal: abi.DetectLocal.DETECT_NODE_CIDR,
      rangesOf: 1,
      pods4: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 244, 1, 0),
      pods6: new Uint8Array(16),
      version: "0.1.0",
    };
    expect(decode(abi.agentState, encode(abi.agentState, state))).toEqual(state);
  });

  it("refuses a name that does not fit", () => {
    const text = "é".repeat(128);
    expect(() => encode(abi.nameRow, { text })).toThrow(/is longer than 255 bytes/);
    expect(decode(abi.nameRow, encode(abi.nameRow, { text: "é".repeat(127) })).text).toBe("é".repeat(127));
  });

  it("gives drop reasons the names that metrics use", () => {
    expect(abi.dropReasonNames[abi.DropReason.DROP_NO_FLOW]).toBe("no_flow");
  });
});
