// SPDX-License-Identifier: Apache-2.0
// An agent with Portolan's own configuration file: what it sets in the kernel, and changes of the file while it runs.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { readyAgent } from "../support/agent.ts";
import { bodyOf, get } from "../support/http.ts";
import { useLab } from "../support/lab.ts";
import { writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const lab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });
const WEB = { number: 1, nodePort: 30211 };
const HEAD = "apiVersion: portolan.dev/v1alpha1\nkind: PortolanConfiguration\n";

let manifests = "";
let config = "";
let agent: LabProcess | undefined;

beforeAll(async () => {
  manifests = join(lab().plan.directory, "manifests");
  config = join(lab().plan.directory, "agent.yaml");
  mkdirSync(manifests);
  const { address, nodeName } = lab().pod("p1b");
  writeService(manifests, { name: "web", ...WEB, endpoints: [{ address, nodeName }] });
  await lab().serve(lab().pod("p1b"));
});

/** Starts an agent with this file; returns what it has logged. */
async function restart(text: string, ...flags: readonly string[]): Promise<string> {
  await agent?.stop();
  writeFileSync(config, HEAD + text);
  agent = await readyAgent(lab(), lab().node("n1"), manifests, {
    flags: ["--config", config, ...flags],
    logging: [],
  });
  return agent.stderr;
}

/** Of net.netfilter, on the node. */
async function sysctl(name: string): Promise<number> {
  return Number(await lab().exec(lab().node("n1"), ["cat", `/proc/sys/net/netfilter/nf_conntrack_${name}`]));
}

test("rows 63 and 64: a file that says nothing of netfilter changes nothing, one that does is followed", async () => {
  const before = await sysctl("tcp_timeout_close_wait");
  const silent = await restart("devices: [eth0]\n");
  expect(silent).not.toContain("nf_conntrack");
  expect(await sysctl("tcp_timeout_close_wait")).toBe(before);
  const said = await restart(`devices: [eth0]
oomScoreAdj: 500
conntrack:
  maxPerCore: 1000
  min: 7000
  tcpEstablishedTimeout: 23h
  tcpCloseWaitTimeout: 1h
  tcpBeLiberal: true
  udpTimeout: 31s
  udpStreamTimeout: 2m1s
`);
  expect({
    established: await sysctl("tcp_timeout_established"),
    closeWait: await sysctl("tcp_timeout_close_wait"),
    liberal: await sysctl("tcp_be_liberal"),
    udp: await sysctl("udp_timeout"),
    udpStream: await sysctl("udp_timeout_stream"),
    oom: Number(await lab().exec(lab().node("n1"), ["cat", `/proc/${agent?.pid}/oom_score_adj`])),
  }).toEqual({ established: 82_800, closeWait: 3600, liberal: 1, udp: 31, udpStream: 121, oom: 500 });
  // The table is the machine's: in a network namespace its size cannot be written, which ends nothing.
  expect(said).toMatch(/WARN \/proc\/sys\/net\/netfilter\/nf_conntrack_max could not be set: .*wanted=7000/);
  const client = await lab().agentIn(lab().pod("p1a"), { socketBalancing: false });
  const { v4 } = lab().node("n1").address;
  expect((await client.tcp({ address: v4, port: WEB.nodePort, count: 1 })).pods).toEqual({ p1b: 1 });
  await client.end();
});

test("row 64: a flag beats the file", async () => {
  await restart("conntrack: {udpTimeout: 40s, udpStreamTimeout: 50s}\n", "--conntrack-udp-timeout", "41s");
  expect([await sysctl("udp_timeout"), await sysctl("udp_timeout_stream")]).toEqual([41, 50]);
});

test("rows 70 and 83: a change of the file counts without a restart, and breaks no connection; a broken one changes nothing", async () => {
  await restart("devices: [eth0]\nlogging: {level: info}\n");
  const running = agent;
  const node = lab().node("n1");
  const client = await lab().agentIn(lab().client);
  const targets = [node.address.v4, node.address.v6].map((address) => ({ address, port: WEB.nodePort }));
  const held = await Promise.all(targets.map((target) => client.hold(target)));
  /** Who answers new connections to each address of the node. */
  const answers = async () => {
    const seen = await Promise.all(targets.map((target) => client.tcp({ ...target, count: 1 })));
    return seen.map(({ pods, failures }) => Object.keys({ ...pods, ...failures }).join());
  };
  const change = async (text: string, said: RegExp) => {
    writeFileSync(config, HEAD + text);
    await running?.waitForOutput(said, 10_000);
  };
  expect(await answers()).toEqual(["p1b", "p1b"]);
  const elsewhere = 'devices: [eth0]\nnodePortAddresses: [198.51.100.0/24, "2001:db8::/32"]\n';
  const later = "vipPing: true\nmasqueradeAll: true\ndetectLocalMode: ClusterCIDR\nclusterCIDRs: [10.77.0.0/16]\n";
  await change(
    `${elsewhere}conntrack: {udpTimeout: 47s}\n${later}`,
    /takes effect at the next start: clusterCIDRs, detectLocalMode, masqueradeAll, vipPing/,
  );
  const page = async (path: string) => bodyOf(await get(lab(), node, "127.0.0.1", 10249, path));
  // What is in force, not what the file says.
  expect(JSON.parse(await page("/configz"))).toMatchObject({
    "portolan.dev": {
      config,
      nodePortAddresses: ["198.51.100.0/24", "2001:db8::/32"],
      kernel: { udpMs: 47_000 },
      vipPing: false,
      masqueradeAll: false,
      localDetector: { mode: "Device" },
    },
  });
  const flags = (await page("/flagz")).split("\n");
  for (const line of ["nodeport-addresses=198.51.100.0/24,2001:db8::/32", "conntrack-udp-timeout=47s"]) {
    expect(flags).toContain(line);
  }
  for (const line of ["vip-ping=false", "masquerade-all=false", "detect-local-mode=Device", "cluster-cidr="]) {
    expect(flags).toContain(line);
  }
  expect(running?.stderr).toMatch(/is in force as it is now changed="conntrack.udpTimeout, nodePortAddresses"/);
  expect(await answers()).toEqual(["ECONNREFUSED", "ECONNREFUSED"]);
  expect(await sysctl("udp_timeout")).toBe(47);
  for (const connection of held) await connection.echo();
  await change(
    `${elsewhere}logging: {level: loud}\n`,
    /agent.yaml:5: logging.level: must be trace.*; the agent goes on as it/,
  );
  expect(await answers()).toEqual(["ECONNREFUSED", "ECONNREFUSED"]);
  expect(running?.stderr).not.toContain(" DEBUG ");
  await change(
    "devices: [eth0]\nlogging: {level: debug}\n",
    /changed="conntrack.udpTimeout, logging.level, nodePortAddresses"/,
  );
  await until("new connections are answered", async () => (await answers()).join() === "p1b,p1b");
  writeService(manifests, { name: "late", number: 2, endpoints: [] });
  await running?.waitForOutput(/ DEBUG state published/, 10_000);
  for (const connection of held) await connection.echo();
  expect([running?.running, running === agent]).toEqual([true, true]);
  await client.end();
});
