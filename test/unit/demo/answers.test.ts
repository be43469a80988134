// SPDX-License-Identifier: Apache-2.0
// The demo's verdict: what it finds fault with, in words.
import { expect, test } from "vitest";
import { type Answers, problemsOf, tableRow } from "../../../src/demo/answers.ts";
import type { TrafficResult } from "../../../src/demo/lab/traffic.ts";
import type { Question } from "../../../src/demo/questions.ts";

const question: Question = {
  asker: {
    host: { name: "client", netns: "pt-0-client", cgroup: "/c", address: { v4: "192.168.50.10", v6: "fd00:50::10" } },
    label: "client outside",
    socketBalancing: true,
  },
  kind: "NodePort",
  address: "fd00:50::1",
  ports: { TCP: 30080, UDP: 30007 },
  sources: ["fd00:50::1", "fd00:9:1:0:b::1"],
  sourceOwner: "node-a",
};

function answered(port: number, more: Partial<TrafficResult> = {}): TrafficResult {
  return {
    ...{ asked: 6, answered: 6, failed: 0, failures: {}, latencyMs: { p50: 1, p99: 2, max: 3 }, answers: [] },
    pods: { "web-1": 1, "web-2": 2, "web-3": 3 },
    sources: { "fd00:9:1:0:b::1": 2, "fd00:50::1": 4 },
    remotes: { [`[fd00:50::1]:${port}`]: 6 },
    ...more,
  };
}

const right: Answers = { TCP: answered(30080), UDP: answered(30007) };

test("answers by every pod, from the address asked, with the node as source, are right", () => {
  expect(problemsOf(question, right)).toEqual([]);
  expect(tableRow(question, right)).toEqual([
    ...["client outside", "NodePort", "fd00:50::1", "6/6", "6/6", "2", "4", "6"],
    "node-a: fd00:50::1, fd00:9:1:0:b::1",
  ]);
});

test.each<[string, Partial<TrafficResult>, string]>([
  [
    "a request without an answer",
    { answered: 5, failed: 1, failures: { TIMEOUT: 1 } },
    'client outside, NodePort [fd00:50::1]:30080 TCP: not answered: {"TIMEOUT":1}',
  ],
  [
    "a pod that nothing reached",
    { pods: { "web-1": 3, "web-3": 3 } },
    "client outside, NodePort [fd00:50::1]:30080 TCP: nothing reached web-2",
  ],
  [
    "a source that is not the node's",
    { sources: { "fd00:50::1": 5, "fd00:50::10": 1 } },
    "client outside, NodePort [fd00:50::1]:30080 TCP: the pods saw fd00:50::10, which is not node-a",
  ],
  [
    "a reply from a backend's own address",
    { remotes: { "[fd00:9:1::10]:8080": 6 } },
    "client outside, NodePort [fd00:50::1]:30080 TCP: answered from [fd00:9:1::10]:8080",
  ],
])("%s is a problem that is named", (_what, result, problem) => {
  expect(problemsOf(question, { ...right, TCP: answered(30080, result) })).toEqual([problem]);
});
