// SPDX-License-Identifier: Apache-2.0
// Random Services with real endpoints, asked by real sockets: who answers, whom they see and how a connection is refused
// is what the reference model says. Seed and counts are printed.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { TrafficResult } from "../../src/demo/lab/traffic.ts";
import { portolan } from "../../src/demo/portolan.ts";
import { type Cluster, useCluster } from "../support/cluster.ts";
import {
  everyVerdict,
  type LabQuestion,
  labPacket,
  labQuestions,
  labWorlds,
} from "../support/differential/lab-world.ts";
import { writeObjects } from "../support/manifests.ts";
import { addressOf, endpointOf } from "../support/model/address.ts";
import { verdictOf } from "../support/model/model.ts";
import type { Packet, Verdict, World } from "../support/model/world.ts";
import { hostOf } from "../support/paths.ts";
import { until } from "../support/until.ts";

const WORLDS = 6;
/** One of four endpoints is missed once in 10^5 questions; what is missed shows in no verdict. */
const REQUESTS = 40;
const TIMEOUT_MS = 600_000;

describe("real sockets and the reference model", () => {
  const cluster = useCluster({});
  beforeAll(() => Promise.all(cluster().lab.pods.map((pod) => cluster().lab.serve(pod))).then(() => undefined));

  test(
    "agree on who answers, with which source, and how a connection is refused",
    async () => {
      const seed = Number(process.env.PORTOLAN_SEED ?? Date.now() % 2 ** 31);
      console.log(`differential: seed ${seed} (PORTOLAN_SEED repeats it)`);
      const counts = new Map<string, number>();
      let worlds = 0;
      const property = fc.asyncProperty(labWorlds(cluster().lab), labQuestions, async (world, questions) => {
        await serve(cluster(), world, ++worlds);
        for (const question of questions) {
          const packet = labPacket(cluster().lab, question, hostOf(cluster().lab, question.from).address);
          const verdict = verdictOf(world, packet);
          const heard = await ask(cluster(), question, packet, verdict);
          expect(problemsOf(cluster(), question, verdict, heard), JSON.stringify({ packet, verdict, heard })).toEqual(
            [],
          );
          const cell = `${verdict.verdict} ${question.family} ${question.protocol} ${question.by}`;
          counts.set(cell, (counts.get(cell) ?? 0) + 1);
        }
      });
      const examples = [everyVerdict(cluster().lab)];
      await fc.assert(property, { numRuns: WORLDS, examples, seed, endOnFailure: true });
      console.log(
        [...counts]
          .sort()
          .map(([cell, count]) => `${String(count).padStart(6)} ${cell}`)
          .join("\n"),
      );
      const verdicts = new Set([...counts.keys()].map((cell) => cell.split(" ")[0]));
      expect(verdicts).toEqual(new Set(["pass", "dnat", "reject", "drop"]));
    },
    TIMEOUT_MS,
  );
});

/** One file, one change; a Service that names the world tells when it is there. */
async function serve({ lab, manifests }: Cluster, { services, slices, nodes }: World, number: number): Promise<void> {
  const sentinel = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `world-${number}`, namespace: "test" },
    spec: { clusterIP: "10.96.0.250", ports: [{ port: 1 }] },
  };
  writeObjects(manifests, "world", [...nodes, ...services, ...slices, sentinel]);
  await until(`n1 serves world ${number}`, async () => {
    return (await portolan(lab.node("n1"), ["services", "-o", "json"])).includes(`test/world-${number}`);
  });
}

async function ask(cluster: Cluster, { by, from }: LabQuestion, packet: Packet, verdict: Verdict) {
  const client = await cluster[by](hostOf(cluster.lab, from));
  const served = verdict.verdict === "dnat";
  const silent = verdict.verdict === "drop" || verdict.verdict === "pass";
  const requests = {
    address: packet.destination,
    port: packet.port,
    count: served ? REQUESTS : 1,
    concurrency: 10,
    timeoutMs: silent ? 500 : 8000,
  };
  return packet.protocol === "TCP" ? client.tcp(requests) : client.udp({ ...requests, connected: true });
}

function problemsOf(
  cluster: Cluster,
  question: LabQuestion,
  verdict: Verdict,
  heard: TrafficResult,
): readonly string[] {
  if (verdict.verdict !== "dnat") return refusalProblems(question, verdict, heard);
  const { lab } = cluster;
  const asked = hostOf(lab, question.from).address[question.family];
  const node = lab.node("n1");
  const own = [node.address[question.family], node.bridgeAddress[question.family].replace(/\/.*/, "")].map(canonical);
  const right = new Map(
    verdict.backends.map(({ endpoint, masquerade }) => {
      const pod = lab.pods.find(({ address }) => endpointOf(`[${address[question.family]}]:8080`) === endpoint);
      return [pod?.name ?? endpoint, masquerade ? own : [canonical(asked)]] as const;
    }),
  );
  return [
    ...Object.entries(heard.failures).map(([failure, times]) => `${times} times ${failure}`),
    ...[...right.keys()].filter((pod) => !heard.pods[pod]).map((pod) => `${pod} never answered`),
    ...heard.answers.flatMap(({ pod, peer }) =>
      right.get(pod)?.includes(canonical(peer)) ? [] : [`${pod} answered and saw ${peer}`],
    ),
  ];
}

function canonical(address: string): string {
  return addressOf(address.replace(/^::ffff:/, "")).text;
}

/** How the client hears of it. A VIP that is nobody's goes by the default route, to nobody in the lab. */
function refusalProblems({ by }: LabQuestion, { verdict }: Verdict, heard: TrafficResult): readonly string[] {
  const failures = Object.keys(heard.failures);
  if (heard.answered > 0) return ["answered"];
  if (verdict === "pass") return [];
  const wanted = verdict === "reject" ? "ECONNREFUSED" : by === "socket" ? "EHOSTUNREACH" : "TIMEOUT";
  return failures.join() === wanted ? [] : [`met ${failures} instead of ${wanted}`];
}
