// SPDX-License-Identifier: Apache-2.0
// `portolan diff` against real maps: silent while they are as the manifests ask, whether an agent runs or not, and exact
// where they are not: after a change that no agent took up, and after a hand in the maps.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { frontendId } from "../../src/datapath/ebpf/frontends.ts";
import { mapPin, pinsUnder } from "../../src/datapath/ebpf/pins.ts";
import type { Lab } from "../../src/demo/lab/lab.ts";
import { inNetns, ip, run } from "../../src/demo/lab/run.ts";
import { portolanCommand, portolanLine } from "../../src/demo/portolan.ts";
import type { DifferenceRow } from "../../src/inspect/rows.ts";
import { openPinnedMap } from "../../src/libbpf/index.ts";
import { useCluster } from "../support/cluster.ts";
import { ip as address } from "../support/compiled.ts";
import { type ServiceSpec, serviceAddresses, writeNode, writeService } from "../support/manifests.ts";

const NODE_PORT = 30_150;

const cluster = useCluster({
  nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }],
  services: (lab) => [web(lab), { name: "plain", number: 51, endpoints: [] }],
});

/** All that a Service can ask for. */
function web(lab: Lab): ServiceSpec {
  const endpoints = ["p1a", "p1b"].map((name) => ({ address: lab.pod(name).address, nodeName: "n1" }));
  return {
    ...{ name: "web", number: 50, nodePort: NODE_PORT, external: true, externalTrafficPolicy: "Local" },
    ...{ healthCheckNodePort: 30_250, affinitySeconds: 600, sourceRanges: ["192.0.2.0/24", "2001:db8:99::/48"] },
    annotations: { "portolan.dev/scheduler": "mh" },
    endpoints,
  };
}

interface Said {
  readonly stdout: string;
  readonly status: number;
}

async function diff(flags: readonly string[] = [], netns = cluster().lab.node("n1").netns): Promise<Said> {
  const line = portolanLine(cluster().lab.node("n1"), ["diff", ...flags]);
  const said = await run(inNetns(netns, ["sh", "-c", '"$@"; echo "exit $?"', "sh", ...line]));
  const [, stdout = "", status = ""] = /^(.*)exit (\d+)\n$/s.exec(said) ?? [];
  return { stdout, status: Number(status) };
}

const SOON = { timeout: 20_000 };
const NOTHING: Said = { stdout: "", status: 0 };

test("nothing, beside a running agent: by its own record, by the flags it has, by a configuration file", async () => {
  const { manifests, lab } = cluster();
  expect(await diff()).toEqual(NOTHING);
  expect(await diff(["--manifests", manifests])).toEqual(NOTHING);
  const config = join(lab.plan.directory, "config.yaml");
  const told = { apiVersion: "portolan.dev/v1alpha1", kind: "PortolanConfiguration", nodeName: "n1", manifests };
  writeFileSync(config, JSON.stringify(told));
  expect(await diff(["--config", config])).toEqual(NOTHING);
  expect(await diff(["-o", "json"])).toEqual({ stdout: "[]\n", status: 0 });
});

test("nothing where a cluster IP is an interface's, from the node and from elsewhere", async () => {
  const { lab } = cluster();
  const node = lab.node("n1");
  const vip = serviceAddresses(51).clusterIP.v4;
  await ip(node.netns, [`addr add ${vip}/32 dev lo`]);
  try {
    await expect.poll(() => diff(), SOON).toEqual(NOTHING);
    expect(await diff([], lab.client.netns)).toEqual(NOTHING);
  } finally {
    await ip(node.netns, [`addr del ${vip}/32 dev lo`]);
  }
  await expect.poll(() => diff(), SOON).toEqual(NOTHING);
});

test("after the agent has stopped: nothing; after a change of a manifest: that change, and with the agent nothing", async () => {
  const { lab, manifests, agents } = cluster();
  await agents.get("n1")?.stop();
  expect(await diff()).toEqual(NOTHING);
  const spec = web(lab);
  writeService(manifests, { ...spec, protocols: ["TCP"], affinitySeconds: 900, endpoints: spec.endpoints.slice(0, 1) });
  const [b4, b6] = [lab.pod("p1b").address.v4, lab.pod("p1b").address.v6];
  const { status, stdout } = await diff(["-o", "json"]);
  expect(status).toBe(1);
  const rows = JSON.parse(stdout) as readonly DifferenceRow[];
  const tcp = rows.filter(({ service }) => service === "test/web:tcp");
  const row = (family: string, what: string, name: string | null, wanted: string | null, found: string) => {
    return { service: "test/web:tcp", protocol: "TCP", family, what, name, wanted, found };
  };
  const lost = "weight=1,node=n1,local";
  expect(tcp).toEqual([
    row("IPv4", "affinitySeconds", null, "900", "600"),
    row("IPv4", "clusterEndpoint", `${b4}:8080`, null, lost),
    row("IPv4", "localEndpoint", `${b4}:8080`, null, lost),
    row("IPv6", "affinitySeconds", null, "900", "600"),
    row("IPv6", "clusterEndpoint", `[${b6}]:8080`, null, lost),
    row("IPv6", "localEndpoint", `[${b6}]:8080`, null, lost),
  ]);
  // The UDP port is gone whole, and nothing else differs.
  const rest = rows.filter((one) => !tcp.includes(one));
  expect(new Set(rest.map(({ service, wanted }) => `${service} ${wanted}`))).toEqual(new Set(["test/web:udp null"]));
  expect(rest.filter(({ what }) => what === "service").length).toBe(2);
  expect(await diff(["--service", "plain"])).toEqual(NOTHING);

  await cluster().startAgent("n1");
  expect(await diff()).toEqual(NOTHING);
});

