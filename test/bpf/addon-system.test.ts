// SPDX-License-Identifier: Apache-2.0
// Locks, probes, loading: what the addon does for the process as a whole.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterAll, expect, test } from "vitest";
import { libbpfVersion, lockDirectory, netnsCookie, probeFeatures } from "../../src/libbpf/index.ts";
import { SCHED_BATCH, SCHED_OTHER, SCHED_RR, schedulingPolicy, threads } from "../support/threads.ts";
import { until } from "../support/until.ts";

const libbpf = fileURLToPath(new URL("../../src/libbpf/index.ts", import.meta.url));
const addon = fileURLToPath(new URL("../../build/Release/portolan.node", import.meta.url));
const directory = mkdtempSync("/tmp/pt-lock-");
afterAll(() => rmSync(directory, { recursive: true }));

/** node flags that run TypeScript given as text. */
const evaluate = (code: string): string[] => [
  "--import",
  "tsx",
  "--input-type=module",
  "-e",
  `import * as libbpf from ${JSON.stringify(libbpf)}; ${code}`,
];

test("a lock is refused to the second, who is told the first one's process id", async () => {
  const code = `globalThis.held = libbpf.lockDirectory(${JSON.stringify(directory)}); console.log("locked"); setInterval(() => {}, 1e6)`;
  const holder = spawn(process.execPath, evaluate(code), { stdio: ["ignore", "pipe", "inherit"] });
  await once(holder.stdout, "data");
  expect(() => lockDirectory(directory)).toThrow(`flock ${directory}: EAGAIN: held by process ${holder.pid}`);
  holder.kill("SIGKILL");
  await once(holder, "exit");
  lockDirectory(directory)[Symbol.dispose]();
  using again = lockDirectory(directory);
  expect(again).toBeDefined();
});

test("this kernel has what the datapath is tested with", () => {
  const { tcx, cgroupSockAddr, setRetval, mmapableArrays, btf } = probeFeatures();
  for (const probe of [tcx, cgroupSockAddr, setRetval, mmapableArrays, btf]) {
    expect(probe).toEqual({ supported: true, reason: "loaded" });
  }
  expect(probeFeatures()).toBe(probeFeatures());
});

test("without capabilities the probes say which one is missing", () => {
  const code = "console.log(JSON.stringify(libbpf.probeFeatures()))";
  const drop = ["--bounding-set=-net_admin,-sys_admin,-bpf", "--inh-caps=-all", process.execPath];
  const features = JSON.parse(execFileSync("setpriv", [...drop, ...evaluate(code)], { encoding: "utf8" })) as unknown;
  expect(features).toMatchObject({
    tcx: { supported: false, reason: "EPERM: needs CAP_BPF and CAP_NET_ADMIN" },
    mmapableArrays: { supported: false, reason: "EPERM: needs CAP_BPF" },
    btf: { supported: true, reason: "loaded" },
  });
});

test("a missing addon names every place that was tried", () => {
  const code = "try { libbpf.libbpfVersion() } catch (error) { console.log(error.message) }";
  const env = { ...process.env, PORTOLAN_ADDON: "/nowhere/portolan.node" };
  const message = execFileSync(process.execPath, evaluate(code), { encoding: "utf8", env });
  expect(message).toMatch(
    /^cannot load the native addon; PORTOLAN_ADDON names its file; tried\n {2}\/nowhere\/portolan.node: /,
  );
});

test("every other thread is batch work, but one that has a policy of its own", async () => {
  const code =
    "console.log('ready'); process.stdin.once('data', () => { libbpf.batchOtherThreads(); console.log('done'); })";
  const child = spawn(process.execPath, evaluate(code), { stdio: ["pipe", "pipe", "inherit"] });
  const pid = child.pid ?? 0;
  await once(child.stdout, "data");
  const helpers = threads(pid).filter((thread) => thread !== pid);
  const [realTime = 0] = helpers;
  execFileSync("chrt", ["--rr", "--pid", "1", String(realTime)]);
  child.stdin.write("go");
  await once(child.stdout, "data");
  expect(schedulingPolicy(pid)).toBe(SCHED_OTHER);
  expect(helpers.map(schedulingPolicy)).toEqual(
    helpers.map((helper) => (helper === realTime ? SCHED_RR : SCHED_BATCH)),
  );
  expect(helpers.length).toBeGreaterThan(4); // V8's pool and more
  child.kill("SIGKILL");
  await once(child, "exit");
});

test("the library and the namespace have a name", () => {
  expect(libbpfVersion()).toMatch(/^\d+\.\d+/);
  expect(netnsCookie()).toBeGreaterThan(0n);
});

test("a worker that ends while it watches leaves neither map nor socket behind", async () => {
  // Those of earlier tests may be collected meanwhile: each is known by its inode or its map's id.
  const ours = (): readonly string[] =>
    readdirSync("/proc/self/fd").flatMap((fd) => {
      try {
        const link = readlinkSync(`/proc/self/fd/${fd}`);
        if (link.startsWith("socket:")) return [link];
        return link.includes("bpf-map")
          ? (/^map_id:.*$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8")) ?? [])
          : [];
      } catch (error) {
        if ((error as { code?: string }).code !== "ENOENT") throw error;
        return []; /* the descriptor of the listing itself */
      }
    });
  const before = new Set(ours());
  const added = () => ours().filter((one) => !before.has(one));
  const code = `const addon = require(${JSON.stringify(addon)});
    new addon.Netlink().watch(() => {}, 65536);
    globalThis.map = addon.createMap("m", 1, 4, 4, 1, 0, undefined);
    require("node:worker_threads").parentPort.postMessage("ready");`;
  const worker = new Worker(code, { eval: true });
  await once(worker, "message");
  expect(added()).toEqual([expect.stringMatching(/^socket:|^map_id:/), expect.stringMatching(/^socket:|^map_id:/)]);
  await worker.terminate();
  await until("the worker's descriptors are closed", () => added().length === 0);
});
