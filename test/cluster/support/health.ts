// SPDX-License-Identifier: Apache-2.0
// What a node's agent answers on --healthz-bind-address, asked on the node.
import type { NodeHost } from "../../../src/demo/lab/plan.ts";
import { inNetns, run } from "../../../src/demo/lab/run.ts";

const CURL = ["curl", "-s", "-m", "5", "-w", "\n%{http_code}"];
const DAY_MS = 86_400_000;

interface Answer {
  readonly status: number;
  readonly body: string;
}

export async function health(node: NodeHost, path: string): Promise<Answer> {
  const [body = "", status = ""] = (await run(inNetns(node.netns, [...CURL, `http://127.0.0.1:10256${path}`]))).split(
    "\n",
  );
  return { status: Number(status), body };
}

/** How far the agent's wall clock is ahead of the machine's. */
export async function daysAhead(node: NodeHost): Promise<number> {
  const { currentTime } = JSON.parse((await health(node, "/healthz")).body) as { currentTime: string };
  return (Date.parse(currentTime) - Date.now()) / DAY_MS;
}
