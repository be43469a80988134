// SPDX-License-Identifier: Apache-2.0
// Exit statuses of the command line: 0 done, 1 the answer is no, 2 wrong usage, 3 the node cannot be read.

import { Command } from "commander";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { NodeError, UsageError } from "../../../src/agent/errors.ts";
import { agentCommand } from "../../../src/cli/agent.ts";
import { buildProgram, runProgram } from "../../../src/cli/run.ts";

let stderr = "";

beforeEach(() => {
  stderr = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

/** A program with one command `try` that does what is given. */
function trying(action: () => void): Promise<number> {
  return runProgram(buildProgram([new Command("try").action(action)]), ["try"]);
}

test("a command that returns ends with 0, one that answers no with 1", async () => {
  expect(await trying(() => undefined)).toBe(0);
  expect(
    await trying(() => {
      process.exitCode = 1;
    }),
  ).toBe(1);
});

test("errors end with the status they carry, others with 3", async () => {
  const failing = (error: Error) =>
    trying(() => {
      throw error;
    });
  expect(await failing(new UsageError("no such directory"))).toBe(2);
  expect(await failing(new NodeError("no bpffs"))).toBe(3);
  expect(stderr).toBe("portolan: no such directory\nportolan: no bpffs\n");
  expect(await failing(new Error("a defect"))).toBe(3);
  expect(stderr).toMatch(/Error: a defect\n {4}at /);
});

test.each([
  ["an unknown flag", ["agent", "--manifest", "/x"], "(Did you mean --manifests?)"],
  ["an unknown command", ["agnet"], "(Did you mean agent?)"],
  ["an excess argument", ["agent", "web"], "too many arguments"],
  ["a number out of range", ["agent", "--max-flows", "7"], "give a whole number from 1024 to 64000000"],
  ["an empty pattern", ["agent", "--devices", "eth0,"], 'an empty item in "eth0,"'],
  ["an unknown mode", ["agent", "--mode", "xdp"], "Allowed choices are auto, ebpf, nftables, ipvs, iptables"],
  [
    "no source",
    ["agent"],
    "no source of Services is named: give one of --kubeconfig FILE, --in-cluster and --manifests",
  ],
  ["two sources", ["agent", "--in-cluster", "--manifests", "."], "several sources of Services are named: give one of"],
  ["an API server by its ClusterIP", ["agent", "--in-cluster"], "--in-cluster: --api-server URL is missing"],
  ["an API server for manifests", ["agent", "--manifests", ".", "--api-server", "https://a"], "asks no API server"],
  [
    "an API server that is none",
    ["agent", "--in-cluster", "--api-server", "a:6443"],
    '"a:6443" is no URL; give one such',
  ],
  ["a kubeconfig that is not there", ["agent", "--kubeconfig", "/nowhere/f"], "--kubeconfig /nowhere/f: ENOENT"],
])(
  "%s is wrong usage, with a hint",
  async (_what, args, hint) => {
    expect(await runProgram(buildProgram([agentCommand()]), args)).toBe(2);
    expect(stderr).toContain(hint);
  },
  30_000,
); // who names a kubeconfig loads a client of a thousand modules, here one by one

test("help is no error", async () => {
  expect(await runProgram(buildProgram([agentCommand()]), ["agent", "--help"])).toBe(0);
});