test("a zone that the Node got meanwhile changes nothing, an endpoint with its hint does", async () => {
  const { lab, manifests, agents } = cluster();
  await agents.get("n1")?.stop();
  writeNode(manifests, "n1", { "topology.kubernetes.io/zone": "a" });
  expect(await diff()).toEqual(NOTHING);
  const hinted = (name: string, zone: string) => {
    const { address: at } = lab.pod(name);
    return { address: at, nodeName: "n1", hints: { forZones: [{ name: zone }] } };
  };
  const endpoints = [hinted("p1a", "a"), hinted("p1b", "b")];
  writeService(manifests, { name: "plain", number: 51, protocols: ["TCP", "UDP"], endpoints });
  const { stdout } = await diff(["--service", "plain", "--protocol", "tcp"]);
  expect(stdout.split("\n").map((line) => line.split(/ +/).slice(2, 7).join(" "))).toEqual([
    "FAMILY WHAT NAME WANTED FOUND",
    "IPv4 endpointsAnywhere - true false",
    `IPv4 clusterEndpoint ${lab.pod("p1a").address.v4}:8080 weight=1,node=n1,local -`,
    "IPv6 endpointsAnywhere - true false",
    `IPv6 clusterEndpoint [${lab.pod("p1a").address.v6}]:8080 weight=1,node=n1,local -`,
    "",
  ]);
  await cluster().startAgent("n1");
  expect(await diff()).toEqual(NOTHING);
});

test("a frontend taken out of the map by hand, and one put in, which no service has", async () => {
  const { agents, lab } = cluster();
  const vip = serviceAddresses(50).clusterIP.v4;
  await agents.get("n1")?.stop();
  {
    using frontends = openPinnedMap(mapPin(pinsUnder(lab.node("n1").bpffs), "frontends"));
    const key = (at: string, port: number) =>
      Buffer.from(frontendId({ kind: "ClusterIP", address: address(at), port }, 4, 6), "latin1");
    const value = frontends.lookup(key(vip, 80));
    expect(value).toBeDefined();
    frontends.delete(key(vip, 80));
    frontends.update(key("10.96.0.99", 81), new Uint8Array(value?.length ?? 0));
  }
  const { stdout, status } = await diff();
  expect(stdout).toBe(
    `SERVICE        PROTO   FAMILY   WHAT       NAME            WANTED      FOUND
test/web:tcp   TCP     IPv4     frontend   10.96.0.50:80   ClusterIP   -
-              TCP     IPv4     frontend   10.96.0.99:81   -           ClusterIP
`,
  );
  expect(status).toBe(1);
  await cluster().startAgent("n1");
  expect(await diff()).toEqual(NOTHING);
});

test("no source that is known, one that cannot be read: exit status 2 and 3, and no answer", async () => {
  const { lab } = cluster();
  const node = lab.node("n1");
  const line = (...flags: readonly string[]) => [...portolanCommand(), "diff", "--bpffs", node.bpffs, ...flags];
  const elsewhere = ["--state-dir", join(lab.plan.directory, "nowhere")];
  await expect(run(inNetns(node.netns, line(...elsewhere)))).rejects.toThrow(
    /exit 2\nportolan: no agent left a record of its source in --state-dir \S+nowhere: give one of --kubeconfig FILE/,
  );
  const kubeconfig = join(lab.plan.directory, "kubeconfig");
  const cluster1 = { name: "c", cluster: { server: "https://127.0.0.1:1" } };
  const contexts = [{ name: "c", context: { cluster: "c", user: "u" } }];
  const users = [{ name: "u", user: { token: "t" } }];
  writeFileSync(kubeconfig, JSON.stringify({ clusters: [cluster1], contexts, users, "current-context": "c" }));
  await expect(run(inNetns(node.netns, line(...elsewhere, "--kubeconfig", kubeconfig)))).rejects.toThrow(
    /exit 3\nportolan: https:\/\/127\.0\.0\.1:1 cannot be reached: connect ECONNREFUSED/,
  );
});
