// SPDX-License-Identifier: Apache-2.0
// Rows 68 and 69: what load balancers and probes are told of this node, byte for byte.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { NodeHealth, type NodeHealthOptions } from "../../../src/health/node-health.ts";
import type { Change } from "../../../src/model/changes.ts";
import type { Family } from "../../../src/model/ip.ts";
import type { Node } from "../../../src/model/node.ts";

const START = "2026-03-04T05:06:07Z";
const NODE: Node = { kind: "Node", name: "n1", addresses: [], podCidrs: [], zone: undefined, leaving: false };
const HEADERS = ["Content-Type", "application/json", "X-Content-Type-Options", "nosniff"];

beforeEach(() => void vi.useFakeTimers({ now: new Date(START) }));
afterEach(() => void vi.useRealTimers());

/** A node that serves, unless the options say otherwise; behind: families that do not keep up. */
function world(options: Partial<NodeHealthOptions> = {}) {
  const behind = new Set<Family>();
  const done = new Set(["state", "hooks"]);
  const said: string[] = [];
  const log = {
    info: (text: string) => void said.push(`info ${text}`),
    warn: (text: string) => void said.push(`warn ${text}`),
  };
  const step = (name: string, missing: string) => ({ name, missing, done: () => done.has(name) });
  const health = new NodeHealth({
    nodeName: "n1",
    nodeExpected: false,
    adopted: false,
    keepsUp: (family) => !behind.has(family),
    steps: [step("state", "no state yet"), step("hooks", "no hooks yet")],
    log,
    ...options,
  });
  return { health, behind, done, said };
}

function told(health: NodeHealth, ...nodes: readonly Change<Node>[]): number {
  health.update({ nodes, synced: true });
  return health.healthz().status;
}

const arrives = (node: Node): Change<Node> => ({ previous: undefined, current: node });
const goes = (node: Node): Change<Node> => ({ previous: node, current: undefined });

test("row 68: a healthy node says so, and that it was updated now", () => {
  const { health } = world();
  vi.setSystemTime(new Date("2026-03-04T05:06:08.120Z"));
  health.updated([4]);
  vi.setSystemTime(new Date("2026-03-04T05:07:00.005Z"));
  const body =
    '{"lastUpdated":"2026-03-04T05:07:00.005Z","currentTime":"2026-03-04T05:07:00.005Z","nodeEligible":true,"healthy":true,' +
    '"status":{"IPv4":{"lastUpdated":"2026-03-04T05:06:08.12Z","healthy":true},"IPv6":{"lastUpdated":"2026-03-04T05:06:07Z","healthy":true}}}';
  expect(health.healthz()).toEqual({
    status: 200,
    headers: [...HEADERS, "Date", "Wed, 04 Mar 2026 05:07:00 GMT", "Content-Length", String(body.length)],
    body,
  });
});

test("row 69: /livez is the same without the node", () => {
  const { health } = world();
  told(health, arrives({ ...NODE, leaving: true }));
  const body =
    '{"lastUpdated":"2026-03-04T05:06:07Z","currentTime":"2026-03-04T05:06:07Z","healthy":true,' +
    '"status":{"IPv4":{"lastUpdated":"2026-03-04T05:06:07Z","healthy":true},"IPv6":{"lastUpdated":"2026-03-04T05:06:07Z","healthy":true}}}';
  expect(health.livez()).toEqual({
    status: 200,
    headers: [...HEADERS, "Date", "Wed, 04 Mar 2026 05:06:07 GMT", "Content-Length", String(body.length)],
    body,
  });
});

