// SPDX-License-Identifier: Apache-2.0
// --protect-nodeports: bind() to a NodePort is refused to processes of the node, where it is served and nowhere else
// (behaviour row 27: no socket holds the port).
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Host, NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { run } from "../../src/demo/lab/run.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { pinnedLinks, readyAgent } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { until } from "../support/until.ts";

/** Binds, says "bound" or the error code, and ends. Arguments: tcp or udp, address, port. */
const BIND = `
const [kind, address, port] = process.argv.slice(1);
const done = (word) => { console.log(word); process.exit(); };
const six = address.includes(":");
const socket = kind === "tcp" ? require("net").createServer() : require("dgram").createSocket(six ? "udp6" : "udp4");
socket.on("error", (error) => done(error.code)).on("listening", () => done("bound"));
if (kind === "tcp") socket.listen({ host: address, port: +port, exclusive: true });
else socket.bind({ address, port: +port, exclusive: true });`;

const PROTECT = ["--devices", "eth0", "--protect-nodeports"];
const BIND_HOOKS = ["cgroup-bind4", "cgroup-bind6"];

describe("bind() to a NodePort", () => {
  const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a"] }] });
  let node: NodeHost;
  let manifests: string;
  let agent: LabProcess;

  const bind = async (kind: "tcp" | "udp", address: string, port: number, host: Host = node): Promise<string> => {
    const binder = getLab().spawn(host, ["node", "-e", BIND, kind, address, String(port)]);
    await binder.exited;
    return binder.stdout.trim() || binder.stderr;
  };
  const start = async (...flags: readonly string[]) => {
    agent = await readyAgent(getLab(), node, manifests, { flags });
  };

  beforeAll(async () => {
    const lab = getLab();
    node = lab.node("n1");
    manifests = join(lab.plan.directory, "manifests");
    mkdirSync(manifests);
    writeService("both", "10.96.0.1", "fd00:10:96::1", [30080]);
    writeService("four", "10.96.0.2", undefined, [30090]);
    await start(...PROTECT);
  });
  afterAll(() => agent.stop());

  /** Over TCP only. */
  function writeService(name: string, v4: string, v6: string | undefined, [nodePort]: readonly number[]): void {
    const clusterIPs = v6 === undefined ? [v4] : [v4, v6];
    const spec = { type: "NodePort", clusterIP: v4, clusterIPs, ports: [{ name: "http", port: 80, nodePort }] };
    const object = { apiVersion: "v1", kind: "Service", metadata: { name, namespace: "test" }, spec };
    writeFileSync(join(manifests, `${name}.json`), JSON.stringify(object));
  }

  test("row 27: fails with EADDRINUSE at every address that serves it", async () => {
    expect(pinnedLinks(node)).toEqual(expect.arrayContaining(BIND_HOOKS));
    for (const address of ["0.0.0.0", "::", "127.0.0.1", "::1", node.address.v4, node.address.v6, "::ffff:127.0.0.1"]) {
      expect([address, await bind("tcp", address, 30080)]).toEqual([address, "EADDRINUSE"]);
    }
  });

  test.each([
    ["with another protocol", "udp", "0.0.0.0", 30080],
    ["with another protocol", "udp", "::", 30080],
    ["at another port", "tcp", "0.0.0.0", 30081],
    ["at a port that the kernel chooses", "tcp", "::", 0],
    ["of a family that the Service is not in", "tcp", "::1", 30090],
    ["to an address of the node that is a Service's, at that Service's port", "tcp", "10.96.0.1", 80],
  ] as const)("row 27: succeeds %s (%s %s %i)", async (_what, kind, address, port) => {
    const lab = getLab();
    if (address === "10.96.0.1") await lab.ip(node, `addr add ${address}/32 dev lo`);
    expect(await bind(kind, address, port)).toBe("bound");
    if (address === "10.96.0.1") await lab.ip(node, `addr del ${address}/32 dev lo`);
  });

  test("row 27: a socket at :: would take the port of an IPv4 NodePort, and is refused", async () => {
    expect(await bind("tcp", "::", 30090)).toBe("EADDRINUSE");
  });

  test("row 27: a pod has ports of its own", async () => {
    for (const address of ["0.0.0.0", "::"]) {
      expect(await bind("tcp", address, 30080, getLab().pod("p1a"))).toBe("bound");
    }
  });

  test("row 27: the port is free once its Service gives it up", async () => {
    writeService("four", "10.96.0.2", undefined, [30091]);
    await until("the new one is taken", async () => (await bind("tcp", "0.0.0.0", 30091)) === "EADDRINUSE");
    expect(await bind("tcp", "0.0.0.0", 30090)).toBe("bound");
  });

  test("row 28: at addresses that serve no NodePorts it succeeds", async () => {
    await agent.stop();
    expect(await bind("tcp", node.address.v4, 30080)).toBe("EADDRINUSE");
    await start(...PROTECT, "--nodeport-addresses", `${node.address.v4}/32,${node.address.v6}/128`);
    for (const address of ["127.0.0.1", "::1"]) expect(await bind("tcp", address, 30080)).toBe("bound");
    for (const address of [node.address.v4, node.address.v6, "0.0.0.0"]) {
      expect(await bind("tcp", address, 30080)).toBe("EADDRINUSE");
    }
  });

  test("row 27: without the flag nothing is refused, from the next start on, and cleanup takes the hooks away", async () => {
    await agent.stop();
    await start("--devices", "eth0");
    expect(pinnedLinks(node).filter((name) => BIND_HOOKS.includes(name))).toEqual([]);
    expect(await run(["bpftool", "cgroup", "tree", node.cgroupRoot])).not.toContain("pt_bind");
    for (const address of ["0.0.0.0", "::"]) expect(await bind("tcp", address, 30080)).toBe("bound");
    await agent.stop();
    await start(...PROTECT);
    expect(await bind("tcp", "0.0.0.0", 30080)).toBe("EADDRINUSE");
    await agent.stop();
    await portolan(node, ["cleanup"]);
    expect(await bind("tcp", "0.0.0.0", 30080)).toBe("bound");
    expect(await run(["bpftool", "cgroup", "tree", node.cgroupRoot])).not.toContain("pt_bind");
  });
});
