// SPDX-License-Identifier: Apache-2.0
// The second half of the demo: a backend leaves the Service while connections are open and new ones are made, and comes
// back. Nothing may fail, and nothing that is established may notice.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { parseAllDocuments, stringify } from "yaml";
import type { Lab } from "./lab/lab.ts";
import type { HeldConnection, TrafficAgent, TrafficResult } from "./lab/traffic.ts";
import { askers } from "./questions.ts";

const REMOVED = "web-2";
const HELD_PER_CLIENT = 12;
const FILE = "web-endpoints.yaml";
const inside = { address: "10.96.0.80", port: 80 };
const outside = { address: "2001:db8:113::80", port: 80 };

interface Slice {
  endpoints?: { targetRef?: { name?: string } }[];
}

/** Returns what was not as it must be. */
export async function removeUnderTraffic(
  lab: Lab,
  manifests: string,
  print: (text: string) => void,
): Promise<readonly string[]> {
  const { podB, client } = askers(lab);
  const clients = [
    { agent: await lab.agentIn(podB.host), target: inside },
    { agent: await lab.agentIn(client.host), target: outside },
  ];
  print(`\nRemoving ${REMOVED} from the Service while connections to it are open and new ones are made ...\n`);
  const held = (await Promise.all(clients.map(({ agent, target }) => holdSeveral(agent, target)))).flat();
  const toRemoved = held.filter(({ answer }) => answer.pod === REMOVED).length;
  const running = clients.map(({ agent, target }) => agent.startTcp({ ...target, concurrency: 2, http: true }));

  const path = `${manifests}/${FILE}`;
  const original = readFileSync(path, "utf8");
  replaceFile(path, withoutEndpoint(original, REMOVED));
  const gone = await Promise.all(clients.map(({ agent, target }) => until(agent, target, (pods) => !pods[REMOVED])));
  const broken = (await Promise.all(held.map(isBroken))).filter(Boolean).length;
  replaceFile(path, original);
  const back = await Promise.all(clients.map(({ agent, target }) => until(agent, target, (pods) => !!pods[REMOVED])));

  const results = await Promise.all(running.map((traffic) => traffic.stop()));
  const alive = held.length - broken;
  print(
    `  new connections meanwhile: ${sum(results, "answered")} of ${sum(results, "asked")} answered\n` +
      `  connections open before: ${alive} of ${held.length} go on, ${toRemoved} of them with ${REMOVED}\n`,
  );
  return [
    ...(sum(results, "failed") > 0 ? results.map(({ failures }) => `under removal: ${JSON.stringify(failures)}`) : []),
    ...(broken > 0 ? [`under removal: ${broken} established connections broke`] : []),
    ...(toRemoved === 0 ? [`under removal: of ${held.length} open connections none was with ${REMOVED}`] : []),
    ...(gone.includes(false) ? [`${REMOVED} still got new connections 10 s after its removal`] : []),
    ...(back.includes(false) ? [`${REMOVED} got no connection within 10 s of its return`] : []),
  ];
}

function sum(results: readonly TrafficResult[], key: "asked" | "answered" | "failed"): number {
  return results.reduce((total, result) => total + result[key], 0);
}

function holdSeveral(agent: TrafficAgent, target: typeof inside): Promise<HeldConnection[]> {
  return Promise.all(Array.from({ length: HELD_PER_CLIENT }, () => agent.hold(target)));
}

/** An echo over an established connection fails when the connection is broken: that is the answer here. */
async function isBroken(connection: HeldConnection): Promise<boolean> {
  try {
    await connection.echo({ count: 3 });
    return false;
  } catch {
    return true;
  }
}

/** Asks 60 times again and again until the pods that answered are as wanted; false after 10 seconds. */
async function until(
  agent: TrafficAgent,
  target: typeof inside,
  wanted: (pods: TrafficResult["pods"]) => boolean,
): Promise<boolean> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; ) {
    const { pods } = await agent.tcp({ ...target, count: 60, concurrency: 4 });
    if (wanted(pods)) return true;
  }
  return false;
}

/** The EndpointSlices of a file without the endpoint of this pod. */
function withoutEndpoint(text: string, pod: string): string {
  const slices = parseAllDocuments(text).map((document) => document.toJS() as Slice);
  for (const slice of slices)
    slice.endpoints = slice.endpoints?.filter(({ targetRef }) => targetRef?.name !== pod) ?? [];
  return slices.map((slice) => stringify(slice)).join("---\n");
}

/** A reader sees the old file or the new one. */
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