test("row 68: a family that does not keep up makes it 503, with the time of the last update", () => {
  const { health, behind } = world();
  vi.setSystemTime(new Date("2026-03-04T05:06:30Z"));
  health.updated([4]);
  vi.setSystemTime(new Date("2026-03-04T05:08:00Z"));
  behind.add(6);
  const status =
    '"status":{"IPv4":{"lastUpdated":"2026-03-04T05:06:30Z","healthy":true},"IPv6":{"lastUpdated":"2026-03-04T05:06:07Z","healthy":false}}}';
  const times = '{"lastUpdated":"2026-03-04T05:06:30Z","currentTime":"2026-03-04T05:08:00Z",';
  expect(health.healthz()).toMatchObject({
    status: 503,
    body: `${times}"nodeEligible":true,"healthy":false,${status}`,
  });
  expect(health.livez()).toMatchObject({ status: 503, body: `${times}"healthy":false,${status}` });
});

test("row 68: a node that is to go is not eligible, which `healthy` leaves out of account", () => {
  const { health } = world();
  expect(told(health, arrives(NODE))).toBe(200);
  expect(told(health, arrives({ ...NODE, leaving: true }))).toBe(503);
  expect(health.healthz().body).toMatch(/"nodeEligible":false,"healthy":true,/);
  expect(told(health, arrives(NODE))).toBe(200);
  expect(told(health, goes(NODE))).toBe(503);
  expect(told(health)).toBe(503);
  expect(told(health, arrives(NODE))).toBe(200);
});

test("row 68: another node's end says nothing of this one", () => {
  const { health } = world();
  expect(told(health, goes({ ...NODE, name: "n2" }), arrives({ ...NODE, name: "n3", leaving: true }))).toBe(200);
});

test("row 68: a Node that nobody has told of is missing where every node has one, once all is told", () => {
  expect(told(world({ nodeExpected: false }).health)).toBe(200);
  const { health } = world({ nodeExpected: true });
  health.update({ nodes: [], synced: false });
  expect(health.healthz().status).toBe(200);
  expect(told(health)).toBe(503);
  expect(told(health, arrives(NODE))).toBe(200);
});

test("row 68: until the first state serves a load balancer is told no, a probe of the agent yes", () => {
  const { health, done } = world();
  done.delete("hooks");
  expect([health.healthz().status, health.livez().status]).toEqual([503, 200]);
  expect(health.healthz().body).toMatch(
    /"nodeEligible":true,"healthy":false,"status":\{"IPv4":\{[^}]*"healthy":false\}/,
  );
  done.add("hooks");
  expect(health.healthz().status).toBe(200);
});

test("row 68: what an earlier agent left serves meanwhile", () => {
  const { health, done } = world({ adopted: true });
  done.clear();
  expect([health.healthz().status, health.readyz().status]).toEqual([200, 503]);
});

test("/readyz names what is missing", () => {
  const { health, done } = world();
  expect(health.readyz()).toMatchObject({ status: 200, body: "ok" });
  done.delete("hooks");
  const answer = health.readyz();
  expect(answer).toMatchObject({
    status: 503,
    body: "[+]state ok\n[-]hooks failed: no hooks yet\nreadyz check failed\n",
  });
  expect(answer.headers.slice(0, 2)).toEqual(["Content-Type", "text/plain; charset=utf-8"]);
});

test("row 68: why load balancers are to send this node nothing is in the log, once, and that they may again", () => {
  const page = "/healthz: load balancers are told to send node n1";
  const { health, said } = world({ nodeExpected: true });
  expect([told(health), told(health)]).toEqual([503, 503]);
  expect(said).toEqual([`warn ${page} no traffic (503): it has no Node object, or Nodes may not be read`]);
  expect(told(health, arrives(NODE))).toBe(200);
  expect(told(health, arrives({ ...NODE, leaving: true }))).toBe(503);
  expect(told(health, arrives({ ...NODE, leaving: true, zone: "a" }))).toBe(503);
  expect(told(health, goes(NODE))).toBe(503);
  expect(told(health, arrives(NODE))).toBe(200);
  expect(said.slice(1)).toEqual([
    `info ${page} traffic again`,
    `warn ${page} no traffic (503): it is being deleted, or tainted ToBeDeletedByClusterAutoscaler`,
    `warn ${page} no traffic (503): its Node object is gone`,
    `info ${page} traffic again`,
  ]);
});
