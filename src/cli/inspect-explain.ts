// SPDX-License-Identifier: Apache-2.0
// `portolan explain`: one question on the command line, or one JSON object a line with --batch.

import { createInterface } from "node:readline";
import { Command, Option } from "commander";
import type { Answer } from "../inspect/answer.ts";
import type { Explained, ExplainOptions, NetworkFacts } from "../inspect/explain.ts";
import { parseBatchLine, parseQuestion, type Question, QuestionError } from "../inspect/question.ts";
import { fields } from "./format/columns.ts";
import { addStateOptions, type StateOptions } from "./inspect-options.ts";
import type { RulesInForce } from "./inspect-rules.ts";
import { EXIT_USAGE } from "./run.ts";

interface ExplainCommandOptions extends StateOptions {
  readonly output: "table" | "json";
  readonly via?: string;
  readonly socket?: boolean;
  readonly batch?: boolean;
}

const OTHER_NAMESPACE =
  "portolan: this is not the network namespace of the node: its routes and device names do not count in the answer\n";

export function explainCommand(): Command {
  const command = new Command("explain")
    .description("Where a new connection would go, and why; answered by the loaded programs, without an effect.")
    .argument("[source]", "SRC[:PORT]")
    .argument("[destination]", "DST:PORT[/PROTO]")
    .addOption(new Option("--via <device>", "the device its first packet enters by").conflicts("socket"))
    .option("--socket", "answer for a connect() of a local process instead of a packet on the wire")
    .option("--batch", "read one JSON object a line from stdin, write one a line")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"));
  return addStateOptions(command).action(run);
}

async function run(
  source: string | undefined,
  destination: string | undefined,
  options: ExplainCommandOptions,
): Promise<void> {
  if (options.batch ? source !== undefined : source === undefined || destination === undefined) {
    throw new QuestionError("give SRC[:PORT] and DST:PORT[/PROTO], or --batch alone: portolan explain --help");
  }
  const question = options.batch ? undefined : parseQuestion(source ?? "", destination ?? "");
  const { openRules } = await import("./inspect-rules.ts");
  const rules = await openRules(options, true);
  if (rules) await answerByRules(await rules(), options, question);
  else await answerByPrograms(options, question);
}

async function answerByRules(
  { serving, report }: RulesInForce,
  options: ExplainCommandOptions,
  question: Question | undefined,
): Promise<void> {
  const { RuleExplainer } = await import("../inspect/explain-rules.ts");
  const network = await networkOf(BigInt(report.netnsCookie));
  await answer(new RuleExplainer(serving.mode, report, network, askedBy(options)), options, question);
}

async function answerByPrograms(options: ExplainCommandOptions, question: Question | undefined): Promise<void> {
  const [{ openInspection }, { Explainer }, { DryRuns }, { NodeError }] = await Promise.all([
    import("./inspect-state.ts"),
    import("../inspect/explain.ts"),
    import("../inspect/dry-run.ts"),
    import("../agent/errors.ts"),
  ]);
  using opened = openInspection(options);
  const agent = opened.state.agent();
  if (!agent) throw new NodeError(`no agent has finished its start on ${opened.pins.version}: see its log`);
  const network = await networkOf(agent.netnsCookie);
  using programs = new DryRuns(opened.pins, agent);
  await answer(new Explainer(opened.state, agent, programs, network, askedBy(options)), options, question);
}

function askedBy({ via, socket = false }: ExplainCommandOptions): ExplainOptions {
  return { via, socket };
}

/** Of the node whose network namespace has this cookie; undefined, and said so, from another one. */
async function networkOf(cookie: bigint): Promise<NetworkFacts | undefined> {
  const { netnsCookie, openNetlink } = await import("../libbpf/index.ts");
  if (netnsCookie() !== cookie) {
    process.stderr.write(OTHER_NAMESPACE);
    return undefined;
  }
  using netlink = openNetlink();
  return { links: netlink.links(), routes: netlink.routes() };
}

interface Answers {
  explain(question: Question): Explained;
}

/** One question, or with undefined those of stdin. */
async function answer(
  explainer: Answers,
  { output }: ExplainCommandOptions,
  question: Question | undefined,
): Promise<void> {
  if (!question) return answerLines(explainer);
  const explained = explainer.explain(question);
  process.stdout.write(output === "json" ? `${JSON.stringify(explained.answer)}\n` : explainedText(explained));
}

/** Answers in the order of the lines; one that is no question is answered with an error and makes the exit status 2. */
async function answerLines(explainer: Answers): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === "") continue;
    process.stdout.write(`${JSON.stringify(answerLine(explainer, line))}\n`);
  }
}

function answerLine(explainer: Answers, line: string): Answer | { readonly error: string } {
  try {
    return explainer.explain(parseBatchLine(line)).answer;
  } catch (error) {
    if (!(error instanceof QuestionError)) throw error;
    process.exitCode = EXIT_USAGE;
    return { error: error.message };
  }
}

/** For people: the reason, one clause a line, then the map entries it stands on. */
export function explainedText({ answer, entries }: Explained): string {
  return fields([
    ["Verdict", answer.verdict],
    ["Service", answer.service ?? "none"],
    ["Chosen", answer.chosen ?? "none"],
    ["Endpoints", answer.endpoints.join(" ") || "none"],
    ["Masquerade", answer.masquerade ? "yes" : "no"],
    ...several("Because", answer.reason.split("; ")),
    ...several("Entries", entries),
  ]);
}

function several(key: string, values: readonly string[]): readonly (readonly [string, string])[] {
  return values.map((value, i) => [i === 0 ? key : "", value]);
}
