// SPDX-License-Identifier: Apache-2.0
// Random Services with real endpoints, asked by real sockets and by `explain --batch`: who answers, whom they see and how
// a connection is refused is what the reference model says, session affinity and source ranges included. Seed and counts
// are printed.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { inNetns, run } from "../../src/demo/lab/run.ts";
import type { TrafficResult } from "../../src/demo/lab/traffic.ts";
import { portolan, portolanLine } from "../../src/demo/portolan.ts";
import type { Answer } from "../../src/inspect/answer.ts";
import { type Cluster, useCluster } from "../support/cluster.ts";
import { disagreement } from "../support/differential/compare.ts";
import {
  everyVerdict,
  type LabQuestion,
  labPacket,
  labQuestions,
  labWorlds,
} from "../support/differential/lab-world.ts";
import { writeObjects } from "../support/manifests.ts";
import { addressOf, endpointOf } from "../support/model/address.ts";
import { type AffineVerdict, affinityOf, Clients } from "../support/model/affinity.ts";
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
      let clients: Clients | undefined;
      const property = fc.asyncProperty(labWorlds(cluster().lab), labQuestions, async (world, questions) => {
        await serve(cluster(), world, ++worlds);
        clients ??= new Clients(world);
        clients.change(world);
        const { lab } = cluster();
        const explained = explain(cluster(), world, questions);
        explained.catch(() => {}); // told below, if nothing else is
        for (const question of questions) {
          const packet = labPacket(lab, question, hostOf(lab, question.from).address);
          const verdict = clients.verdictOf(packet, performance.now() / 1000);
          const bound = affinityOf(world, packet) > 0;
          const heard = await ask(cluster(), question, packet, verdict, bound ? 1 : 10);
          const problems = [
            ...problemsOf(cluster(), question, verdict, heard, bound),
            ...(bound ? remember(cluster(), clients, packet, heard) : []),
          ];
          expect(problems, JSON.stringify({ packet, verdict, heard })).toEqual([]);
          const cell = `${verdict.verdict} ${question.family} ${question.protocol} ${question.by}`;
          counts.set(cell, (counts.get(cell) ?? 0) + 1);
        }
        expect(await explained).toEqual([]);
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

/** What explain, asked on n1 as an administrator asks it, says otherwise than the model. */
async function explain({ lab }: Cluster, world: World, questions: readonly LabQuestion[]): Promise<readonly string[]> {
  const node = lab.node("n1");
  const problems = [false, true].map(async (sockets) => {
    // Without --socket it answers for a pod's packets; for the node's own sockets in any case.
    const asked = questions
      .filter(({ by, from }) => (by === "socket" && from !== "n1") === sockets)
      .map((question) => labPacket(lab, question, hostOf(lab, question.from).address));
    const lines = asked.map(({ source, destination, port, protocol }) =>
      JSON.stringify({ src: source, dst: destination, dport: port, proto: protocol }),
    );
    const command = portolanLine(node, ["explain", "--batch", ...(sockets ? ["--socket"] : [])]);
    const said = lines.length === 0 ? "" : await run(inNetns(node.netns, command), lines.join("\n"));
    const answers = said.split("\n").filter((line) => line !== "");
    expect(answers).toHaveLength(asked.length);
    return asked.flatMap((packet, i) => {
      const answer: Answer = JSON.parse(answers[i] ?? "");
      const problem = disagreement(verdictOf(world, packet), answer);
      return problem === undefined ? [] : [`${problem}: ${JSON.stringify({ packet, answer })}`];
    });
  });
  return (await Promise.all(problems)).flat();
}

/** Row 51: all of a client's connections come to one. */
function remember({ lab }: Cluster, clients: Clients, packet: Packet, { pods }: TrafficResult): readonly string[] {
  const [name, ...more] = Object.keys(pods);
  if (name === undefined) return [];
  const { v4, v6 } = lab.pod(name).address;
  const address = packet.destination.includes(":") ? v6 : v4;
  clients.met(packet, endpointOf(`[${address}]:8080`), performance.now() / 1000);
  return more.length === 0 ? [] : [`${[name, ...more]} answered one client`];
}

async function ask(
  cluster: Cluster,
  { by, from }: LabQuestion,
  packet: Packet,
  verdict: Verdict,
  concurrency: number,
): Promise<TrafficResult> {
  const client = await cluster[by](hostOf(cluster.lab, from));
  const served = verdict.verdict === "dnat";
  const silent = verdict.verdict === "drop" || verdict.verdict === "pass";
  const requests = {
    address: packet.destination,
    port: packet.port,
    count: served ? REQUESTS : 1,
    concurrency,
    timeoutMs: silent ? 500 : 8000,
  };
  return packet.protocol === "TCP" ? client.tcp(requests) : client.udp({ ...requests, connected: true });
}

function problemsOf(
  cluster: Cluster,
  question: LabQuestion,
  verdict: AffineVerdict,
  heard: TrafficResult,
  bound: boolean,
): readonly string[] {
  if (verdict.verdict !== "dnat") return refusalProblems(verdict, heard);
  const { lab } = cluster;
  const asked = hostOf(lab, question.from).address[question.family];
  const node = lab.node("n1");
  const own = [node.address[question.family], node.bridgeAddress[question.family].replace(/\/.*/, "")].map(canonical);
  const { kept, backends } = verdict;
  const right = new Map(
    (typeof kept === "object" ? backends.filter(({ endpoint }) => endpoint === kept.endpoint) : backends).map(
      ({ endpoint, masquerade }) => {
        const pod = lab.pods.find(({ address }) => endpointOf(`[${address[question.family]}]:8080`) === endpoint);
        return [pod?.name ?? endpoint, masquerade ? own : [canonical(asked)]] as const;
      },
    ),
  );
  return [
    ...Object.entries(heard.failures).map(([failure, times]) => `${times} times ${failure}`),
    ...(bound ? [] : [...right.keys()].filter((pod) => !heard.pods[pod]).map((pod) => `${pod} never answered`)),
    ...heard.answers.flatMap(({ pod, peer }) =>
      right.get(pod)?.includes(canonical(peer)) ? [] : [`${pod} answered and saw ${peer}`],
    ),
  ];
}

function canonical(address: string): string {
  return addressOf(address.replace(/^::ffff:/, "")).text;
}

/** How the client hears of it. A VIP that is nobody's goes by the default route, to nobody in the lab. */
function refusalProblems({ verdict, hook, bySource }: Verdict, heard: TrafficResult): readonly string[] {
  const failures = Object.keys(heard.failures);
  if (heard.answered > 0) return ["answered"];
  if (verdict === "pass") return [];
  const silent = hook === "wire" ? "TIMEOUT" : bySource ? "EACCES" : "EHOSTUNREACH";
  const wanted = verdict === "reject" ? "ECONNREFUSED" : silent;
  return failures.join() === wanted ? [] : [`met ${failures} instead of ${wanted}`];
}
