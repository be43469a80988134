// SPDX-License-Identifier: Apache-2.0
// What the answers to a question say: as a row of the table, and whether they are what they must be. Pure.

import type { TrafficResult } from "./lab/traffic.ts";
import { PROTOCOLS, type Protocol, type Question, WEB_PODS } from "./questions.ts";

export type Answers = Readonly<Record<Protocol, TrafficResult>>;

export const TABLE_HEADER: readonly string[] = [
  ...["WHO ASKED", "WHICH ADDRESS", "", ...PROTOCOLS, ...WEB_PODS, "SOURCE THE PODS SAW"],
];

/** Cells under TABLE_HEADER. */
export function tableRow(question: Question, answers: Answers): string[] {
  const { asker, kind, address, sources, sourceOwner } = question;
  const results = PROTOCOLS.map((protocol) => answers[protocol]);
  const seen = new Set(results.flatMap((result) => Object.keys(result.sources)));
  const expected = sources.filter((source) => seen.has(source));
  const others = [...seen].filter((source) => !sources.includes(source));
  return [
    asker.label,
    kind,
    address,
    ...results.map((result) => `${result.answered}/${result.asked}`),
    ...WEB_PODS.map((pod) => String(results.reduce((sum, result) => sum + (result.pods[pod] ?? 0), 0))),
    `${sourceOwner}: ${[...expected, ...others].join(", ")}`,
  ];
}

/**
 * Every request answered, by every pod, which saw an allowed source; the client saw nothing but the Service's address.
 * Returns a line for each thing that is not so.
 */
export function problemsOf(question: Question, answers: Answers): readonly string[] {
  return PROTOCOLS.flatMap((protocol) => problemsOver(question, protocol, answers[protocol]));
}

function problemsOver(question: Question, protocol: Protocol, result: TrafficResult): readonly string[] {
  const { asker, kind, address, ports, sources, sourceOwner } = question;
  const asked = `${address.includes(":") ? `[${address}]` : address}:${ports[protocol]}`;
  const problems: string[] = [];
  if (result.answered !== result.asked) problems.push(`not answered: ${JSON.stringify(result.failures)}`);
  const silent = WEB_PODS.filter((pod) => !result.pods[pod]);
  if (silent.length > 0) problems.push(`nothing reached ${silent.join(", ")}`);
  const foreign = Object.keys(result.sources).filter((source) => !sources.includes(source));
  if (foreign.length > 0) problems.push(`the pods saw ${foreign.join(", ")}, which is not ${sourceOwner}`);
  const remotes = Object.keys(result.remotes).filter((remote) => remote !== asked);
  if (remotes.length > 0) problems.push(`answered from ${remotes.join(", ")}`);
  return problems.map((problem) => `${asker.label}, ${kind} ${asked} ${protocol}: ${problem}`);
}
