// SPDX-License-Identifier: Apache-2.0
// The table of packets: who asks which frontend of which Service in which way, and what they meet, asked by programs/cells.c.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../../../../src/demo/lab/lab.ts";
import type { DualAddress } from "../../../../src/demo/lab/plan.ts";
import { type ServiceSpec, serviceAddresses } from "../../../support/manifests.ts";
import { hostOf } from "../../../support/paths.ts";
import { NAMED_PORTS, type Offer, SECOND_PORT } from "./services.ts";

const FAMILIES = ["v4", "v6"] as const;
export const ASKERS = ["p1a", "p1b", "b1a", "n1", "client", "p2b"] as const;
export type Asker = (typeof ASKERS)[number];

type Frontend =
  | "clusterIP"
  | "externalIP"
  | "loadBalancer"
  | "nodePort"
  | "nodePort on the bridge"
  | "nodePort at localhost";

export interface Cell {
  readonly from: Asker;
  readonly spec: ServiceSpec;
  readonly frontend: Frontend;
  /** Which of its ports; beside: one that it does not have. */
  readonly port: "first" | "second" | "beside";
  /** sendto: without connect(). */
  readonly way: "tcp" | "udp" | "sendto" | "ping";
  readonly family: keyof DualAddress;
  /** With session affinity: by which frontends a client meets the one endpoint, whichever it is. */
  readonly sticky?: "all" | "each";
}

/** "p1b sees client", "port unreachable", "silence", ...: all that was met, in order. */
export type Outcome = readonly string[];

export const nameOf = ({ from, way, spec, frontend, port, family }: Cell): string =>
  `${from} ${way} ${spec.name} ${frontend}${port === "first" ? "" : ` ${port}`} ${family}`;

/** By the number of endpoints: enough for one of them to be missed once in 2^27 times. */
const TRIES = [4, 6, 28, 56, 80] as const;
/** Those without affinity, of which most only wait, are asked by one process, so many at once. */
const FREE = "free";
const AT_ONCE = 150;

/** All but what an answer could not come back from by way of the node (row 38): of endpoints elsewhere to pods elsewhere. */
export function tableOf(offered: readonly Offer[]): readonly Cell[] {
  return offered.flatMap((offer) => {
    const remote = offer.spec.endpoints.some(({ nodeName }) => nodeName !== "n1") || offer.spec.name === NAMED_PORTS;
    const askers = ASKERS.filter((from) => from !== "p2b" || !remote);
    return askers.flatMap((from) => cellsOf(offer, from));
  });
}

/** Services whose cells say how pods are told, and whom a proxy masquerades. */
const TELLING = [
  ...["plain", "local", "local-elsewhere", "inside", "nobody", "ranged-pod"],
  ...["itself", "itself-bridged", "itself-local", "host", "host-elsewhere"],
];

/**
 * Those that say so, but what is answered past the node where it masquerades nobody at a ClusterIP (row 35), and the NodePorts of the
 * bridge, which are where pods are.
 */
export function tellingPart(cells: readonly Cell[]): readonly Cell[] {
  return cells.filter(({ from, spec, frontend, port }) => {
    const past =
      from === "client" && frontend === "clusterIP" && spec.endpoints.some(({ nodeName }) => nodeName !== "n1");
    return TELLING.includes(spec.name) && !past && port === "first" && frontend !== "nodePort on the bridge";
  });
}

function cellsOf(offer: Offer, from: Asker): readonly Cell[] {
  const { spec } = offer;
  const sticky = stickyBy(offer, from);
  return frontendsOf(offer, from).flatMap((frontend) =>
    FAMILIES.flatMap((family) => {
      const cell = { from, spec, frontend, family, ...(sticky && { sticky }) } as const;
      const ways = [...(["tcp", "udp"] as const), ...(frontend === "clusterIP" ? (["sendto"] as const) : [])];
      const first = ways.map((way): Cell => ({ ...cell, way, port: "first" }));
      if (spec.name === "two-ports") return [...first, { ...cell, way: "tcp", port: "second" } as const];
      if (offer.thorough !== true || frontend.startsWith("nodePort")) return first;
      const beside = (["tcp", "udp", "ping"] as const).map((way): Cell => ({ ...cell, way, port: "beside" }));
      return [...first, ...beside];
    }),
  );
}

/** A policy may keep a client from the endpoint it has; the node is another client by each address of its own. */
function stickyBy({ spec }: Offer, from: Asker): Cell["sticky"] {
  if (spec.affinitySeconds === undefined) return undefined;
  const local = spec.externalTrafficPolicy === "Local" || spec.internalTrafficPolicy === "Local";
  return local || from === "n1" ? "each" : "all";
}

function frontendsOf({ spec, thorough = false }: Offer, from: Asker): readonly Frontend[] {
  const nodePorts = ["nodePort", ...(thorough ? (["nodePort on the bridge"] as const) : [])] as const;
  return [
    "clusterIP",
    ...(spec.external ? (["externalIP", "loadBalancer"] as const) : []),
    ...(spec.nodePort === undefined ? [] : nodePorts),
    ...(spec.nodePort !== undefined && from === "n1" ? (["nodePort at localhost"] as const) : []),
  ];
}

