// SPDX-License-Identifier: Apache-2.0
// The agent's hooks follow the devices of its node: there at start, added, renamed, given an address, enslaved, removed.
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { run } from "../../src/demo/lab/run.ts";
import { portolan, portolanCommand } from "../../src/demo/portolan.ts";
import { pinnedLinks, readyAgent, tcxLinks } from "../support/agent.ts";
import { useLab } from "../support/lab.ts";

/** Runs a file of this project as the source runs: node, tsx, file. */
function typescript(file: string): readonly string[] {
  return [...portolanCommand().slice(0, -1), fileURLToPath(new URL(`../../${file}`, import.meta.url))];
}

describe("devices of a node", () => {
  const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a"], bridgedPods: ["b1a"] }] });
  let node: NodeHost;
  let manifests: string;
  let agent: LabProcess;

  const ifindex = async (device: string) => {
    const [link] = JSON.parse(await getLab().exec(node, ["ip", "-j", "link", "show", "dev", device]));
    return (link as { ifindex: number }).ifindex;
  };
  /** Directions in which a link of ours hangs on the device, by the kernel's word. */
  const hooks = async (device: string) => {
    const index = await ifindex(device);
    return tcxLinks(node)
      .filter((link) => link.ifindex === index)
      .map(({ direction }) => direction);
  };
  const BOTH = ["egress", "ingress"];

  beforeAll(async () => {
    node = getLab().node("n1");
    manifests = join(getLab().plan.directory, "manifests");
    mkdirSync(manifests);
    agent = await readyAgent(getLab(), node, manifests, { flags: ["--devices", "eth0,extra*"] });
  });

  test("at start uplink, pods, bridge and bridge port have hooks, loopback has none", async () => {
    for (const device of ["eth0", "v_p1a", "v_b1a", "cni0"])
      expect([device, await hooks(device)]).toEqual([device, BOTH]);
    expect(await hooks("lo")).toEqual([]);
    expect(agent.stderr).toMatch(/ INFO attached device=eth0 roles=uplink\n/);
    expect(agent.stderr).toMatch(/ INFO attached device=v_p1a roles=pod\n/);
    expect(agent.stderr).toMatch(/ INFO attached device=v_b1a roles=pod,bridgePort\n/);
    expect(agent.stderr).toMatch(/ INFO attached device=cni0 roles=bridge\n/);
  });

  test("a pod that comes and goes is followed, and no pin of it stays", async () => {
    const lab = getLab();
    const client = lab.client.netns;
    await lab.ip(node, `link add v_new type veth peer name eth9 netns ${client}`);
    await agent.waitForOutput(/ INFO attached device=v_new roles=pod\n/);
    expect(await hooks("v_new")).toEqual(BOTH);
    const index = await ifindex("v_new");
    expect(pinnedLinks(node)).toContain(`tcx-${index}-ingress`);
    await lab.ip(node, "link del v_new");
    await agent.waitForOutput(new RegExp(` INFO detached ifindex=${index}\n`));
    expect(pinnedLinks(node).filter((name) => name.startsWith(`tcx-${index}-`))).toEqual([]);
  });

  test("a pod's veth that was made in the node's namespace counts from when its other end has moved", async () => {
    const lab = getLab();
    await lab.ip(node, "link add v_moved type veth peer name eth7", `link set eth7 netns ${lab.client.netns}`);
    await lab.ip(node, "link set v_moved up");
    await agent.waitForOutput(/ INFO attached device=v_moved roles=pod\n/);
    expect(await hooks("v_moved")).toEqual(BOTH);
    await lab.ip(node, "link del v_moved");
  });

  test("every next hop of a default route is an uplink, and stays one while the route flaps", async () => {
    const lab = getLab();
    for (const device of ["up1", "up2"])
      await lab.ip(
        node,
        `link add ${device} type veth peer name ${device}-end`,
        `link set ${device} up`,
        `link set ${device}-end up`,
      );
    await lab.ip(node, "addr add 192.0.2.1/30 dev up1", "addr add 192.0.2.5/30 dev up2");
    await lab.ip(node, "route add default metric 50 nexthop via 192.0.2.2 dev up1 nexthop via 192.0.2.6 dev up2");
    await agent.waitForOutput(/ INFO attached device=up2 roles=uplink\n/);
    expect([await hooks("up1"), await hooks("up2")]).toEqual([BOTH, BOTH]);
    const before = tcxLinks(node);
    await lab.ip(node, "route del default metric 50");
    await lab.ip(node, `link add later type veth peer name eth6 netns ${lab.client.netns}`);
    await agent.waitForOutput(/ INFO attached device=later /); // so the agent has seen the route go
    expect(tcxLinks(node)).toEqual(expect.arrayContaining([...before]));
    await lab.ip(node, "link del up1", "link del up2", "link del later");
  });

  test("a device becomes an uplink by its new name, and a bridge port by its master", async () => {
    const lab = getLab();
    await lab.ip(node, "link add plain type veth peer name plain-end");
    await lab.ip(node, "link set plain name extra0");
    await agent.waitForOutput(/ INFO attached device=extra0 roles=uplink\n/);
    expect(await hooks("extra0")).toEqual(BOTH);
    await lab.ip(node, "link set extra0 name plain");
    await agent.waitForOutput(new RegExp(` INFO detached ifindex=${await ifindex("plain")}\n`));
    expect(await hooks("plain")).toEqual([]);
    await lab.ip(node, "link set plain master cni0");
    await agent.waitForOutput(/ INFO attached device=plain roles=bridgePort\n/);
    await lab.ip(node, "link del plain");
  });

  test("an agent that was away takes over the hooks, and drops those of devices that went meanwhile", async () => {
    const lab = getLab();
    await lab.ip(node, `link add v_gone type veth peer name eth8 netns ${lab.client.netns}`);
    await agent.waitForOutput(/ INFO attached device=v_gone roles=pod\n/);
    const gone = await ifindex("v_gone");
    const before = tcxLinks(node).filter(({ ifindex }) => ifindex !== gone);
    await agent.stop("SIGKILL");
    await lab.ip(node, "link del v_gone");
    agent = await readyAgent(lab, node, manifests, { flags: ["--devices", "eth0,extra*"] });
    expect(agent.stderr).toMatch(new RegExp(` INFO detached ifindex=${gone}\n`));
    expect(pinnedLinks(node).filter((name) => name.startsWith(`tcx-${gone}-`))).toEqual([]);
    expect(tcxLinks(node)).toEqual(before);
  });

  test("filters of a kernel without TCX are replaced in place, then give way to links, and cleanup knows both", async () => {
    const lab = getLab();
    await agent.stop();
    await portolan(node, ["cleanup"]);
    const filters = async () =>
      (await lab.exec(node, ["tc", "filter", "show", "dev", "eth0", "ingress"])).match(/handle \w+ pt_\w+/g);
    const hookByClsact = () => lab.exec(node, [...typescript("test/support/programs/clsact-hooks.ts"), node.bpffs]);
    await hookByClsact();
    await hookByClsact();
    expect(await filters()).toEqual(["handle 0x1 pt_ingress"]);
    await portolan(node, ["cleanup"]);
    expect(await filters()).toBeNull();

    await hookByClsact();
    agent = await readyAgent(lab, node, manifests, { flags: ["--devices", "eth0"] });
    expect(await filters()).toBeNull();
    expect(await hooks("eth0")).toEqual(BOTH);
  });

  test("cleanup takes our hooks off every device", async () => {
    await agent.stop();
    const ids = tcxLinks(node).map(({ id }) => id);
    expect(ids).toHaveLength(8);
    await portolan(node, ["cleanup"]);
    expect(existsSync(join(node.bpffs, "portolan"))).toBe(false);
    const alive: readonly { id: number }[] = JSON.parse(await run(["bpftool", "-j", "link", "show"]));
    expect(alive.filter(({ id }) => ids.includes(id))).toEqual([]);
  });
});
