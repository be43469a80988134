// SPDX-License-Identifier: Apache-2.0
// `portolan demo`: two nodes, pods and an outside client in network namespaces, an agent on each node, real connections to
// every kind of Service address, a backend that goes away under traffic. Prints what went where and checks it.

import { cpSync } from "node:fs";
import { Lab } from "./lab/lab.ts";
import type { TrafficResult } from "./lab/traffic.ts";
import { installRoot, portolan, portolanLine, startAgent } from "./portolan.ts";
import { DEMO_NODES, POD_PORTS, type Question, questions, WEB_PODS } from "./questions.ts";
import { removeUnderTraffic } from "./removal.ts";

const REQUESTS_PER_QUESTION = 100;

export interface DemoOptions {
  /** Leave everything up when the traffic is done, until Ctrl-C. */
  readonly keep: boolean;
  /** Lays out a table for people. */
  readonly columns: (header: readonly string[], rows: readonly (readonly string[])[]) => string;
  /** Takes the text for people, newlines included. */
  readonly print: (text: string) => void;
}

/** Resolves with the exit status: 0 only if every request was answered and the pods saw the right sources. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { print } = options;
  const begun = Date.now();
  print("Making two nodes with pods and an outside client in network namespaces ...\n");
  const lab = await Lab.create({ nodes: DEMO_NODES, firewall: "realistic" });
  try {
    const manifests = `${lab.plan.directory}/manifests`;
    cpSync(`${installRoot()}/examples`, manifests, { recursive: true });
    await Promise.all(WEB_PODS.map((name) => lab.serve(lab.pod(name), POD_PORTS)));
    print(`Starting an agent on each node; both read a copy of examples/ ...\n`);
    await Promise.all(lab.nodes.map((node) => startAgent(lab, node, manifests)));
    const problems = [...(await askAll(lab, options)), ...(await removeUnderTraffic(lab, manifests, print))];
    print("\n$ portolan services          (on node-a)\n");
    print(await portolan(lab.node("node-a"), ["services"]));
    report(problems, begun, print);
    if (options.keep) await leaveUp(lab, print);
    return problems.length === 0 ? 0 : 1;
  } finally {
    await lab[Symbol.asyncDispose]();
  }
}

/** Asks every question, prints the table, returns what was not as it must be. */
async function askAll(lab: Lab, options: DemoOptions): Promise<readonly string[]> {
  const all = questions(lab);
  const total = all.length * REQUESTS_PER_QUESTION;
  options.print(`Making ${total} requests to the Service shop/web, each on a socket of its own, none repeated ...\n\n`);
  const rows: string[][] = [];
  const problems: string[] = [];
  for (const question of all) {
    const result = await ask(lab, question);
    rows.push(row(question, result));
    problems.push(...check(question, result));
  }
  options.print(options.columns(["WHO ASKS", "ADDRESS", "PORT", "", "ANSWERED", ...WEB_PODS, "THE PODS SAW"], rows));
  return problems;
}

async function ask(lab: Lab, question: Question): Promise<TrafficResult> {
  const { asker, address, port, protocol } = question;
  const agent = await lab.agentIn(asker.host, { socketBalancing: asker.socketBalancing });
  const requests = { address, port, count: REQUESTS_PER_QUESTION, concurrency: 8 };
  const result = await (protocol === "TCP" ? agent.tcp({ ...requests, http: true }) : agent.udp(requests));
  await agent.end();
  return result;
}

function row(question: Question, result: TrafficResult): string[] {
  const { asker, kind, address, port, protocol, sourceOwner } = question;
  return [
    asker.label,
    `${kind} ${address}`,
    `${port}/${protocol}`,
    "→",
    `${result.answered}/${result.asked}`,
    ...WEB_PODS.map((pod) => String(result.pods[pod] ?? 0)),
    `${Object.keys(result.sources).join(", ")} (${sourceOwner})`,
  ];
}

/** Every request answered, by every pod, which saw an allowed source; the client saw nothing but the Service's address. */
function check(question: Question, result: TrafficResult): readonly string[] {
  const { asker, kind, address, port, protocol, sources, sourceOwner } = question;
  const name = `${asker.label} → ${kind} ${address} ${port}/${protocol}`;
  const problems: string[] = [];
  if (result.answered !== result.asked) problems.push(`${name}: not answered: ${JSON.stringify(result.failures)}`);
  const silent = WEB_PODS.filter((pod) => !result.pods[pod]);
  if (silent.length > 0) problems.push(`${name}: nothing reached ${silent.join(", ")}`);
  const foreign = Object.keys(result.sources).filter((source) => !sources.includes(source));
  if (foreign.length > 0) problems.push(`${name}: the pods saw ${foreign.join(", ")}, which is not ${sourceOwner}`);
  const asked = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  const remotes = Object.keys(result.remotes).filter((remote) => remote !== asked);
  if (remotes.length > 0) problems.push(`${name}: the client was answered from ${remotes.join(", ")}`);
  return problems;
}

function report(problems: readonly string[], begun: number, print: (text: string) => void): void {
  const seconds = ((Date.now() - begun) / 1000).toFixed(1);
  if (problems.length === 0) {
    print(`\nEvery request was answered and every source address was right. ${seconds} s.\n`);
    return;
  }
  print(`\nNot as it must be (${seconds} s):\n${problems.map((problem) => `  - ${problem}\n`).join("")}`);
}

/** Prints what to try and never resolves: Ctrl-C takes the lab down and ends the process. */
function leaveUp(lab: Lab, print: (text: string) => void): Promise<never> {
  const node = lab.node("node-a");
  const inside = (netns: string, command: string) => `  nsenter --net=/run/netns/${netns} ${command}\n`;
  print(
    [
      "\nEverything is up. From another terminal, as root:\n",
      inside(lab.client.netns, "curl http://203.0.113.80/"),
      inside(lab.client.netns, "curl http://[fd00:50::1]:30080/"),
      inside(node.netns, portolanLine(node, ["flows"]).join(" ")),
      inside(node.netns, portolanLine(node, ["explain", "192.168.50.10", "203.0.113.80:80"]).join(" ")),
      `  edit ${lab.plan.directory}/manifests/web-endpoints.yaml and ask again\n`,
      "Ctrl-C takes it all down.\n",
    ].join(""),
  );
  // A timer holds the process open; the lab's own handler of SIGINT ends it.
  return new Promise(() => setInterval(() => undefined, 1 << 30));
}
