// SPDX-License-Identifier: Apache-2.0
// What real sockets of the lab heard, held against the reference model's verdict.

import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { TrafficResult } from "../../../src/demo/lab/traffic.ts";
import { addressOf, endpointOf } from "../model/address.ts";
import type { AffineVerdict } from "../model/affinity.ts";
import type { Verdict } from "../model/world.ts";
import { hostOf } from "../paths.ts";
import type { LabQuestion } from "./lab-questions.ts";
import { HERE, TARGET_PORT } from "./lab-world.ts";

/** Pods that may answer, each with the addresses that it may see. */
type Right = ReadonlyMap<string, readonly string[]>;

/** By an endpoint, or by whoever is where no Service is. */
export function isAnswered({ frontend }: LabQuestion, { verdict }: Verdict): boolean {
  return verdict === "dnat" || (verdict === "pass" && frontend === "nobodys");
}

export function heardProblems(
  lab: Lab,
  question: LabQuestion,
  verdict: AffineVerdict,
  heard: TrafficResult,
): readonly string[] {
  if (!isAnswered(question, verdict)) return refusalProblems(verdict, heard);
  const right = rightPods(lab, question, verdict);
  const sources = [...right.values()].flat();
  return [
    ...Object.entries(heard.failures).map(([failure, times]) => `${times} times ${failure}`),
    ...Object.keys(heard.pods).flatMap((pod) => (right.has(pod) ? [] : [`${pod} answered`])),
    ...Object.keys(heard.sources).flatMap((peer) => (sources.includes(canonical(peer)) ? [] : [`${peer} was seen`])),
    ...heard.answers.flatMap(({ pod, peer }) =>
      right.get(pod)?.includes(canonical(peer)) ? [] : [`${pod} saw ${peer} instead of ${right.get(pod)}`],
    ),
  ];
}

/** Pods that have to answer sooner or later, and did not. */
export function unheard(
  lab: Lab,
  question: LabQuestion,
  verdict: AffineVerdict,
  heard: ReadonlySet<string>,
): readonly string[] {
  if (!isAnswered(question, verdict)) return [];
  return [...rightPods(lab, question, verdict).keys()].filter((pod) => !heard.has(pod));
}

/**
 * Whether an endpoint elsewhere would answer, past the node, a client outside or a pod of another node that keeps its
 * address: nothing translates that answer, and the connection fails with kube-proxy too.
 */
export function answersPast(lab: Lab, { from, family }: LabQuestion, { backends }: Verdict): boolean {
  const near = lab.node(HERE).pods.map(({ address }) => endpointOf(`[${address[family]}]:${TARGET_PORT}`));
  const comesByUplink = from === "client" || from === "p2a";
  return comesByUplink && backends.some(({ endpoint, masquerade }) => !masquerade && !near.includes(endpoint));
}

/**
 * Row 36: masqueraded, it is the address of the device that the packets leave by. For a socket of the node the kernel
 * chooses one of the node's.
 */
function rightPods(lab: Lab, { from, family, frontend }: LabQuestion, { hook, kept, backends }: AffineVerdict): Right {
  const asked = hostOf(lab, from).address[family];
  if (frontend === "nobodys") return new Map([[lab.client.name, [canonical(asked)]]]);
  const node = lab.node(HERE);
  const [uplink, bridge] = [node.address[family], node.bridgeAddress[family].replace(/\/.*/, "")];
  const offered = typeof kept === "object" ? backends.filter(({ endpoint }) => endpoint === kept.endpoint) : backends;
  return new Map(
    offered.map(({ endpoint, masquerade }) => {
      const pod = lab.pods.find(({ address }) => endpointOf(`[${address[family]}]:${TARGET_PORT}`) === endpoint);
      const bridged = pod?.attachment === "bridged" && pod.nodeName === HERE;
      const own = hook === "socket" ? [uplink, bridge] : [bridged ? bridge : uplink];
      return [pod?.name ?? endpoint, (masquerade ? own : [asked]).map(canonical)];
    }),
  );
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
