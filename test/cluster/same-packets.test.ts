// SPDX-License-Identifier: Apache-2.0
// The same packets to the same node with the same Services under the real kube-proxy, in two modes, and under Portolan in three:
// what each of them meets is the same, but for a written list. Services at random are asked too; the seed is printed.
import { beforeAll, describe, expect, test } from "vitest";
import { useApiCluster } from "./support/api-cluster.ts";
import { nameOf } from "./support/same-packets/cells.ts";
import { compare } from "./support/same-packets/compare.ts";
import { DIFFERENCES } from "./support/same-packets/differences.ts";
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
  asked = await askAll(table);
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
