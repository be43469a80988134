// SPDX-License-Identifier: Apache-2.0
// An agent whose programs the kernel refuses, while what it is to serve is being read: what the user sees, what stays.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { portolan, portolanCommand } from "../../src/demo/portolan.ts";
import { pinnedLinks, readyAgent } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { buildMutant } from "../support/mutant.ts";

const PORT = 6443;
const REFUSED = {
  file: "sweep.bpf.c",
  from: "int pt_sweep(struct sweep_report *ctx)\n{",
  to: "int pt_sweep(struct sweep_report *ctx)\n{\n\tif (((volatile __u64 *)ctx)[9000])\n\t\treturn 1;\n",
};

/** An API server that takes connections and never answers. */
const SILENT = `require("node:net").createServer(() => console.log("asked")).listen(${PORT}, "127.0.0.1",
  () => console.log("listens"))`;

const getLab = useLab({ nodes: [{ name: "n1" }] });

function spawnReader(lab: Lab, node: NodeHost, bpfDirectory: string): LabProcess {
  const kubeconfig = join(lab.plan.directory, "kubeconfig");
  const named = { cluster: "c", user: "u" };
  const content = {
    clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${PORT}`, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: "here", context: named }],
    "current-context": "here",
  };
  writeFileSync(kubeconfig, JSON.stringify(content));
  const under = ["env", `PORTOLAN_BPF_DIR=${bpfDirectory}`];
  const places = ["--cgroup-root", node.cgroupRoot, "--bpffs", node.bpffs, "--state-dir", node.stateDir];
  const source = ["--kubeconfig", kubeconfig, "--node-name", node.name, "--devices", "eth0", "--mode", "ebpf"];
  return lab.spawn(node, [...under, ...portolanCommand(), "agent", ...source, ...places]);
}

test("programs that the kernel refuses end the agent with its words, though an API server is being waited for", async () => {
  const lab = getLab();
  const node = lab.node("n1");
  const server = lab.spawn(node, [process.execPath, "-e", SILENT]);
  await server.waitForOutput(/^listens$/m);
  using mutant = buildMutant(REFUSED, ["sweep"]);

  const agent = spawnReader(lab, node, mutant.directory);
  expect(await agent.exited).toEqual({ code: 3, signal: null });
  expect(server.stdout).toContain("asked"); // the programs before the refused one took the kernel a while
  expect(agent.stderr).toMatch(/^portolan: bpf\(BPF_PROG_LOAD\) pt_sweep: EACCES: .*$/m);
  expect(agent.stderr).not.toContain(" ERROR "); // nothing of the API server, which is not to blame
  expect(pinnedLinks(node)).toEqual([]);
  expect(existsSync(join(node.stateDir, "checkpoint"))).toBe(false);

  const manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  const next = await readyAgent(lab, node, manifests); // the lock is free, and what was pinned is of use
  expect(await next.stop("SIGTERM")).toEqual({ code: 0, signal: null });
  await server.stop();
});

test("where any mode will do, rules serve in place of programs that the kernel refuses", async () => {
  const lab = getLab();
  const node = lab.node("n1");
  await portolan(node, ["cleanup"]); // no other mode begins beside programs that serve
  using mutant = buildMutant(REFUSED, ["sweep"]);
  const manifests = join(lab.plan.directory, "manifests");
  const agent = await readyAgent(lab, node, manifests, { under: ["env", `PORTOLAN_BPF_DIR=${mutant.directory}`] });
  expect(agent.stderr).toMatch(/ ERROR mode ebpf could not begin, the next one is tried.*pt_sweep: EACCES/);
  expect(await portolan(node, ["status"])).toMatch(
    /^Mode: +nftables\nWhy: +mode ebpf cannot serve here: .*pt_sweep: EACCES/,
  );
  await agent.stop();
});
