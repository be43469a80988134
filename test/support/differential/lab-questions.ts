// SPDX-License-Identifier: Apache-2.0
// Questions that sockets can ask in the lab: at random, and those that a run must not miss, with the Services that they
// are about.

import fc from "fast-check";
import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { DualAddress, PodHost } from "../../../src/demo/lab/plan.ts";
import { serviceAddresses } from "../manifests.ts";
import type { Interface, Packet } from "../model/world.ts";
import { hostOf } from "../paths.ts";
import {
  HERE,
  LAB_FAMILIES,
  NOBODYS,
  NUMBERS,
  nodePortOf,
  type Setting,
  type Shape,
  TARGET_PORT,
  UNUSED_PORT,
} from "./lab-world.ts";

const FRONTENDS = ["clusterIP", "externalIP", "loadBalancer", "nodePort"] as const;
const LAB_PROTOCOLS = ["TCP", "UDP"] as const;

/** Who asks which frontend of which Service. p2a, of the other node, comes in as clients outside do. */
export interface LabQuestion {
  readonly from: "client" | "p1a" | "b1a" | "p2a" | "n1";
  readonly by: "wire" | "socket";
  readonly number: number;
  readonly frontend: (typeof FRONTENDS)[number] | "unusedPort" | "nobodys";
  readonly family: keyof DualAddress;
  readonly protocol: "TCP" | "UDP";
}

type Who = Pick<LabQuestion, "from" | "by">;

export function labQuestions(count: number): fc.Arbitrary<readonly LabQuestion[]> {
  const asker = fc.constantFrom<Who>(
    { from: "client", by: "wire" },
    { from: "client", by: "wire" },
    { from: "p1a", by: "wire" },
    { from: "b1a", by: "wire" },
    { from: "p2a", by: "wire" },
    { from: "p1a", by: "socket" },
    { from: "n1", by: "socket" },
  );
  const question = fc
    .record({
      who: asker,
      number: fc.constantFrom(...NUMBERS),
      frontend: fc.constantFrom(...FRONTENDS),
      family: fc.constantFrom(...LAB_FAMILIES),
      protocol: fc.constantFrom(...LAB_PROTOCOLS),
    })
    .map(({ who, ...rest }): LabQuestion => ({ ...who, ...rest }));
  return fc.array(question, { minLength: count, maxLength: count });
}

export function labPacket(lab: Lab, setting: Setting, question: LabQuestion): Packet {
  const { from, by, family, protocol } = question;
  const pod = lab.node(HERE).pods.find(({ name }) => name === from);
  return {
    hook: by,
    client: from === "n1" ? "host" : pod ? "pod" : "outside",
    cameBy: pod && interfaceOf(pod),
    source: hostOf(lab, from).address[family],
    ...targetOf(lab, setting, question),
    protocol,
  };
}

function targetOf(lab: Lab, setting: Setting, { frontend, number, family }: LabQuestion) {
  const addresses = serviceAddresses(setting.first + number);
  switch (frontend) {
    case "nodePort":
      return { destination: lab.node(HERE).address[family], port: nodePortOf(setting, number) };
    case "unusedPort":
      return { destination: addresses.clusterIP[family], port: UNUSED_PORT };
    case "nobodys":
      return { destination: NOBODYS[family], port: TARGET_PORT };
    default:
      return { destination: addresses[frontend][family], port: 80 };
  }
}

function interfaceOf({ attachment, hostDevice }: PodHost): Interface {
  return attachment === "bridged" ? { name: hostDevice, bridge: "cni0" } : { name: hostDevice };
}

/** What a run must not miss: Services by number, and what is asked of them. */
export interface PlantedLab {
  readonly shapes: readonly Shape[];
  readonly questions: readonly LabQuestion[];
}

/** Every pod an endpoint, without anything more. */
function plainShape(lab: Lab): Shape {
  const pods = lab.pods.map(({ name }) => name);
  return {
    pods,
    conditions: pods.map(() => ({ ready: true })),
    hints: "none",
    external: true,
    internalTrafficPolicy: "Cluster",
    externalTrafficPolicy: "Cluster",
    affinity: false,
    ranges: undefined,
    annotations: {},
  };
}

/** Each verdict with each family, protocol and hook. */
export function everyVerdict(lab: Lab): PlantedLab {
  const shape = plainShape(lab);
  const elsewhere: Shape = {
    ...{ ...shape, pods: shape.pods.slice(-1) },
    ...{ internalTrafficPolicy: "Local", externalTrafficPolicy: "Local" },
  };
  const questions = LAB_FAMILIES.flatMap((family) =>
    LAB_PROTOCOLS.flatMap((protocol) =>
      // Answered, refused, met with silence, and an address that is no frontend.
      [1, 2, 3, 4].flatMap((number): readonly LabQuestion[] => [
        { from: "client", by: "wire", number, frontend: "loadBalancer", family, protocol },
        { from: "p1a", by: "socket", number, frontend: number === 4 ? "loadBalancer" : "clusterIP", family, protocol },
      ]),
    ),
  );
  return { shapes: [shape, { ...shape, pods: [] }, elsewhere, { ...shape, external: false }], questions };
}

