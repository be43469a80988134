// SPDX-License-Identifier: Apache-2.0
// `portolan demo`: two nodes, pods and an outside client in network namespaces, an agent on each node, real connections to
// every kind of Service address, a backend that goes away under traffic. Prints what went where and checks it.

import { cpSync } from "node:fs";
import { type Answers, problemsOf, TABLE_HEADER, tableRow } from "./answers.ts";
import { Lab } from "./lab/lab.ts";
import { installRoot, portolan, portolanLine, startAgent } from "./portolan.ts";
import { DEMO_NODES, POD_PORTS, PROTOCOLS, type Question, questions, WEB_PODS } from "./questions.ts";
import { removeUnderTraffic } from "./removal.ts";

/** Per question and protocol. */
const REQUESTS = 100;

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
  print("Making two nodes with pods and an outside client in network namespaces ...");
  const lab = await Lab.create({ nodes: DEMO_NODES, firewall: "realistic" });
  try {
    print(` (${lab.plan.id})\n`);
    const manifests = `${lab.plan.directory}/manifests`;
    cpSync(`${installRoot()}/examples`, manifests, { recursive: true });
    await Promise.all(WEB_PODS.map((name) => lab.serve(lab.pod(name), POD_PORTS)));
    print(`Starting an agent on each node; both read a copy of examples/ ...\n`);
    await Promise.all(lab.nodes.map((node) => startAgent(lab, node, ["--manifests", manifests])));
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
  const total = all.length * PROTOCOLS.length * REQUESTS;
  options.print(`Making ${total} requests to the Service shop/web, each on a socket of its own, none repeated ...\n\n`);
  const rows: string[][] = [];
  const problems: string[] = [];
  for (const question of all) {
    const answers = await ask(lab, question);
    rows.push(tableRow(question, answers));
    problems.push(...problemsOf(question, answers));
    showProgress(rows.length, all.length);
  }
  options.print(options.columns(TABLE_HEADER, rows));
  return problems;
}

/** A bar on a terminal, nothing elsewhere; gone when all is done. */
function showProgress(done: number, total: number): void {
  if (!process.stderr.isTTY) return;
  const bar = "#".repeat(done).padEnd(total, ".");
  process.stderr.write(done < total ? `\r${bar} ${done}/${total}` : "\r\x1b[K");
}

async function ask(lab: Lab, question: Question): Promise<Answers> {
  const { asker, address, ports } = question;
  const agent = await lab.agentIn(asker.host, { socketBalancing: asker.socketBalancing });
  const requests = { address, count: REQUESTS, concurrency: 8 };
  const TCP = await agent.tcp({ ...requests, port: ports.TCP, http: true });
  const UDP = await agent.udp({ ...requests, port: ports.UDP });
  await agent.end();
  return { TCP, UDP };
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
