// SPDX-License-Identifier: Apache-2.0
// Life of an agent as a process: first start, changes by file, kill -9, restart, stop, a second one, cleanup.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { run } from "../../src/demo/lab/run.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { pinnedLinks, readyAgent, spawnAgent } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { removeService, type ServiceSpec, writeService } from "../support/manifests.ts";
import { SCHED_BATCH, SCHED_OTHER, schedulingPolicy, threads } from "../support/threads.ts";
import { until } from "../support/until.ts";

const SOCKET_HOOKS = [
  "cgroup-connect4",
  "cgroup-connect6",
  "cgroup-getpeername4",
  "cgroup-getpeername6",
  "cgroup-recvmsg4",
  "cgroup-recvmsg6",
  "cgroup-sendmsg4",
  "cgroup-sendmsg6",
];
const VIP = { address: "10.96.0.1", port: 80 };
const OTHER_VIP = { address: "10.96.0.2", port: 80 };

describe("an agent's life", () => {
  const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });
  let manifests: string;
  let client: TrafficAgent;
  let web: ServiceSpec;

  const answers = async (target: { address: string; port: number }) =>
    (await client.tcp({ ...target, count: 20, concurrency: 20, timeoutMs: 1000 })).answered;

  beforeAll(async () => {
    const lab = getLab();
    manifests = join(lab.plan.directory, "manifests");
    mkdirSync(manifests);
    web = { name: "web", number: 1, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] };
    writeService(manifests, web);
    await lab.serve(lab.pod("p1b"));
    client = await lab.agentIn(lab.pod("p1a"));
  });

  test("it serves, follows files, survives kill -9 with a connection held, and leaves things working on SIGTERM", async () => {
    const lab = getLab();
    const node = lab.node("n1");
    const first = await readyAgent(lab, node, manifests);
    expect(await answers(VIP)).toBe(20);
    expect(pinnedLinks(node)).toEqual(expect.arrayContaining(SOCKET_HOOKS));
    expect(schedulingPolicy(first.pid)).toBe(SCHED_OTHER);
    expect(threads(first.pid).map(schedulingPolicy)).toContain(SCHED_BATCH);

    writeService(manifests, { ...web, name: "other", number: 2 });
    await until("a Service written is served", async () => (await answers(OTHER_VIP)) === 20);
    removeService(manifests, "other");
    await until("a Service whose file is gone is not served", async () => (await answers(OTHER_VIP)) === 0);

    const held = await client.hold(VIP);
    await first.stop("SIGKILL");
    await held.echo({ count: 5 });
    expect(await answers(VIP)).toBe(20);

    const second = await readyAgent(lab, node, manifests);
    expect(second.stderr).toMatch(/ INFO adopted services=4/); // two ports in two families
    expect(second.stderr).toMatch(/servicesWritten=0 servicesRemoved=0 frontendsWritten=0 frontendsRemoved=0/);
    await held.echo({ count: 5 });
    expect(await answers(VIP)).toBe(20);

    expect(await second.stop("SIGTERM")).toEqual({ code: 0, signal: null });
    await held.echo({ count: 5 });
    await held.close();
    expect(await answers(VIP)).toBe(20);
  });

  test("what changed while no agent ran is put right by the next one before it is ready", async () => {
    const lab = getLab();
    writeService(manifests, { ...web, name: "other", number: 2 });
    removeService(manifests, "web");
    const agent = await readyAgent(lab, lab.node("n1"), manifests);
    expect(await answers(VIP)).toBe(0);
    expect(await answers(OTHER_VIP)).toBe(20);
    await agent.stop();
  });

  test("row 14: new connections during kill -9, a restart and a stop are all answered, by socket and by packet", async () => {
    const lab = getLab();
    const node = lab.node("n1");
    writeService(manifests, { ...web, name: "other", number: 2 });
    const first = await readyAgent(lab, node, manifests);
    const outside = await lab.agentIn(lab.client);
    const running = [client, outside].map((asker) => asker.startTcp({ ...OTHER_VIP, concurrency: 4, gapMs: 2 }));
    await first.stop("SIGKILL");
    const second = await readyAgent(lab, node, manifests);
    await second.stop();
    for (const traffic of running) {
      const { asked, failed, failures } = await traffic.stop();
      expect({ failed, failures }).toEqual({ failed: 0, failures: {} });
      expect(asked).toBeGreaterThan(100);
    }
  });

  test("a second agent on the same pins is refused by the process id of the first, which goes on", async () => {
    const lab = getLab();
    const node = lab.node("n1");
    const first = await readyAgent(lab, node, manifests);
    const second = spawnAgent(lab, node, manifests);
    expect(await second.exited).toEqual({ code: 3, signal: null });
    expect(second.stderr).toContain(`the pins in ${node.bpffs}/portolan are in use, held by process ${first.pid}: `);
    expect(await answers(OTHER_VIP)).toBe(20);
    await expect(portolan(node, ["cleanup"])).rejects.toThrow(`held by process ${first.pid}`);
    await first.stop();
  });

  test("a manifest that does not parse is named by file and line and leaves what runs alone", async () => {
    const lab = getLab();
    const agent = await readyAgent(lab, lab.node("n1"), manifests);
    writeFileSync(join(manifests, "broken.yaml"), "apiVersion: v1\nkind: Service\nmetadata: {name: [\n");
    await agent.waitForOutput(/ ERROR .*broken\.yaml:\d+/);
    rmSync(join(manifests, "broken.yaml"));
    expect(await answers(OTHER_VIP)).toBe(20);
    await agent.stop();
  });

  test.each([
    ["a file that does not parse", (whole: string) => whole.slice(0, whole.length / 2)],
    ["a Service that cannot be used", (whole: string) => whole.replaceAll(/"port":80(?=[,}])/g, '"port":0')],
  ])("row 13: %s when an agent starts takes nothing away of what an earlier agent serves", async (_what, broken) => {
    const lab = getLab();
    const path = join(manifests, "other.json");
    const whole = readFileSync(path, "utf8");
    writeFileSync(path, broken(whole));
    const agent = await readyAgent(lab, lab.node("n1"), manifests);
    expect(agent.stderr).toMatch(/ ERROR .*other\.json:\d+/);
    expect(agent.stderr).toMatch(/ WARN not all could be read: what an earlier agent served stays/);
    expect(await answers(OTHER_VIP)).toBe(20);
    writeFileSync(path, whole);
    await agent.waitForOutput(/( DEBUG state published [\s\S]*){2}/);
    expect(await answers(OTHER_VIP)).toBe(20);
    await agent.stop();
  });

  test("three capabilities are enough to serve, and missing ones are named", async () => {
    const lab = getLab();
    const node = lab.node("n1");
    const bounded = (set: string) => ["setpriv", "--inh-caps=-all", `--bounding-set=-all,${set}`];
    const poor = spawnAgent(lab, node, manifests, { under: bounded("+net_admin") });
    expect(await poor.exited).toEqual({ code: 3, signal: null });
    expect(poor.stderr).toMatch(
      /^portolan: programs of mode ebpf serve this node, .*: this process lacks CAP_BPF, CAP_PERFMON: run it as root or grant/m,
    );
    const enough = await readyAgent(lab, node, manifests, { under: bounded("+bpf,+net_admin,+perfmon") });
    expect(enough.stderr).not.toMatch(/ (WARN|ERROR) /);
    expect(await answers(OTHER_VIP)).toBe(20);
    expect(await portolan(node, ["status"])).toMatch(
      /\nLacks: +CAP_SYS_ADMIN CAP_SYS_PTRACE \(portolan doctor says what for\)\n/,
    );
    expect(await portolan(node, ["doctor"])).toMatch(
      /\nwarning +rights +the agent lacks CAP_SYS_ADMIN, CAP_SYS_PTRACE: a UDP socket /,
    );
    await enough.stop();
  });

  test("a map that is pinned keeps its size, and the agent says so", async () => {
    const lab = getLab();
    const flags = ["--devices", "eth0", "--max-flows", "4096"];
    const agent = await readyAgent(lab, lab.node("n1"), manifests, { flags });
    expect(agent.stderr).toMatch(/ WARN the pinned map keeps its size; .* map=flows wanted=4096 pinned=1048576\n/);
    await agent.stop();
  });

  test("cleanup leaves nothing of ours, twice", async () => {
    const node = getLab().node("n1");
    expect(await portolan(node, ["cleanup"])).toMatch(/^removed \d+ links and \d+ maps\n$/);
    expect(readdirSync(node.bpffs)).not.toContain("portolan");
    expect(await answers(OTHER_VIP)).toBe(0);
    expect(await run(["bpftool", "cgroup", "tree", node.cgroupRoot])).not.toContain("pt_");
    expect(await portolan(node, ["cleanup"])).toBe("nothing to clean up\n");
  });

  test("in mode ebpf, without a bpffs it says how to mount one and touches nothing", async () => {
    const lab = getLab();
    const directory = join(lab.plan.directory, "no-bpffs");
    mkdirSync(directory);
    const agent = spawnAgent(lab, { ...lab.node("n1"), bpffs: directory }, manifests, { flags: ["--mode", "ebpf"] });
    expect(await agent.exited).toEqual({ code: 3, signal: null });
    expect(agent.stderr).toBe(
      `portolan: no bpf file system is mounted at ${directory}: mount -t bpf bpf ${directory}\n`,
    );
    expect(existsSync(join(directory, "portolan"))).toBe(false);
  });
});
