// SPDX-License-Identifier: Apache-2.0
// What an agent says to bad input, and that what ran before runs on: each start is refused by name and with advice while
// the datapath of an earlier agent serves, each bad manifest while an agent runs. (agent.test.ts has a second agent, a
// missing bpffs and a file that does not parse; test/unit/cli the flags.)
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { type AgentRun, readyAgent, spawnAgent, tcxLinks } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";
import { removeService, type ServiceSpec, writeObjects, writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const VIP = { address: "10.96.0.1", port: 80 };
const OTHER_VIP = { address: "10.96.0.2", port: 80 };
/** Two of 16 ids are for the two families' endpoint of `web`; id 0 is never used. */
const SMALL = ["--devices", "eth0", "--max-backends", "16"];

interface Start extends AgentRun {
  readonly node?: Partial<NodeHost>;
  readonly manifests?: string;
}

describe("bad input", () => {
  const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });
  let manifests: string;
  let plain: string;
  let client: TrafficAgent;
  let web: ServiceSpec;

  const answers = async (target: { address: string; port: number }) =>
    (await client.tcp({ ...target, count: 10, concurrency: 10, timeoutMs: 1000 })).answered;

  /** Starts an agent that must not begin; returns what it said. */
  async function refused(status: number, start: Start): Promise<string> {
    const lab = getLab();
    const node = lab.node("n1");
    const before = tcxLinks(node);
    const agent = spawnAgent(lab, { ...node, ...start.node }, start.manifests ?? manifests, {
      ...start,
      flags: [...(start.flags ?? []), "--mode", "ebpf"], // another would serve where this one lacks something
    });
    expect({ ...(await agent.exited), stderr: agent.stderr }).toMatchObject({ code: status });
    expect(tcxLinks(node)).toEqual(before);
    expect(await answers(VIP)).toBe(10);
    return agent.stderr.replace(/^.* INFO starting, .*\n/m, "");
  }

  beforeAll(async () => {
    const lab = getLab();
    manifests = join(lab.plan.directory, "manifests");
    plain = join(lab.plan.directory, "plain");
    for (const directory of [manifests, plain]) mkdirSync(directory);
    web = { name: "web", number: 1, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] };
    writeService(manifests, web);
    await lab.serve(lab.pod("p1b"));
    client = await lab.agentIn(lab.pod("p1a"));
    await (await readyAgent(lab, lab.node("n1"), manifests, { flags: SMALL })).stop();
  });

  test("flags that contradict each other, or that there are not, are wrong usage that names what there is", async () => {
    const start = async (...flags: readonly string[]) => await refused(2, { flags });
    const several =
      "portolan: several sources of Services are named: give one of --kubeconfig FILE, --in-cluster and --manifests DIR\n";
    expect(await start("--in-cluster")).toBe(several);
    expect(await start("--kubeconfig", "x")).toBe(several);
    expect(await start("--manifest", "x")).toBe(
      "error: unknown option '--manifest'\n(Did you mean --manifests?)\n(see --help)\n",
    );
  });

  test("row 28: NodePort addresses that are no CIDRs are wrong usage", async () => {
    const start = async (value: string) => await refused(2, { flags: ["--nodeport-addresses", value] });
    expect(await start("10.0.0.0/33")).toBe(
      'portolan: --nodeport-addresses: "10.0.0.0/33" is no CIDR; give CIDRs such as 192.0.2.0/24\n',
    );
    expect(await start("10.0.0.0/8,primary")).toBe(
      'portolan: --nodeport-addresses: "primary" is no CIDR; "primary" stands alone\n',
    );
  });

  test("manifests that are no directory are wrong usage, said before anything is loaded", async () => {
    expect(await refused(2, { manifests: "/nowhere" })).toBe(
      "portolan: --manifests /nowhere does not exist: name the directory with the Service and EndpointSlice files\n",
    );
    const file = join(manifests, "web.json");
    expect(await refused(2, { manifests: file })).toBe(
      `portolan: --manifests ${file} is a file: name the directory that it is in\n`,
    );
  });

  test("a cgroup root that is no cgroup2 directory, or is not there, is refused", async () => {
    expect(await refused(3, { node: { cgroupRoot: plain } })).toBe(
      `portolan: --cgroup-root ${plain} is no cgroup2 directory: name one below the mount of type cgroup2\n`,
    );
    expect(await refused(3, { node: { cgroupRoot: "/nowhere" } })).toBe(
      "portolan: --cgroup-root /nowhere does not exist: make it, or name one that does\n",
    );
  });

  test("a process without capabilities, and a kernel without BTF, are told what they lack", async () => {
    const nobody = ["setpriv", "--reuid=65534", "--clear-groups"];
    expect(await refused(3, { under: nobody })).toBe(
      "portolan: this process lacks CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON: run it as root or grant these capabilities\n",
    );
    const hideBtf = 'mount -t tmpfs none /sys/kernel/btf && exec "$@"';
    expect(await refused(3, { under: ["unshare", "-m", "sh", "-c", hideBtf, "sh"] })).toBe(
      "portolan: /sys/kernel/btf/vmlinux is missing: mount sysfs on /sys, or boot a kernel with CONFIG_DEBUG_INFO_BTF=y\n",
    );
  });

  test("missing BPF objects and a missing addon say where they were looked for and how to get them", async () => {
    expect(await refused(3, { under: ["env", `PORTOLAN_BPF_DIR=${plain}`] })).toBe(
      `portolan: there is no BPF object ${plain}/cgroup.bpf.o: build them with npm run build, or name their directory in PORTOLAN_BPF_DIR\n`,
    );
    expect(await refused(3, { under: ["env", `PORTOLAN_ADDON=${plain}/x.node`] })).toBe(
      "portolan: cannot load the native addon; PORTOLAN_ADDON names its file; tried\n" +
        `  ${plain}/x.node: Cannot find module '${plain}/x.node'\n`,
    );
  });

  describe("while an agent runs", () => {
    let agent: LabProcess;
    beforeAll(async () => {
      agent = await readyAgent(getLab(), getLab().node("n1"), manifests, { flags: SMALL });
    });
    afterAll(() => agent.stop());

    test("a Service with an impossible port is named by file, line and field, and stays as it was", async () => {
      const path = join(manifests, "port.yaml");
      writeFileSync(path, yamlService("port", 2, "99999"));
      await agent.waitForOutput(/ ERROR .*port\.yaml:6: /);
      expect(agent.stderr).toContain(
        `${path}:6: Service default/port: spec.ports[0].port: 99999 is not a port number: use 1 to 65535\n`,
      );
      expect(await answers(VIP)).toBe(10);
      writeFileSync(path, yamlService("port", 2, "80"));
      await agent.waitForOutput(/ DEBUG state published servicesWritten=1 /);
    });

    test("of a Service with a bad port the rest is served, with a warning, and `status` counts it until it is mended", async () => {
      const node = getLab().node("n1");
      const problems = async () => JSON.parse(await portolan(node, ["status", "-o", "json"])).problems;
      expect(await problems()).toBe(0);
      writeService(manifests, { ...web, name: "partly", number: 2 });
      const path = join(manifests, "partly.json");
      const whole = readFileSync(path, "utf8");
      const bad = whole.replace(
        '{"name":"udp","protocol":"UDP","port":80}',
        '{"name":"udp","protocol":"UDP","port":0}',
      );
      expect(bad).not.toBe(whole);
      writeFileSync(path, bad);
      await agent.waitForOutput(
        / WARN .*partly\.json:1: Service test\/partly: items\[0\]\.spec\.ports\[1\]\.port: is missing or 0: use 1 to 65535 \(until then the rest of it counts\)\n/,
      );
      await until("the good port is served", async () => (await answers(OTHER_VIP)) === 10);
      await until("the object is counted", async () => (await problems()) === 1);
      const rival = { ...web, name: "rival", number: 2, annotations: { "portolan.dev/scheduler": "garbage" } };
      writeService(manifests, rival);
      await until("so is one that asks for what another has", async () => (await problems()) === 2);
      removeService(manifests, "rival");
      writeFileSync(path, whole);
      await until("neither is any more", async () => (await problems()) === 0);
      removeService(manifests, "partly");
      await until("it is gone", async () => (await answers(OTHER_VIP)) === 0);
    });

    test("an object that cannot be used stays as it was, and the others of its file change", async () => {
      const [good, bad] = [4, 5].map((number) => ({ address: `10.96.1.${number}`, port: 80 }));
      if (!good || !bad) throw new Error("two addresses");
      const backend = getLab().pod("p1b").address.v4;
      writeObjects(manifests, "list", [...listed("good", 4, "10.9.1.99"), ...listed("bad", 5, backend)]);
      await until("both are there", async () => (await answers(bad)) === 10);
      expect(await answers(good)).toBe(0);
      writeObjects(manifests, "list", [...listed("good", 4, backend), ...listed("bad", 5, backend, "tcp")]);
      await until("the endpoint has moved", async () => (await answers(good)) === 10);
      expect(await answers(bad)).toBe(10);
      expect(agent.stderr).toMatch(
        / ERROR .*list\.json:1: Service test\/bad: items\[2\]\.spec\.ports\[0\]\.protocol: "tcp" is not known: use TCP, UDP, SCTP \(until then the object counts as it was before\)\n/,
      );
      removeService(manifests, "list");
      await until("both are gone", async () => (await answers(bad)) + (await answers(good)) === 0);
    });

    test("a Service that finds no room is named with the flag that makes room; all others are served", async () => {
      const many = Array.from({ length: 20 }, (_, i) => ({
        address: { v4: `10.9.1.${50 + i}`, v6: `fd00:9:1::${50 + i}` },
      }));
      writeService(manifests, { name: "big", number: 3, endpoints: many });
      await agent.waitForOutput(/ ERROR a change could not be published, it is tried again: map backends is full/);
      expect(agent.stderr).toMatch(
        / ERROR a change could not be published, it is tried again: map backends is full \(16 entries\), no room for endpoint 10\.9\.1\.\d+ port 8080 of test\/big:tcp\/TCP\/IPv4: raise it with --max-backends, after `portolan cleanup`, for a map that is there keeps its size\n/,
      );
      expect(await answers(VIP)).toBe(10);
      writeService(manifests, { ...web, name: "other", number: 2 });
      await until("a Service with known endpoints is served", async () => (await answers(OTHER_VIP)) === 10);
      removeService(manifests, "big");
      expect(agent.running).toBe(true);
    });
  });
});

function yamlService(name: string, number: number, port: string): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec:
  clusterIP: 10.96.1.${number}
  ports: [{name: tcp, port: ${port}, protocol: TCP}]
`;
}

/** A Service with one TCP port, and its slice with one endpoint. */
function listed(name: string, number: number, endpoint: string, protocol = "TCP"): readonly object[] {
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: "test" },
      spec: { clusterIP: `10.96.1.${number}`, ports: [{ name: "tcp", port: 80, protocol }] },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${name}-1`, namespace: "test", labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ name: "tcp", port: 8080 }],
      endpoints: [{ addresses: [endpoint] }],
    },
  ];
}
