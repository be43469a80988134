// SPDX-License-Identifier: Apache-2.0
// Random Services with real endpoints, asked by real sockets and by `explain --batch`: who answers, whom they see and how
// a connection is refused is what the reference model says, session affinity, source ranges and each way to tell local
// pods included; planted faults make them disagree. Seed and counts are printed.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { SERVICE_PREFIXES } from "../../src/demo/lab/plan.ts";
import { useCluster } from "../support/cluster.ts";
import { AskedLab } from "../support/differential/asked-lab.ts";
import { Disagreement } from "../support/differential/compare.ts";
import { DEVICE, LAB_FAULTS, LAB_MODES, type LabMode, masqueradingAll } from "../support/differential/lab-modes.ts";
import {
  everyClient,
  everyEndpoint,
  everyNobody,
  everyVerdict,
  labQuestions,
  type PlantedLab,
  stickyAndRanged,
} from "../support/differential/lab-questions.ts";
import {
  labShapes,
  NOBODYS,
  NUMBERS,
  SERVICE_RANGES,
  type Setting,
  type Shape,
  TARGET_PORT,
  worldOf,
} from "../support/differential/lab-world.ts";
import { useMutant } from "../support/mutant.ts";

const WORLDS = 5;
const QUESTIONS = 50;
const REQUESTS = 20;
/** Verdicts by families, protocols and hooks; SCTP has no sockets here (test/matrix/sctp.test.ts). */
const CELLS = 4 * 2 * 2 * 2;
const OF_EACH = 100;
const CONNECTIONS = 10_000;
/** Where pods are told otherwise, beside what everybody asks. */
const MODE_QUESTIONS = 12;
const MODE_REQUESTS = 20;
const TIMEOUT_MS = 300_000;

const seed = Number(process.env.PORTOLAN_SEED ?? Date.now() % 2 ** 31);

describe("real sockets and the reference model", { timeout: TIMEOUT_MS }, () => {
  const cluster = useCluster({ agents: [] });
  let asked: AskedLab;
  let worlds = 0;

  beforeAll(async () => {
    console.log(`differential: seed ${seed} (PORTOLAN_SEED repeats it)`);
    const { lab } = cluster();
    await Promise.all(lab.pods.map((pod) => lab.serve(pod)));
    const { v4, v6 } = lab.node("n1").address;
    await lab.ip(lab.node("n2"), ...SERVICE_PREFIXES.map((to) => `route add ${to} via ${to.includes(":") ? v6 : v4}`));
    await lab.ip(lab.client, ...Object.values(NOBODYS).map((address) => `addr add ${address} dev lo`));
    await lab.serve(lab.client, { udp: [] });
    for (const address of Object.values(NOBODYS)) await lab.serve(lab.client, { tcp: [], udp: [TARGET_PORT], address });
    // Row 46: datagrams meet silence where netfilter tracks.
    const tracked = "add chain inet tracked forward { type filter hook forward priority 0; }";
    const rules = ["add table inet tracked", tracked, "add rule inet tracked forward ct state new accept"];
    await lab.exec(lab.node("n1"), ["nft", "-f", "-"], `${rules.join("\n")}\n`);
    asked = new AskedLab(cluster());
  });

  function settingOf({ detectLocal, masqueradeAll }: LabMode): Setting {
    return { first: NUMBERS.length * worlds++, detectLocal, masqueradeAll };
  }

  /** What was planted, filled up with Services at random. */
  function made(told: LabMode, { shapes }: PlantedLab, more: readonly Shape[] = []) {
    const setting = settingOf(told);
    return { setting, world: worldOf(cluster().lab, [...shapes, ...more.slice(shapes.length)], setting) };
  }

  function atRandom(count: number, salt: number) {
    const arbitrary = fc.tuple(labShapes(cluster().lab), labQuestions(count));
    return fc.sample(arbitrary, { numRuns: WORLDS, seed: seed + salt });
  }

  test("rows 17 to 21, 24 to 26, 31, 33, 34, 36, 37, 39, 44, 45 and 51: agree on who answers and whom they see", async () => {
    const { lab } = cluster();
    const [verdicts, sticky] = [everyVerdict(lab), stickyAndRanged(lab)];
    const planted = made(DEVICE, { shapes: [...verdicts.shapes, ...sticky.shapes], questions: [] });
    await asked.serve(planted.world, DEVICE.flags);
    await asked.agree({ ...planted, questions: [...sticky.questions, ...verdicts.questions], requests: OF_EACH });
    const endpoints = everyEndpoint(lab);
    for (const [shapes, questions] of [[endpoints.shapes, endpoints.questions], ...atRandom(QUESTIONS, 0)] as const) {
      const drawn = made(DEVICE, { shapes, questions });
      await asked.serve(drawn.world, DEVICE.flags);
      await asked.agree({ ...drawn, questions, requests: REQUESTS });
    }
    const counts = [...asked.counts].sort();
    console.log(counts.map(([cell, count]) => `${String(count).padStart(6)} ${cell}`).join("\n"));
    expect(counts.length).toBe(CELLS);
    expect(counts.filter(([, count]) => count < OF_EACH)).toEqual([]);
    expect(counts.reduce((total, [, count]) => total + count, 0)).toBeGreaterThan(CONNECTIONS);
  });

  /** On what everybody asks, and on more at random. */
  async function agreeWhere(told: LabMode): Promise<void> {
    const planted = everyClient(cluster().lab);
    const [shapes, questions] = atRandom(MODE_QUESTIONS, 1 + worlds)[0] ?? [[], []];
    const drawn = made(told, planted, shapes);
    await asked.serve(drawn.world, told.flags);
    const all = [...planted.questions, ...questions];
    const past = asked.past;
    await asked.agree({ ...drawn, questions: all, requests: MODE_REQUESTS, explain: ["wire"] });
    console.log(
      `${all.length} questions, ${asked.past - past} of them not asked: the answers would come past the node`,
    );
  }

  test("rows 34 to 38: agree where pods are told by the device", () => agreeWhere(DEVICE));

  test.each([
    ["", []],
    [", with ranges of ClusterIPs", SERVICE_RANGES],
  ])("row 46: agree where nothing is served%s", async (_, serviceRanges) => {
    const { shapes, questions } = everyNobody(cluster().lab);
    const setting = { ...settingOf(DEVICE), serviceRanges };
    const world = worldOf(cluster().lab, shapes, setting);
    await asked.serve(world, DEVICE.flags);
    await asked.agree({ world, setting, questions, requests: MODE_REQUESTS });
  });

  test.each(Object.entries(LAB_MODES))("rows 34 to 38: agree where pods are told by %s", (_, told) => agreeWhere(told));

  test("row 37: agree where everybody is masqueraded, however pods are told", async () => {
    const modes = [DEVICE, ...Object.values(LAB_MODES)];
    await agreeWhere(masqueradingAll(modes[seed % modes.length] ?? DEVICE));
  });

  test.each(Object.entries(LAB_FAULTS))("disagree over a planted fault: %s", async (_, { told, ...mutation }) => {
    using _mutant = useMutant(mutation, ["tc"]);
    await asked.stop();
    const planted = everyClient(cluster().lab);
    const drawn = made(told, planted);
    await asked.serve(drawn.world, told.flags);
    const asking = asked.ask({ ...drawn, questions: planted.questions, requests: 1 });
    await expect(asking).rejects.toBeInstanceOf(Disagreement);
    await asking.catch((error: Error) => console.log(error.message.slice(0, 300)));
    await asked.stop();
  });
});
