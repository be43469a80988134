// SPDX-License-Identifier: Apache-2.0
// Cilium and Calico that serve Services are refused, by the names of their programs on connect() and by what they pin; an agent
// told to take over refuses them too, and `doctor` says what to set.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { openObject } from "../../src/libbpf/index.ts";
import { readyAgent, spawnAgent } from "../support/agent.ts";
import { compileFixture } from "../support/bpf-fixture.ts";
import { useLab } from "../support/lab.ts";

const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a"] }] });
const node = (): NodeHost => getLab().node("n1");
let manifests: string;

beforeAll(() => {
  manifests = join(getLab().plan.directory, "manifests");
  mkdirSync(manifests);
});

const refusal = async (): Promise<string> => {
  const flags = ["--devices", "eth0", "--take-over"];
  const refused = spawnAgent(getLab(), node(), manifests, { flags });
  expect(await refused.exited).toMatchObject({ code: 3 });
  return refused.stderr;
};

test.each([
  {
    name: "Cilium",
    program: "cil_sock4_connect",
    hook: "connect4",
    shown: "cil_sock4_conne",
    set: "kubeProxyReplacement=false",
  },
  {
    name: "Calico",
    program: "calico_connect_v6",
    hook: "connect6",
    shown: "calico_connect_",
    set: "linuxDataplane: Iptables",
  },
] as const)("$name, by its program on $hook of a cgroup above", async ({ name, program, hook, shown, set }) => {
  using fixture = compileFixture("others");
  using object = openObject(fixture.path);
  using loaded = object.load();
  {
    using _link = loaded.program(program).attachCgroup(getLab().plan.cgroup, hook);
    expect(await refusal()).toMatch(
      new RegExp(
        `${name} serves Services on this node \\(program ${shown} on ${node().cgroupRoot}\\).*${set}.*nothing was changed`,
      ),
    );
  }
});

test.each([
  { name: "Cilium", directory: "cilium/socketlb/links/cgroup", pin: "cil_sock4_connect" },
  { name: "Calico", directory: "tc/globals", pin: "cali_v4_nat_fe3" },
])("$name, by what it pins, which doctor tells of before an agent's first start", async ({ name, directory, pin }) => {
  using fixture = compileFixture("others");
  using object = openObject(fixture.path);
  using loaded = object.load();
  mkdirSync(join(node().bpffs, directory), { recursive: true });
  const path = join(node().bpffs, directory, pin);
  loaded.program("cil_sock4_connect").pin(path);
  try {
    expect(await refusal()).toContain(`${name} serves Services on this node (${path})`);
    await expect(portolan(node(), ["doctor"])).rejects.toThrow(
      new RegExp(`error +service-proxies +${name} serves Services on this node \\(${path}\\)`),
    );
  } finally {
    rmSync(path);
  }
});

test("Cilium that balances on devices alone, while its programs run there; what it has left behind is no sign", async () => {
  const lab = getLab();
  using fixture = compileFixture("others");
  const directory = join(node().bpffs, "tc/globals");
  mkdirSync(directory, { recursive: true });
  const [pin, program] = [join(directory, "cilium_nodeport_neigh4"), join(node().bpffs, "program")];
  {
    using object = openObject(fixture.path);
    using loaded = object.load();
    loaded.program("cil_sock4_connect").pin(pin);
    loaded.program("cil_from_netdev").pin(program);
  }
  try {
    await lab.exec(node(), ["tc", "qdisc", "add", "dev", "eth0", "clsact"]);
    const filter = ["dev", "eth0", "ingress", "prio", "7", "bpf", "direct-action", "pinned", program];
    await lab.exec(node(), ["tc", "filter", "add", ...filter]);
    rmSync(program);
    expect(await refusal()).toContain(
      `Cilium serves Services on this node (${pin}, program cil_from_netdev on devices)`,
    );
    await lab.exec(node(), ["tc", "qdisc", "delete", "dev", "eth0", "clsact"]);
    const agent = await readyAgent(lab, node(), manifests);
    await agent.stop();
  } finally {
    rmSync(pin);
    rmSync(program, { force: true });
  }
});

test("with nothing of theirs in use the agent begins", async () => {
  const agent = await readyAgent(getLab(), node(), manifests);
  await agent.stop();
});
