// SPDX-License-Identifier: Apache-2.0
// `portolan sysdump`: what the command line shows, the agent's pages and log, the node; with the agent dead, without a
// datapath too; and no secret, wherever one was planted.
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inNetns, run } from "../../src/demo/lab/run.ts";
import { portolan, portolanLine } from "../../src/demo/portolan.ts";
import type { IndexLine } from "../../src/sysdump/part.ts";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses } from "../support/manifests.ts";

const WEB = 61;

const cluster = useCluster({
  nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }],
  firewall: "realistic",
  services: (lab) => [{ name: "web", number: WEB, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] }],
});

interface Unpacked {
  readonly directory: string;
  readonly index: readonly IndexLine[];
  /** The file's text. */
  readonly text: (file: string) => string;
  readonly json: <T>(file: string) => T;
}

let scratch: string;
let dumps = 0;

beforeAll(async () => {
  const { lab } = cluster();
  scratch = mkdtempSync(join(lab.plan.directory, "sysdump-"));
  await lab.serve(lab.pod("p1b"));
});
afterAll(() => rmSync(scratch, { recursive: true }));

interface Asked {
  readonly environment?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  /** Default: the node's. */
  readonly locations?: { readonly bpffs: string; readonly stateDir: string };
  /** By what name the archive calls the node. */
  readonly node?: string;
}

async function sysdump({ environment = {}, flags = [], locations, node = "n1" }: Asked = {}): Promise<Unpacked> {
  const n1 = { ...cluster().lab.node("n1"), ...locations };
  const file = join(scratch, `${++dumps}.tar.gz`);
  const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const command = ["env", ...settings, ...portolanLine(n1, ["sysdump", file, ...flags])];
  expect(await run(inNetns(n1.netns, command))).toBe(`${file}\n`);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  return unpack(file, node);
}

/** As from a container without a place to write. */
async function sysdumpToStdout(flags: readonly string[]): Promise<Unpacked> {
  const node = cluster().lab.node("n1");
  const file = join(scratch, `${++dumps}.tar.gz`);
  const command = ["sh", "-c", `"$@" >${file}`, "sh", ...portolanLine(node, ["sysdump", "-", ...flags])];
  expect(await run(inNetns(node.netns, command))).toBe("");
  return unpack(file, "n1");
}

function unpack(file: string, node: string): Unpacked {
  const into = mkdtempSync(join(scratch, "unpacked-"));
  execFileSync("tar", ["-xzf", file, "-C", into]);
  const [name = "", ...others] = readdirSync(into);
  expect(others).toEqual([]);
  expect(name.replace(/\d{8}T\d{6}Z$/, "TIME")).toBe(`portolan-sysdump-${node}-TIME`);
  const directory = join(into, name);
  const text = (path: string) => readFileSync(join(directory, path), "utf8");
  const json = <T>(path: string): T => JSON.parse(text(path));
  return { directory, index: json("index.json"), text, json };
}

/** Everything that is looked for, in its order. */
const FILES = [
  ...["status", "doctor", "services", "backends", "frontends", "sources", "affinity", "drops", "flows"].map(
    (name) => `state/${name}.json`,
  ),
  ...["agent.json", "agent.log"].map((name) => `agent/${name}`),
  ...["metrics", "metrics/slis", "configz", "flagz", "statusz", "proxyMode", "healthz"].map(
    (name) => `agent/${name}.txt`,
  ),
  ...["healthz", "livez", "readyz"].map((name) => `agent/health/${name}.txt`),
  ...[
    "versions.json",
    "features.json",
    "os-release",
    "mounts.txt",
    "sysctl.txt",
    "pinned-links.json",
    "netlink.json",
  ].map((name) => `node/${name}`),
  ...["tc-filters", "conntrack-stat", "ip-link", "ip-address", "ip-neigh"].map((name) => `node/${name}.txt`),
  ...["ip-route-4", "ip-route-6", "ip-rule-4", "ip-rule-6", "nft-ruleset"].map((name) => `node/${name}.txt`),
  ...["iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy"].map((name) => `node/${name}.txt`),
  ...["bpftool-net", "bpftool-cgroup", "bpftool-prog"].map((name) => `node/${name}.txt`),
];

/** What a machine need not have: rules of the old kind. */
const OPTIONAL = /legacy/;

/** By file, what could not be had. */
function errors({ index }: Unpacked): Readonly<Record<string, string>> {
  const missing = index.filter(({ file, error }) => error !== null && !OPTIONAL.test(file));
  return Object.fromEntries(missing.map(({ file, error }) => [file, error ?? ""]));
}

