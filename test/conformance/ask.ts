// SPDX-License-Identifier: Apache-2.0
// Rows of the behaviour contract as a table: who asks which frontend, who answers and whom they see, or how it is refused.
// Asked with real sockets, both families, TCP, UDP and connected UDP, of the driver under test.

import { beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { DualAddress } from "../../src/demo/lab/plan.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import type { Cluster } from "../support/cluster.ts";
import { patience } from "../support/guest.ts";
import { type ServiceSpec, serviceAddresses } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { askedOf, driverUnderTest } from "./driver.ts";

export type Families = readonly (keyof DualAddress)[];
export const families: Families = ["v4", "v6"];

export type Frontend = "clusterIP" | "nodePort" | "nodePort of n2" | "externalIP" | "loadBalancer";

type Refusal = "TIMEOUT" | "ECONNREFUSED" | "EHOSTUNREACH" | "EACCES" | "EPERM";

export interface Question {
  readonly row: number;
  /** A pod, a node or the client outside. */
  readonly from: string;
  /** "socket": from where the sockets of a pod or of the node are balanced, if the driver does that. */
  readonly by: "wire" | "socket";
  readonly service: string;
  readonly frontend: Frontend;
  /** Exactly these, in the order of their names; or how it is refused. */
  readonly answers: readonly string[] | Refusal;
  /** How connected datagrams are refused, if otherwise. */
  readonly datagrams?: Refusal;
  /** Whom they see: the asker itself, its node by the address of the uplink, or by any of its addresses. */
  readonly source: "asker" | "node" | "any of the node";
  readonly families: Families;
}

/** What every driver answers, but for its differences. */
export const question = (
  row: number,
  from: string,
  by: Question["by"],
  service: string,
  frontend: Frontend,
  answers: Question["answers"],
  source: Question["source"] = "asker",
  inFamilies: Families = families,
): Question => ({ row, from, by, service, frontend, answers, source, families: inFamilies });

/** Declares a test for each question and family. The cluster serves the same services. */
export function askRows(
  cluster: () => Cluster,
  services: (lab: Lab) => readonly ServiceSpec[],
  questions: readonly Question[],
): void {
  beforeAll(async () => {
    await Promise.all(cluster().lab.pods.map((pod) => cluster().lab.serve(pod)));
  });
  const driver = driverUnderTest();
  const asked = questions.map((one) => askedOf(driver, one));
  describe.each(families)(`driver ${driver.name}, %s`, (family) => {
    const ofFamily = asked.filter((one) => one.families.includes(family));
    test.each(ofFamily.filter(({ answers }) => typeof answers !== "string"))(
      "row $row: $from by $by to $service by $frontend is answered by $answers, who see the $source",
      (one) => served(cluster(), services, one, family),
    );
    test.each(ofFamily.filter(({ answers }) => typeof answers === "string"))(
      "row $row: $from by $by to $service by $frontend meets $answers",
      (one) => refused(cluster(), services, one, family),
    );
  });
}

async function served(
  cluster: Cluster,
  services: (lab: Lab) => readonly ServiceSpec[],
  asked: Question,
  family: keyof DualAddress,
): Promise<void> {
  // Enough requests for two endpoints to be missed once in 2^39 runs.
  const many = { count: 40, concurrency: 20, timeoutMs: patience(5000) };
  const target = { ...targetOf(cluster.lab, services, asked, family), ...many };
  const client = await clientOf(cluster, asked);
  const ways = [client.tcp(target), client.udp(target), client.udp({ ...target, connected: true })];
  for (const { pods, sources, failures } of await Promise.all(ways)) {
    expect({ pods: Object.keys(pods).sort(), failures }).toEqual({ pods: asked.answers, failures: {} });
    expect(sourcesOf(cluster.lab, asked, family)).toEqual(expect.arrayContaining(Object.keys(sources)));
  }
}

async function refused(
  cluster: Cluster,
  services: (lab: Lab) => readonly ServiceSpec[],
  asked: Question,
  family: keyof DualAddress,
): Promise<void> {
  // A client so near gets the ICMP error while it still holds its socket's lock. IPv6 then only hears the answer to
  // the second SYN, a second later, whoever rejects.
  const timeoutMs = patience(asked.answers === "TIMEOUT" ? 400 : 4000);
  const target = { ...targetOf(cluster.lab, services, asked, family), count: 2, timeoutMs };
  const failures = (refusal: Question["answers"]) => ({ [String(refusal)]: 2 });
  const client = await clientOf(cluster, asked);
  expect(await client.tcp(target)).toMatchObject({ answered: 0, failures: failures(asked.answers) });
  const datagrams = failures(asked.datagrams ?? asked.answers);
  expect(await client.udp({ ...target, connected: true })).toMatchObject({ answered: 0, failures: datagrams });
}

export function clientOf(cluster: Cluster, { by, from }: Pick<Question, "by" | "from">): Promise<TrafficAgent> {
  return cluster[by](hostOf(cluster.lab, from));
}

export function targetOf(
  lab: Lab,
  services: (lab: Lab) => readonly ServiceSpec[],
  { service, frontend }: Pick<Question, "service" | "frontend">,
  family: keyof DualAddress,
): { readonly address: string; readonly port: number } {
  const spec = services(lab).find(({ name }) => name === service);
  if (spec === undefined) throw new Error(`no Service ${service}`);
  if (frontend === "nodePort" || frontend === "nodePort of n2") {
    const node = lab.node(frontend === "nodePort" ? "n1" : "n2");
    return { address: node.address[family], port: spec.nodePort ?? 0 };
  }
  return { address: serviceAddresses(spec.number)[frontend][family], port: 80 };
}

/** A host's own connection to a pod of its own leaves by any of its addresses, the kernel chooses. */
function sourcesOf(lab: Lab, { from, source, by }: Question, family: keyof DualAddress): readonly string[] {
  if (source === "asker") return [hostOf(lab, from).address[family]];
  const node = lab.node(lab.pods.find(({ name }) => name === from)?.nodeName ?? "n1");
  const uplink = node.address[family];
  return by === "socket" || source !== "node" ? [uplink, node.bridgeAddress[family].replace(/\/.*/, "")] : [uplink];
}
