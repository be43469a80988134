// SPDX-License-Identifier: Apache-2.0
// The same packets to the same node with the same Services under the real kube-proxy, in two modes, and under Portolan in three:
// what each of them meets is the same, but for a written list. Services at random are asked too, and a part of it all once more under
// another way to tell local pods, or with everybody masqueraded, at random; the seed is printed.
import { beforeAll, describe, expect, test } from "vitest";
import { useApiCluster } from "./support/api-cluster.ts";
import { nameOf, tellingPart } from "./support/same-packets/cells.ts";
import { compare, movedSockets } from "./support/same-packets/compare.ts";
import { DIFFERENCES } from "./support/same-packets/differences.ts";
import { CLUSTER_CIDR, OTHER_SETTINGS, proxiesOf } from "./support/same-packets/proxies.ts";
import { randomOffers } from "./support/same-packets/random.ts";
import { type Asked, askAll, NODES, prepare, type World } from "./support/same-packets/world.ts";

const RANDOM_SERVICES = 8;
const seed = Number(process.env.PORTOLAN_SEED ?? Date.now() % 2 ** 31);

const world = useApiCluster({ nodes: NODES, agents: [], brNetfilter: 1 });
let table: World;
let asked: Asked;

beforeAll(async () => {
  const { cluster, plane } = world();
  table = await prepare(cluster, plane, randomOffers(cluster.lab, seed, RANDOM_SERVICES));
  asked = await askAll(table, proxiesOf(CLUSTER_CIDR));
  console.log(`seed ${seed} (PORTOLAN_SEED repeats it), ${table.cells.length} cells`);
}, 400_000);

test("each cell is asked once", () => {
  expect(new Set(table.cells.map(nameOf)).size).toBe(table.cells.length);
  expect(table.cells.length).toBeGreaterThan(6000);
});

describe.each([
  ["nftables", "nftables"],
  ["iptables", "iptables"],
  ["ebpf, packets", "nftables"],
  ["ebpf, packets", "iptables"],
  ["ebpf, sockets", "nftables"],
  ["ebpf, sockets", "iptables"],
] as const)("%s beside kube-proxy's mode %s", (ours, mode) => {
  test("meets the same, but for the list; each difference in the list is one", () => {
    const { compared, unlisted, vain } = compare(table.cells, asked.answers, ours, mode);
    expect({ unlisted, vain }).toEqual({ unlisted: [], vain: [] });
    console.log(
      `${compared} cells, ${DIFFERENCES.filter((one) => one.of.includes(ours) && one.beside.includes(mode)).length} differences`,
    );
  });
});

test.each(["kube-proxy iptables", "nftables", "iptables", "ebpf"])(
  "row 66: health checks answer under %s as they do under kube-proxy's mode nftables",
  (name) => {
    const theirs = asked.health.get("kube-proxy nftables");
    expect(theirs?.length).toBeGreaterThan(20);
    expect(asked.health.get(name)).toEqual(theirs);
  },
);

const settings = Object.entries(OTHER_SETTINGS);
const [drawn] = settings.slice(seed % settings.length);

describe.each(drawn ? [drawn] : [])("rows 34 to 38: with %s", (_, setting) => {
  let part: World;
  let answers: Asked["answers"];

  beforeAll(async () => {
    part = { ...table, cells: tellingPart(table.cells) };
    ({ answers } = await askAll(part, proxiesOf(setting)));
  }, 200_000);

  test.each([
    ["nftables", "nftables"],
    ["iptables", "iptables"],
    ["ebpf, packets", "nftables"],
    ["ebpf, packets", "iptables"],
  ] as const)("%s meets the same as kube-proxy's mode %s", (ours, mode) => {
    const { compared, unlisted } = compare(part.cells, answers, ours, mode);
    expect(unlisted).toEqual([]);
    expect(compared).toBeGreaterThan(800);
  });

  test("balanced sockets meet what they met before, but where everybody is masqueraded what packets meet", () => {
    expect(movedSockets(part.cells, asked.answers, answers, setting)).toEqual([]);
  });
});