const PORTS = { first: 80, second: SECOND_PORT, beside: 81 } as const;

function targetOf(lab: Lab, { spec: { number, nodePort = 0 }, frontend, port, family }: Cell): string {
  const node = lab.node("n1");
  const on: Partial<Record<Frontend, DualAddress>> = {
    nodePort: node.address,
    "nodePort on the bridge": bridgeOf(lab),
    "nodePort at localhost": { v4: "127.0.0.1", v6: "::1" },
  };
  const at = on[frontend];
  if (at !== undefined) return `${at[family]} ${nodePort + (port === "second" ? 100 : 0)}`;
  const addresses: Partial<Record<Frontend, DualAddress>> = serviceAddresses(number);
  return `${addresses[frontend]?.[family]} ${PORTS[port]}`;
}

function bridgeOf(lab: Lab): DualAddress {
  const { v4, v6 } = lab.node("n1").bridgeAddress;
  return { v4: v4.replace(/\/.*/, ""), v6: v6.replace(/\/.*/, "") };
}

export interface Asking {
  readonly program: string;
  readonly cells: readonly Cell[];
  readonly socketBalancing: boolean;
}

/** What each cell meets, by its name. Those of affinity are asked one after the other: what one meets, the next one is kept to. */
export async function ask(lab: Lab, asking: Asking): Promise<ReadonlyMap<string, Outcome>> {
  const answers = ASKERS.flatMap((from) => {
    const cells = asking.cells.filter((cell) => cell.from === from);
    const free = cells.filter(({ sticky }) => sticky === undefined);
    const sticky = new Set(cells.filter((cell) => cell.sticky !== undefined).map(({ spec }) => spec));
    return [
      askFrom(lab, from, free, FREE, asking),
      ...[...sticky].map((spec) => {
        const ofOne = cells.filter((cell) => cell.spec === spec);
        return askFrom(lab, from, ofOne, spec.name, asking);
      }),
    ];
  });
  return new Map((await Promise.all(answers)).flat());
}

async function askFrom(
  lab: Lab,
  from: Asker,
  cells: readonly Cell[],
  which: string,
  { program, socketBalancing }: Asking,
): Promise<readonly (readonly [string, Outcome])[]> {
  if (cells.length === 0) return [];
  const file = join(lab.plan.directory, `cells-${from}-${which}`);
  writeFileSync(file, cells.map((cell, i) => lineOf(lab, cell, i)).join(""));
  const asker = lab.spawn(hostOf(lab, from), [program, "ask", String(which === FREE ? AT_ONCE : 1), file], {
    socketBalancing,
  });
  await asker.exited;
  const lines = asker.stdout.trim().split("\n");
  if (lines.pop() !== "end")
    throw new Error(`cells in ${from} ended early: ${asker.stderr}${asker.stdout.slice(-500)}`);
  const met = cells.map(() => new Set<string>());
  for (const line of lines) {
    const [number = "", ...said] = line.split(" ");
    met[Number(number)]?.add(told(lab, said));
  }
  const seen = new Map<string, string>();
  return cells.map((cell, i) => [nameOf(cell), unnamed(cell, [...(met[i] ?? [])].sort(), seen)] as const);
}

function lineOf(lab: Lab, cell: Cell, i: number): string {
  const { endpoints, name } = cell.spec;
  const many = name === NAMED_PORTS ? 2 : endpoints.length;
  return `${i} ${cell.way} ${targetOf(lab, cell)} ${TRIES[many] ?? 0}\n`;
}

const REFUSED = "port unreachable";
const ICMP: Readonly<Record<string, string>> = { "icmp 3/3": REFUSED, "icmp 1/4": REFUSED };

/** "p1b 192.168.50.10" as "p1b sees client"; errors by what they mean in both families. */
function told(lab: Lab, [who = "", what = "", ...more]: readonly string[]): string {
  const said = [who, what, ...more].join(" ").trim();
  if (!/^[pbn]\d\w?$|^client$/.test(who)) return ICMP[said] ?? said;
  const hosts = [...lab.pods, ...lab.nodes, lab.client].flatMap(({ name, address }) => [
    [address.v4, name],
    [address.v6, name],
  ]);
  const bridge = bridgeOf(lab);
  const names = new Map([...hosts, [bridge.v4, "n1's bridge"], [bridge.v6, "n1's bridge"]] as [string, string][]);
  return `${who} sees ${names.get(what) ?? what}`;
}

/** Of affinity only counts whether a client meets one endpoint: endpoints by the order they are met, whoever it is. */
function unnamed(cell: Cell, outcome: Outcome, seen: Map<string, string>): Outcome {
  const { spec, way, family, sticky, frontend } = cell;
  if (sticky === undefined) return outcome;
  const scope = [spec.name, way === "tcp", family, sticky === "each" && frontend].join(" ");
  const known = (who: string): string => {
    const others = [...seen.keys()].filter((key) => key.startsWith(scope));
    const name = seen.get(`${scope} ${who}`) ?? `endpoint ${others.length + 1}`;
    seen.set(`${scope} ${who}`, name);
    return name;
  };
  return outcome.map((text) => text.replace(/^(\w+) sees .*/, (_, who: string) => known(who)));
}
