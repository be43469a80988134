// SPDX-License-Identifier: Apache-2.0
// `portolan demo` from the bundle, as a newcomer runs it: green, and gone afterwards, also on Ctrl-C.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const bundle = fileURLToPath(new URL("../../dist/portolan.js", import.meta.url));

type Demo = ChildProcessByStdio<null, Readable, Readable>;

/** Names of all namespaces, bpf mounts and files that labs leave; other labs may run beside ours. */
function traces(id: string): readonly string[] {
  const netns = readdirSync("/var/run/netns").filter((name) => name.startsWith(id));
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const cgroupMount = mounts.find((line) => line.split(" ")[2] === "cgroup2")?.split(" ")[1];
  const cgroups = existsSync(`${cgroupMount}/${id}`) ? [`${cgroupMount}/${id}`] : [];
  return [...netns, ...cgroups, ...mounts.filter((line) => line.includes(id))];
}

function startDemo(...flags: readonly string[]): { readonly demo: Demo; readonly output: () => string } {
  const demo = spawn(process.execPath, [bundle, "demo", ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [demo.stdout, demo.stderr]) {
    stream.setEncoding("utf8").on("data", (data: string) => {
      text += data;
    });
  }
  return { demo, output: () => text };
}

function labId(output: string): string {
  return /\((pt-[0-9a-f]{8})\)/.exec(output)?.[1] ?? `no lab id in: ${output}`;
}

test("the demo ends with 0, prints the spread and the Services, and leaves nothing", { timeout: 120_000 }, async () => {
  const { demo, output } = startDemo();
  const [code] = await once(demo, "close");
  expect(output()).toContain("Every request was answered and every source address was right.");
  expect(output()).toMatch(/client outside +NodePort +192\.168\.50\.1 +100\/100 +100\/100/);
  expect(output()).toMatch(/connections open before: 24 of 24 go on/);
  expect(output()).toMatch(/portolan services[\s\S]*shop\/web/);
  expect(code).toBe(0);
  expect(traces(labId(output()))).toEqual([]);
});

test("with --keep it stays up and says what to try; Ctrl-C takes it down", { timeout: 120_000 }, async () => {
  const { demo, output } = startDemo("--keep");
  while (!output().includes("Ctrl-C takes it all down")) {
    if (demo.exitCode !== null) throw new Error(`the demo ended: ${output()}`);
    await once(demo.stdout, "data");
  }
  expect(traces(labId(output()))).not.toEqual([]);
  demo.kill("SIGINT");
  const [code] = await once(demo, "close");
  expect(code).toBe(130);
  expect(traces(labId(output()))).toEqual([]);
});

test("a reader that goes away (demo | head -1) ends the demo, which leaves nothing", { timeout: 120_000 }, async () => {
  const { demo, output } = startDemo();
  while (!output().includes("Starting an agent")) await once(demo.stdout, "data");
  demo.stdout.destroy();
  await once(demo, "exit");
  expect(output()).not.toContain("was not taken down");
  expect(traces(labId(output()))).toEqual([]);
});
