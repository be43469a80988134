// SPDX-License-Identifier: Apache-2.0
import { expect, test, vi } from "vitest";
import type { ClusterEvent } from "../../../../src/model/cluster-event.ts";
import { EventRecorder, eventObject } from "../../../../src/source/kubernetes/events.ts";
import { ApiFailure } from "../../../../src/source/kubernetes/failure.ts";

const STARTING: ClusterEvent = {
  regarding: "this node",
  type: "Normal",
  reason: "Starting",
  action: "StartPortolan",
  note: "serves",
};
const LISTEN: ClusterEvent = {
  regarding: { namespace: "shop", name: "web" },
  type: "Warning",
  reason: "FailedToStartServiceHealthcheck",
  action: "Listen",
  note: "healthCheckNodePort 32100",
};

test("row 72: an Event of the node, as events.k8s.io/v1 has it", () => {
  expect(eventObject(STARTING, new Date("2026-11-22T10:00:00.123Z"), "n1")).toEqual({
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: expect.stringMatching(/^n1\.[0-9a-f]{16}$/), namespace: "default" },
    eventTime: "2026-11-22T10:00:00.123000Z",
    reportingController: "portolan",
    reportingInstance: "portolan-n1",
    type: "Normal",
    reason: "Starting",
    action: "StartPortolan",
    note: "serves",
    regarding: { kind: "Node", name: "n1", uid: "n1" },
  });
});

test("row 72: an Event of a Service stands in its namespace, with at most 1000 characters", () => {
  expect(eventObject({ ...LISTEN, note: "x".repeat(2000) }, new Date(0), "n1")).toMatchObject({
    metadata: { name: expect.stringMatching(/^web\./), namespace: "shop" },
    note: "x".repeat(1000),
    regarding: { kind: "Service", namespace: "shop", name: "web", uid: "shop/web" },
  });
});

/** answers: to the tries in turn, undefined is success; beyond them all succeed. */
function recorder(answers: readonly (ApiFailure | undefined)[]) {
  const sent: string[] = [];
  const problems: string[] = [];
  let tries = 0;
  const subject = new EventRecorder({
    nodeName: "n1",
    client: {
      create: (_resource, namespace, object) => {
        const failure = answers[tries++];
        if (failure) return Promise.reject(failure);
        sent.push(`${namespace} ${(object as ClusterEvent).reason} ${(object as ClusterEvent).note}`);
        return Promise.resolve();
      },
    },
    onProblem: ({ severity, place, message }) => problems.push(`${severity} ${place}: ${message}`),
    pause: () => Promise.resolve(),
  });
  return { subject, sent, problems, tries: () => tries };
}

test("Events are sent in their order, each once", async () => {
  const { subject, sent } = recorder([]);
  for (const event of [STARTING, LISTEN, STARTING, { ...LISTEN }]) subject.record(event);
  await vi.waitUntil(() => sent.length === 2);
  await subject[Symbol.asyncDispose]();
  expect(sent).toEqual(["default Starting serves", "shop FailedToStartServiceHealthcheck healthCheckNodePort 32100"]);
});

test("row 72: while no server answers an Event is tried again; what is forbidden is not, and said once", async () => {
  const away = new ApiFailure("unreachable", "away");
  const forbidden = new ApiFailure("forbidden", "no RBAC");
  const { subject, sent, problems, tries } = recorder([away, away, undefined, forbidden, forbidden]);
  subject.record(STARTING);
  subject.record(LISTEN);
  subject.record({ ...LISTEN, note: "another" });
  subject.record({ ...LISTEN, note: "a third" });
  await subject[Symbol.asyncDispose]();
  expect(sent).toEqual(["default Starting serves", "shop FailedToStartServiceHealthcheck a third"]);
  expect(tries()).toBe(6);
  expect(problems).toEqual(["warning API server, events: no RBAC; Events are left out"]);
});

test("after five tries an Event is left out", async () => {
  const { subject, sent, problems, tries } = recorder(Array.from({ length: 5 }, () => new ApiFailure("busy", "429")));
  subject.record(STARTING);
  subject.record(LISTEN);
  await subject[Symbol.asyncDispose]();
  expect(tries()).toBe(6);
  expect(sent).toEqual(["shop FailedToStartServiceHealthcheck healthCheckNodePort 32100"]);
  expect(problems).toEqual(["warning API server, events: 429; Events are left out"]);
});

test("no more than 64 wait", async () => {
  const { subject, sent } = recorder([]);
  for (let i = 0; i < 100; i++) subject.record({ ...STARTING, note: String(i) });
  await subject[Symbol.asyncDispose]();
  expect(sent).toHaveLength(64);
});
