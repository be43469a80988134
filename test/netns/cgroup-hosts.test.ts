// SPDX-License-Identifier: Apache-2.0
// Nodes with cgroup2 alone, beside version 1, and not at all: where an agent that nobody told finds the tree whose sockets it
// balances and the pods that are opted out. Each node's mounts are made in a mount namespace, its tree begins at the lab's node.
import { beforeAll, expect, test } from "vitest";
import type { Host } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { portolanLine } from "../../src/demo/portolan.ts";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { countPackets, makeSystemdCgroup, packetsSent, writePod } from "../support/opt-out.ts";

const WEB = 51;
const UID = "0a1b2c3d-0000-4000-8000-0000000000c5";
const CGROUPS = "/sys/fs/cgroup";
const VERSION1 = `mount -t tmpfs tmpfs ${CGROUPS} && mkdir ${CGROUPS}/memory && mount -t cgroup -o memory cgroup ${CGROUPS}/memory`;
const HYBRID = `${VERSION1} && mkdir ${CGROUPS}/unified && mount -t cgroup2 cgroup2 ${CGROUPS}/unified`;
const PURE = `mount -t cgroup2 cgroup2 ${CGROUPS}`;

const cluster = useCluster({
  nodes: [{ name: "n1", routedPods: ["p1a", "p1b", "p1c"] }],
  agents: [],
  services: (lab) => [{ name: "web", number: WEB, endpoints: [{ address: lab.pod("p1b").address, nodeName: "n1" }] }],
});

beforeAll(async () => {
  const { lab, manifests } = cluster();
  await lab.serve(lab.pod("p1b"));
  for (const name of ["p1a", "p1c"]) await countPackets(cluster(), lab.pod(name));
  makeSystemdCgroup(lab.node("n1").cgroupRoot, UID);
  writePod(manifests, lab.pod("p1c"), { uid: UID, balancing: "false" });
});

interface View {
  /** Of cgroups; there are no others. */
  readonly mounts: string;
  /** The tree that they show begins at the lab's node, not at the machine's root. */
  readonly begins: "node" | "root";
  readonly flags?: readonly string[];
}

function spawnAgent({ mounts, begins, flags = [] }: View): LabProcess {
  const { lab, manifests } = cluster();
  const node = lab.node("n1");
  const agent = portolanLine(node, [
    "agent",
    "--manifests",
    manifests,
    "--node-name",
    "n1",
    "--devices",
    "eth0",
    ...flags,
  ]);
  const view = `umount -R -l ${CGROUPS} && ${mounts} && exec "$@"`;
  const unshare = begins === "node" ? "unshare --mount --cgroup" : "unshare --mount";
  const enter = `echo $$ > "$0/cgroup.procs" && exec ${unshare} sh -c "$@"`;
  return lab.spawn(node, ["sh", "-c", enter, node.cgroupRoot, view, "sh", ...agent]);
}

/** To which kind of address the packets go that a host's sockets cause. */
async function sent(host: Host): Promise<readonly string[]> {
  const client = await cluster().socket(host);
  await packetsSent(cluster(), host, "v4");
  const target = { address: serviceAddresses(WEB).clusterIP.v4, port: 80, count: 4 };
  expect(await client.tcp(target)).toMatchObject({ answered: 4, pods: { p1b: 4 } });
  return packetsSent(cluster(), host, "v4");
}

const root = (agent: LabProcess) => /cgroupRoot=(\S+)$/m.exec(agent.stderr)?.[1];

test.each([
  { node: "cgroup2 alone", mounts: PURE, flags: [], found: CGROUPS },
  { node: "version 1 beside it", mounts: HYBRID, flags: [], found: `${CGROUPS}/unified` },
  {
    node: "version 1 beside it, named as one place",
    mounts: HYBRID,
    flags: ["--cgroup-root", CGROUPS],
    found: `${CGROUPS}/unified`,
  },
])("of a node with $node the tree is found, and its pods' sockets are balanced", async ({ mounts, flags, found }) => {
  const agent = spawnAgent({ mounts, begins: "node", flags });
  await agent.waitForOutput(/INFO ready$/m, 30_000);
  expect(root(agent)).toBe(found);
  // As in a container that sees no more than its own.
  expect(/WARN cgroup2 at (\S+) is not the node's whole tree/.exec(agent.stderr)?.[1]).toBe(
    flags.length > 0 ? undefined : found,
  );
  expect(await sent(cluster().lab.pod("p1a"))).toEqual(["pod"]);
  await agent.stop();
});

test("on a node with cgroup2 alone a pod is opted out by its cgroup", async () => {
  const { lab } = cluster();
  const { id } = lab.plan;
  const agent = spawnAgent({ mounts: PURE, begins: "root", flags: ["--cgroup-root", `${CGROUPS}/${id}/n1`] });
  const told = /Pod test\/p1c: its sockets are left to the wire, told by its cgroup$/m;
  await agent.waitForOutput(told, 30_000);
  await agent.waitForOutput(/INFO ready$/m);
  expect(await sent({ ...lab.pod("p1c"), cgroup: makeSystemdCgroup(lab.node("n1").cgroupRoot, UID) })).toEqual(["vip"]);
  expect(await sent(lab.pod("p1a"))).toEqual(["pod"]);
  await agent.stop();
});

test.each([
  { node: "version 1 alone", mounts: VERSION1, place: `${CGROUPS}/unified` },
  { node: "no cgroups at all", mounts: "true", place: CGROUPS },
])("a node with $node is refused in mode ebpf, with what to mount", async ({ mounts, place }) => {
  const agent = spawnAgent({ mounts, begins: "node", flags: ["--mode", "ebpf"] });
  expect(await agent.exited).toMatchObject({ code: 3 });
  const line = `portolan: cgroup2 is not mounted: mkdir -p ${place} && mount -t cgroup2 cgroup2 ${place}; where it is, name it with --cgroup-root\n`;
  expect(agent.stderr).toBe(line);
});

test("a node without cgroups is served by rules, which need none, and says so", async () => {
  const agent = spawnAgent({ mounts: "true", begins: "node" });
  await agent.waitForOutput(/INFO ready$/m, 30_000);
  expect(agent.stderr).toMatch(/ INFO mode ebpf cannot serve here: .*cgroup2 is not mounted: mkdir -p /);
  await agent.stop();
});
