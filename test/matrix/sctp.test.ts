// SPDX-License-Identifier: Apache-2.0
// SCTP sockets through Services (row 48): pods, a client outside, a backend on another node, real agents. Once as the
// devices would have it (the checksum left to them: CHECKSUM_PARTIAL) and once with checksums that senders compute and
// receivers check.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { DualAddress, Host, NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { compileProgram } from "../support/compile.ts";
import { useLab } from "../support/lab.ts";
import { type ServiceSpec, serviceAddresses, writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const AGENT_MS = 240_000; // an emulated processor verifies 150 000 instructions
const ANSWER_MS = 60_000;
const TARGET_PORT = 36_412;
const SIZES = [1, 2, 3, 100, 1399, 1400, 1401, 20_000, 100_000]; // of messages, bytes; the last are many packets

const getLab = useLab({
  nodes: [
    { name: "n1", routedPods: ["p1a", "p1b"] },
    { name: "n2", routedPods: ["p2a"] },
  ],
});
let manifests: string;
let program: string;

const modules = (): string => readFileSync("/proc/modules", "utf8");

function amf(lab: Lab): ServiceSpec {
  const { address, nodeName } = lab.pod("p1b");
  const endpoints = [{ address, nodeName, port: TARGET_PORT }];
  return { name: "amf", number: 48, port: 38_412, nodePort: 30_412, protocols: ["SCTP"], endpoints };
}

function far(lab: Lab): ServiceSpec {
  const { address, nodeName } = lab.pod("p2a");
  const endpoints = [{ address, nodeName, port: TARGET_PORT }];
  return { name: "far", number: 49, port: 38_412, nodePort: 30_413, protocols: ["SCTP"], endpoints };
}

async function startAgent(lab: Lab, node: NodeHost): Promise<void> {
  const places = ["--cgroup-root", node.cgroupRoot, "--bpffs", node.bpffs, "--state-dir", node.stateDir];
  const told = ["--manifests", manifests, "--node-name", node.name, "--devices", "eth0"];
  const agent = lab.spawn(node, [process.execPath, "dist/portolan.js", "agent", ...told, ...places]);
  await agent.waitForOutput(/INFO ready$/m, AGENT_MS);
}

/** Listens on the host's address of each family. */
async function serve(host: Host): Promise<void> {
  for (const address of [host.address.v4, host.address.v6]) {
    const server = getLab().spawn(host, [program, "serve", address, String(TARGET_PORT), host.name]);
    await server.waitForOutput(/^ready$/m, ANSWER_MS);
  }
}

/** Resolves with what the server said of itself and its peer, without the peer's port. */
async function connect(host: Host, family: keyof DualAddress, to: string, port: number): Promise<[LabProcess, string]> {
  const talker = getLab().spawn(host, [program, "connect", host.address[family], to, String(port)]);
  await talker.waitForOutput(/^connected .*\n/m, ANSWER_MS);
  return [talker, /^connected (\S+ \S+) \d+$/m.exec(talker.stdout)?.[1] ?? talker.stdout];
}

async function echo(talker: LabProcess, size: number): Promise<void> {
  talker.write(`${size}\n`);
  await talker.waitForOutput(new RegExp(`^echoed ${size}$`, "m"), ANSWER_MS);
}

async function checksumErrors(host: Host): Promise<string | undefined> {
  const counters = await getLab().exec(host, ["cat", "/proc/net/sctp/snmp"]);
  return /SctpChecksumErrors\s+(\d+)/.exec(counters)?.[1];
}

const ends = (): readonly Host[] => [getLab().client, ...getLab().pods];

beforeAll(async () => {
  const lab = getLab();
  manifests = join(lab.plan.directory, "manifests");
  mkdirSync(manifests);
  program = compileProgram("sctp", lab.plan.directory);
  for (const spec of [amf(lab), far(lab)]) writeService(manifests, spec);
  await Promise.all(lab.nodes.map((node) => startAgent(lab, node)));
});

test("row 48: agents that serve SCTP have not loaded the kernel's", () => {
  expect(modules()).toMatch(/^veth /m);
  expect(modules()).not.toMatch(/^sctp /m);
});

describe.each(["on", "off"] as const)("checksum offload %s", (offload) => {
  beforeAll(async () => {
    const lab = getLab();
    if (offload === "on") for (const name of ["p1b", "p2a"]) await serve(lab.pod(name));
    for (const host of ends()) {
      await lab.exec(host, ["ethtool", "-K", "eth0", "tx-checksum-sctp", offload]);
      expect(await lab.exec(host, ["ethtool", "-k", "eth0"])).toContain(`tx-checksum-sctp: ${offload}`);
    }
  });

  describe.each(["v4", "v6"] as const)("%s", (family) => {
    test("row 48: a pod reaches a ClusterIP with another target port, and is seen as itself", async () => {
      const lab = getLab();
      const pod = lab.pod("p1a");
      const [talker, seen] = await connect(pod, family, serviceAddresses(48).clusterIP[family], 38_412);
      expect(seen).toBe(`p1b ${pod.address[family]}`);
      for (const size of SIZES) await echo(talker, size);
      await talker.stop();
    });

    test("row 48: a client outside reaches a pod by NodePort, which sees the node", async () => {
      const lab = getLab();
      const node = lab.node("n1").address[family];
      const [talker, seen] = await connect(lab.client, family, node, 30_412);
      // the pod's own route back decides which of the node's addresses it is
      expect(seen).toMatch(/^p1b \S+$/);
      expect(seen).not.toContain(lab.client.address[family]);
      for (const size of SIZES) await echo(talker, size);
      await talker.stop();
    });

    test("row 48: a client outside reaches a pod of another node through this one's NodePort", async () => {
      const lab = getLab();
      const node = lab.node("n1").address[family];
      const [talker, seen] = await connect(lab.client, family, node, 30_413);
      expect(seen).toBe(`p2a ${node}`);
      for (const size of SIZES) await echo(talker, size);
      await talker.stop();
    });
  });

  test("no receiver has met a wrong checksum", async () => {
    for (const host of ends()) expect(await checksumErrors(host)).toBe("0");
  });
});

test("row 50: an association goes on when its endpoint leaves the Service; a new one is refused a backend", async () => {
  const lab = getLab();
  const [talker] = await connect(lab.pod("p1a"), "v4", serviceAddresses(48).clusterIP.v4, 38_412);
  await echo(talker, 10);
  writeService(manifests, { ...amf(lab), endpoints: [] });
  const frontend = `${serviceAddresses(48).clusterIP.v4}:38412/SCTP`;
  await until(
    "the endpoint is gone",
    async () => {
      const node = lab.node("n1");
      const line = ["dist/portolan.js", "explain", lab.pod("p1a").address.v4, frontend];
      const places = ["--bpffs", node.bpffs, "--state-dir", node.stateDir];
      return (await lab.exec(node, [process.execPath, ...line, ...places])).includes("no usable endpoint");
    },
    ANSWER_MS,
  );
  await echo(talker, 1000);
  expect(talker.stdout).toContain("echoed 1000");
  await talker.stop();
});