test("holds what the command line shows, what the agent says of itself, and the node", async () => {
  const { lab } = cluster();
  const node = lab.node("n1");
  const client = await cluster().wire(lab.pod("p1a"));
  const held = await client.hold({ address: serviceAddresses(WEB).clusterIP.v4, port: 80 });
  const dump = await sysdump();
  for (const name of ["services", "doctor"]) {
    expect(dump.text(`state/${name}.json`)).toBe(await portolan(node, [name, "-o", "json"]));
  }
  expect(dump.text("state/status.json")).toBe(await portolan(node, ["status", "--verbose", "-o", "json"]));
  const { peer, peerPort } = held.answer;
  expect(dump.json("state/flows.json")).toMatchObject([{ service: "test/web:tcp", client: `${peer}:${peerPort}` }]);
  await held.close();

  expect(dump.index.map(({ file }) => file)).toEqual(FILES);
  expect(errors(dump)).toEqual({});
  expect(dump.text("agent/agent.log")).toBe(cluster().agents.get("n1")?.stderr);
  expect(dump.text("agent/metrics.txt")).toMatch(/^portolan_build_info\{.*\} 1$/m);
  expect(dump.text("agent/health/readyz.txt")).toMatch(/ok/);
  expect(dump.json("agent/configz.txt")).toMatchObject({ "portolan.dev": { nodeName: "n1" } });
  expect(dump.json("node/pinned-links.json")).toMatchObject({ "cgroup-connect4": { link_type: "cgroup" } });
  expect(dump.json("node/netlink.json")).toMatchObject({
    links: expect.arrayContaining([expect.objectContaining({ name: "v_p1a" })]),
  });
  expect(dump.text("node/sysctl.txt")).toMatch(/^net\/ipv4\/conf\/eth0\/rp_filter: 1$/m);
  expect(dump.text("node/sysctl.txt")).toMatch(/^net\/netfilter\/nf_conntrack_count: \d+$/m);
  expect(dump.text("node/mounts.txt")).toMatch(/ - cgroup2 /);
  expect(dump.text("node/ip-route-4.txt")).toMatch(/^10\.9\.1\.10 dev v_p1a /m);
  expect(dump.text("node/iptables-nft.txt")).toContain("-A FORWARD -j PORTOLAN-FORWARD");
  expect(dump.text("node/nft-ruleset.txt")).toContain("table inet guard {");
});

test("with the agent dead it has all but the pages, and says why; as many connections as asked for", async () => {
  await cluster().killAgent("n1");
  const dump = await sysdump();
  const pages = FILES.filter((file) => /^agent\/.*\.txt$/.test(file));
  const refused = pages.map((file) => [file, expect.stringMatching(/ECONNREFUSED 127\.0\.0\.1:102(?:49|56)$/)]);
  expect(errors(dump)).toEqual(Object.fromEntries(refused));
  expect(dump.text("agent/agent.log")).toMatch(/ INFO ready$/m);
  expect(dump.json("state/doctor.json")).toMatchObject([{ check: "agent" }]);
  expect(dump.json("state/services.json")).toHaveLength(4);
  expect(dump.json("state/flows.json")).toHaveLength(1);
  const older = join(cluster().lab.node("n1").stateDir, "agent.log.1");
  writeFileSync(older, "long ago\n");
  const none = await sysdumpToStdout(["--flows", "0"]);
  expect(none.json("state/flows.json")).toEqual([]);
  expect(none.text("agent/agent.log.1")).toBe("long ago\n");
});

test("where no datapath is, it has the node, and in place of the state what is missing", async () => {
  const bare = { bpffs: join(scratch, "no-bpffs"), stateDir: join(scratch, "no-state") };
  const dump = await sysdump({ locations: bare, node: hostname() });
  const state = FILES.filter((file) => file.startsWith("state/"));
  for (const file of state) expect(dump.text(`${file}.error`)).toMatch(/no-bpffs does not exist: mkdir/);
  expect(dump.text("node/ip-link.txt")).toContain("eth0");
});

test("a file that cannot be written is wrong usage", async () => {
  const node = cluster().lab.node("n1");
  const wanted = portolan(node, ["sysdump", join(scratch, "nowhere", "x.tar.gz")]);
  await expect(wanted).rejects.toThrow(
    /exit 2\n.*x\.tar\.gz cannot be written: ENOENT.*; name another file, or - for stdout/,
  );
});

test("no secret gets into it: not a kubeconfig's, not from the environment, a URL or the log", async () => {
  const { lab } = cluster();
  const node = lab.node("n1");
  const secret = (what: string) => `planted-${what}-4711`;
  const [token, password] = [secret("token"), secret("password")];
  const [url, environment, comment] = [secret("url"), secret("environment"), secret("comment")];
  const kubeconfig = join(scratch, "kubeconfig");
  const user = `{ token: ${token}, password: ${password} }`;
  writeFileSync(
    kubeconfig,
    `apiVersion: v1
kind: Config
current-context: c
contexts: [{ name: c, context: { cluster: c, user: u } }]
clusters: [{ name: c, cluster: { server: "https://u:${url}@127.0.0.1:1" } }]
users: [{ name: u, user: ${user} }]
`,
  );
  await lab.exec(node, ["iptables", "-A", "INPUT", "-m", "comment", "--comment", `password=${comment}`]);
  const api = ["--kubeconfig", kubeconfig, "--api-server", `https://u:${url}@127.0.0.1:1`];
  const secretive = { environment: { PORTOLAN_TOKEN: environment, HTTPS_PROXY: `http://u:${environment}@192.0.2.1` } };
  const command = portolanLine(node, ["agent", ...api, "--node-name", "n1", "--cgroup-root", node.cgroupRoot]);
  const agent = lab.spawn(node, command, secretive);
  await agent.waitForOutput(/ECONNREFUSED/);
  appendFileSync(join(node.stateDir, "agent.log"), `kubeconfig: {"token": "${token}"}\n`);
  const dump = await sysdump(secretive);
  expect(dump.text("agent/agent.log")).toContain('{"token": "CLASSIFIED"}');
  expect(dump.text("agent/agent.json")).toContain("https://CLASSIFIED@127.0.0.1:1");
  for (const file of readdirSync(dump.directory, { recursive: true, encoding: "utf8" })) {
    if (!statSync(join(dump.directory, file)).isDirectory()) expect(dump.text(file)).not.toMatch(/planted-\w+-4711/);
  }
  await agent.stop();
});