/** A fifth Service, with affinity and ranges; first its pods' sockets tell whose packets are theirs (row 51). */
export function stickyAndRanged(lab: Lab): PlantedLab {
  const ranges = ["10.9.1.0/24", "fd00:9:1::/64"];
  const known = LAB_FAMILIES.flatMap((family) =>
    (["p1a", "b1a"] as const).map((from): LabQuestion => {
      return { from, by: "socket", number: 5, frontend: "clusterIP", family, protocol: "UDP" };
    }),
  );
  const ranged = known.flatMap((question): readonly LabQuestion[] => [
    { ...question, from: "client", by: "wire", frontend: "loadBalancer" },
    { ...question, from: "n1", frontend: "loadBalancer" },
    { ...question, frontend: "loadBalancer" },
    { ...question, by: "wire" },
  ]);
  const shape = { ...plainShape(lab), pods: ["p1b", "b1b", "p2a"], affinity: true, ranges };
  return { shapes: [shape], questions: [...known, ...ranged] };
}

/** Rows 17, 18, 20 and 21: hints for nodes and for zones, endpoints that terminate beside ready ones, here, and alone. */
export function everyEndpoint(lab: Lab): PlantedLab {
  const [ready, ending] = [{ ready: true }, { ready: false, serving: true, terminating: true }];
  const shape: Shape = { ...plainShape(lab), pods: ["p1b", "b1b", "p2a"], externalTrafficPolicy: "Local" };
  const shapes: readonly Shape[] = [
    { ...shape, hints: "node", conditions: [ready, ending, ready] },
    { ...shape, hints: "zone" },
    { ...shape, conditions: [ending, ending, ready] },
    { ...shape, hints: "node", conditions: [ending, ending, ending] },
  ];
  const asker: readonly Who[] = [
    { from: "client", by: "wire" },
    { from: "p1a", by: "wire" },
    { from: "n1", by: "socket" },
  ];
  const questions = LAB_FAMILIES.flatMap((family, f) =>
    asker.flatMap((who, w) =>
      [1, 2, 3, 4].flatMap((number): readonly LabQuestion[] => [
        { ...who, number, frontend: "clusterIP", family, protocol: LAB_PROTOCOLS[(f + w) % 2] ?? "TCP" },
        { ...who, number, frontend: "loadBalancer", family, protocol: LAB_PROTOCOLS[(f + w + 1) % 2] ?? "TCP" },
      ]),
    ),
  );
  return { shapes, questions };
}

/** Row 46: where nothing is served, though somebody is there. */
export function everyNobody(lab: Lab): PlantedLab {
  const unused: readonly Who[] = [
    ...(["client", "p1a", "b1a"] as const).map((from) => ({ from, by: "wire" as const })),
    ...(["p1a", "n1"] as const).map((from) => ({ from, by: "socket" as const })),
  ];
  const questions = LAB_FAMILIES.flatMap((family) =>
    LAB_PROTOCOLS.flatMap((protocol) => [
      ...unused.map((who): LabQuestion => ({ ...who, number: 1, frontend: "unusedPort", family, protocol })),
      ...(["p1a", "b1a", "p2a"] as const).map((from): LabQuestion => {
        return { from, by: "wire", number: 1, frontend: "nobodys", family, protocol };
      }),
    ]),
  );
  return { shapes: [plainShape(lab)], questions };
}

const EVERYBODY: readonly Who[] = [
  ...(["client", "p1a", "b1a", "p2a"] as const).map((from) => ({ from, by: "wire" as const })),
  ...(["p1a", "n1"] as const).map((from) => ({ from, by: "socket" as const })),
];

/**
 * Rows 34 to 38: everybody's question to a ClusterIP, and to the outer addresses of a Service of policy Cluster, of
 * policy Local with endpoints on both nodes, and on the other one alone; in each family by one protocol.
 */
export function everyClient(lab: Lab): PlantedLab {
  const shape = plainShape(lab);
  const near: Shape = { ...shape, pods: ["p1b", "b1b"] };
  const both: Shape = { ...shape, pods: ["p1b", "p2a"], externalTrafficPolicy: "Local" };
  const away: Shape = { ...both, pods: ["p2a"] };
  const outer = FRONTENDS.slice(1);
  const questions = LAB_FAMILIES.flatMap((family, f) =>
    EVERYBODY.flatMap((who, w) =>
      [1, 1, 2, 3].map((number, n): LabQuestion => {
        const frontend = n === 0 ? "clusterIP" : (outer[(w + n) % outer.length] ?? "nodePort");
        return { ...who, number, frontend, family, protocol: LAB_PROTOCOLS[(f + w + n) % 2] ?? "TCP" };
      }),
    ),
  );
  return { shapes: [near, both, away], questions };
}
