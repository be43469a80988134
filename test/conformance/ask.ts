// SPDX-License-Identifier: Apache-2.0
// Rows of the behaviour contract as a table: who asks which frontend, who answers and whom they see, or how it is refused.
// Asked with real sockets, both families, TCP, UDP and connected UDP, of the driver under test.

import { beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { DualAddress } from "../../src/demo/lab/plan.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { useCluster } from "../support/cluster.ts";
import { type ServiceSpec, serviceAddresses } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { driverUnderTest } from "./driver.ts";

const families = ["v4", "v6"] as const;

export type Frontend = "clusterIP" | "nodePort" | "nodePort of n2" | "externalIP" | "loadBalancer";

export interface Question {
  readonly row: number;
  /** A pod, a node or the client outside. */
  readonly from: string;
  readonly by: "wire" | "socket";
  readonly service: string;
  readonly frontend: Frontend;
  /** Exactly these, in the order of their names; or how it is refused. */
  readonly answers: readonly string[] | "TIMEOUT" | "ECONNREFUSED" | "EHOSTUNREACH";
  /** Whom they see: the asker itself, or its node. */
  readonly source: "asker" | "node";
}

export const question = (
  row: number,
  from: string,
  by: Question["by"],
  service: string,
  frontend: Frontend,
  answers: Question["answers"],
  source: Question["source"] = "asker",
): Question => ({ row, from, by, service, frontend, answers, source });

/** Declares a test for each question and family, behind a realistic firewall. */
export function askRows(
  title: string,
  services: (lab: Lab) => readonly ServiceSpec[],
  questions: readonly Question[],
): void {
  const driver = driverUnderTest();
  const asked = questions.filter(({ by }) => driver.by.includes(by));
  describe(`${title}, driver ${driver.name}`, () => {
    declare(services, asked, driver.agentFlags);
  });
}

function declare(
  services: (lab: Lab) => readonly ServiceSpec[],
  questions: readonly Question[],
  agentFlags: readonly string[],
): void {
  const cluster = useCluster({ firewall: "realistic", services, agentFlags });
  beforeAll(async () => {
    await Promise.all(cluster().lab.pods.map((pod) => cluster().lab.serve(pod)));
  });

  describe.each(families)("%s", (family) => {
    const served = questions.filter(({ answers }) => typeof answers !== "string");
    test.each(served)(
      "row $row: $from by $by to $service by $frontend is answered by $answers, who see the $source",
      async (asked) => {
        const target = targetOf(asked, family);
        for (const ask of [tcp, udp, connectedUdp]) {
          const { pods, sources, failures } = await ask(await clientOf(asked), target);
          expect({ pods: Object.keys(pods).sort(), failures }).toEqual({ pods: asked.answers, failures: {} });
          expect(sourcesOf(asked, family)).toEqual(expect.arrayContaining(Object.keys(sources)));
        }
      },
    );

    const refused = questions.filter(({ answers }) => typeof answers === "string");
    test.each(refused)("row $row: $from by $by to $service by $frontend meets $answers", async (asked) => {
      // A client so near gets the ICMP error while it still holds its socket's lock. IPv6 then only hears the answer to
      // the second SYN, a second later, whoever rejects.
      const timeoutMs = asked.answers === "TIMEOUT" ? 400 : 4000;
      const target = { ...targetOf(asked, family), count: 2, timeoutMs };
      const failures = { [String(asked.answers)]: 2 };
      const client = await clientOf(asked);
      expect(await client.tcp(target)).toMatchObject({ answered: 0, failures });
      expect(await client.udp({ ...target, connected: true })).toMatchObject({ answered: 0, failures });
    });
  });

  type Target = ReturnType<typeof targetOf>;
  const tcp = (client: TrafficAgent, target: Target) => client.tcp(target);
  const udp = (client: TrafficAgent, target: Target) => client.udp(target);
  const connectedUdp = (client: TrafficAgent, target: Target) => client.udp({ ...target, connected: true });

  function clientOf({ by, from }: Question): Promise<TrafficAgent> {
    return cluster()[by](hostOf(cluster().lab, from));
  }

  /** Enough requests for two endpoints to be missed once in 2^39 runs. */
  function targetOf({ service, frontend }: Question, family: keyof DualAddress) {
    const { lab } = cluster();
    const spec = services(lab).find(({ name }) => name === service);
    if (spec === undefined) throw new Error(`no Service ${service}`);
    const many = { count: 40, concurrency: 20 };
    if (frontend === "nodePort" || frontend === "nodePort of n2") {
      const node = lab.node(frontend === "nodePort" ? "n1" : "n2");
      return { ...many, address: node.address[family], port: spec.nodePort ?? 0 };
    }
    return { ...many, address: serviceAddresses(spec.number)[frontend][family], port: 80 };
  }

  /** A host's own connection to a pod of its own leaves by any of its addresses, the kernel chooses. */
  function sourcesOf({ from, source, by }: Question, family: keyof DualAddress): readonly string[] {
    const { lab } = cluster();
    if (source === "asker") return [hostOf(lab, from).address[family]];
    const node = lab.node(lab.pods.find(({ name }) => name === from)?.nodeName ?? "n1");
    const uplink = node.address[family];
    return by === "socket" ? [uplink, node.bridgeAddress[family].replace(/\/.*/, "")] : [uplink];
  }
}
