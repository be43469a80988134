// SPDX-License-Identifier: Apache-2.0
// `portolan explain`: one question on the command line, or one JSON object a line with --batch.

import { createInterface } from "node:readline";
import { Command, Option } from "commander";
import type { Answer } from "../inspect/answer.ts";
import type { Explained, Explainer } from "../inspect/explain.ts";
import { parseBatchLine, parseQuestion, QuestionError } from "../inspect/question.ts";
import { fields } from "./format/columns.ts";
import { addStateOptions, type StateOptions } from "./inspect-options.ts";
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
  const [{ openInspection }, { Explainer }, { DryRuns }, { netnsCookie, openNetlink }, { NodeError }] =
    await Promise.all([
      import("./inspect-state.ts"),
      import("../inspect/explain.ts"),
      import("../inspect/dry-run.ts"),
      import("../libbpf/index.ts"),
      import("../agent/errors.ts"),
    ]);
  using opened = openInspection(options);
  using netlink = openNetlink();
  const agent = opened.state.agent();
  if (!agent) throw new NodeError(`no agent has finished its start on ${opened.pins.version}: see its log`);
  const onNode = netnsCookie() === agent.netnsCookie;
  if (!onNode) process.stderr.write(OTHER_NAMESPACE);
  const network = onNode ? { links: netlink.links(), routes: netlink.routes() } : undefined;
  const asked = { via: options.via, socket: options.socket ?? false };
  using programs = new DryRuns(opened.pins, agent);
  const explainer = new Explainer(opened.state, agent, programs, network, asked);
  if (!question) return answerLines(explainer);
  const explained = explainer.explain(question);
  process.stdout.write(options.output === "json" ? `${JSON.stringify(explained.answer)}\n` : explainedText(explained));
}

/** Answers in the order of the lines; one that is no question is answered with an error and makes the exit status 2. */
async function answerLines(explainer: Explainer): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === "") continue;
    process.stdout.write(`${JSON.stringify(answerLine(explainer, line))}\n`);
  }
}

function answerLine(explainer: Explainer, line: string): Answer | { readonly error: string } {
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
