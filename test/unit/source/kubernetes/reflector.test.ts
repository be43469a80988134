// SPDX-License-Identifier: Apache-2.0
// Against a server that answers word for word what the test says, over HTTP on loopback.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { ReflectorCounts } from "../../../../src/model/api-activity.ts";
import type { RequestActivity } from "../../../../src/source/kubernetes/activity.ts";
import { ApiClient } from "../../../../src/source/kubernetes/client.ts";
import type { Credentials } from "../../../../src/source/kubernetes/credentials.ts";
import { Reflector } from "../../../../src/source/kubernetes/reflector.ts";
import type { Resource } from "../../../../src/source/kubernetes/resources.ts";

const SERVICES: Resource = {
  kind: "Service",
  apiVersion: "v1",
  plural: "services",
  fieldSelector: "spec.clusterIP!=None",
};

type Answer = (response: ServerResponse) => void;

let server: Server | undefined;
afterEach(() => server?.closeAllConnections());
afterEach(() => new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined))));

/** Requests get the answers in their order, one each; after the last the reflector is stopped. Returns what it asked and told. */
async function reflected(
  answers: readonly Answer[],
  now?: () => number,
): Promise<{ asked: readonly string[]; told: readonly string[]; counts: ReflectorCounts; requests: RequestActivity }> {
  const asked: string[] = [];
  const told: string[] = [];
  const stop = new AbortController();
  server = createServer((request: IncomingMessage, response) => {
    const query = new URL(request.url ?? "", "http://x").searchParams;
    query.delete("timeoutSeconds");
    asked.push([...query].map((pair) => pair.join("=")).join(" "));
    const answer = answers[asked.length - 1];
    if (answer) answer(response);
    else stop.abort();
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const credentials: Pick<Credentials, "access" | "refused" | "nextServer" | "place"> = {
    place: "the test",
    access: () => Promise.resolve({ server: new URL(`http://127.0.0.1:${port}/prefix`), options: {} }),
    refused: () => void told.push("refused"),
    nextServer: () => {},
  };
  const client = new ApiClient(credentials, "test");
  const reflector = new Reflector({
    resource: SERVICES,
    client,
    sink: {
      begin: () => told.push("begin"),
      put: ({ metadata }) => told.push(`put ${metadata?.name}`),
      remove: ({ metadata }) => told.push(`remove ${metadata?.name}`),
      commit: () => told.push("commit"),
      flush: () => told.push("flush"),
      failed: (failure) => told.push(failure ? `${failure.kind}: ${failure.message}` : "well"),
    },
    random: () => 0,
    ...(now && { now }),
    pause: (ms) => Promise.resolve(told.push(`wait ${ms}`)),
  });
  await reflector.run(stop.signal);
  const { counts } = reflector;
  return {
    asked,
    told: told.map((text) => text.replace(/127\.0\.0\.1:\d+/, "SERVER")),
    counts,
    requests: client.activity,
  };
}

const JSON_TYPE = { "content-type": "application/json" };

function events(...lines: readonly object[]): Answer {
  return (response) => {
    response.writeHead(200, JSON_TYPE);
    response.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  };
}

function event(type: string, name: string, resourceVersion: string): object {
  return { type, object: { kind: "Service", apiVersion: "v1", metadata: { name, resourceVersion } } };
}

function lastOfInitial(resourceVersion: string): object {
  const annotations = { "k8s.io/initial-events-end": "true" };
  return {
    type: "BOOKMARK",
    object: { kind: "Service", apiVersion: "v1", metadata: { resourceVersion, annotations } },
  };
}

function failure(code: number, message: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return (response) => {
    response.writeHead(code, { ...JSON_TYPE, ...headers });
    response.end(JSON.stringify({ kind: "Status", apiVersion: "v1", code, message }));
  };
}

function page(names: readonly string[], resourceVersion: string, next = ""): Answer {
  return (response) => {
    response.writeHead(200, JSON_TYPE);
    const items = names.map((name) => ({ metadata: { name, resourceVersion: "1" } }));
    response.end(JSON.stringify({ kind: "ServiceList", metadata: { resourceVersion, continue: next }, items }));
  };
}

const WATCH_LIST =
  "watch=true allowWatchBookmarks=true sendInitialEvents=true resourceVersionMatch=NotOlderThan fieldSelector=spec.clusterIP!=None";

function watchFrom(version: string): string {
  return `watch=true allowWatchBookmarks=true resourceVersion=${version} fieldSelector=spec.clusterIP!=None`;
}

test("by watch-list: the whole state is committed at the bookmark, the next watch goes on from the last version", async () => {
  const { asked, told } = await reflected([
    events(event("ADDED", "a", "3"), event("ADDED", "b", "4"), lastOfInitial("7"), event("DELETED", "a", "9")),
    events(event("MODIFIED", "b", "12"), { type: "BOOKMARK", object: { metadata: { resourceVersion: "20" } } }),
  ]);
  expect(asked).toEqual([WATCH_LIST, watchFrom("9"), watchFrom("20")]);
  expect(told).toEqual([
    ...["begin", "put a", "put b", "commit", "well", "remove a", "flush"],
    ...["well", "put b", "flush"],
  ]);
});

test("a watch-list that breaks before its bookmark commits nothing and is asked for anew", async () => {
  const { asked, told } = await reflected([events(event("ADDED", "a", "3")), events(lastOfInitial("7"))]);
  expect(asked).toEqual([WATCH_LIST, WATCH_LIST, watchFrom("7")]);
  expect(told).toEqual([
    ...["begin", "put a", "unreachable: the API server ended the watch before the whole state was told", "wait 800"],
    ...["begin", "commit", "well", "flush"],
  ]);
});

test("without watch-list: a list in pages, then a watch from its version", async () => {
  const { asked, told } = await reflected([
    failure(422, "sendInitialEvents is forbidden"),
    page(["a", "b"], "40", "more"),
    page(["c"], "40"),
    events(event("DELETED", "c", "41")),
  ]);
  expect(asked).toEqual([
    WATCH_LIST,
    "limit=500 fieldSelector=spec.clusterIP!=None",
    "limit=500 continue=more fieldSelector=spec.clusterIP!=None",
    watchFrom("40"),
    watchFrom("41"),
  ]);
  expect(told).toEqual([
    ...["begin", "put a", "put b", "put c", "commit", "well", "flush"],
    ...["well", "remove c", "flush"],
  ]);
});

test("pages whose state expires meanwhile begin anew, all at once", async () => {
  const { asked, told } = await reflected([
    failure(400, "no watch-list"),
    page(["a"], "40", "more"),
    failure(410, "the continue token is too old"),
    page(["b", "c"], "50"),
  ]);
  expect(asked.slice(1, 4)).toEqual([
    "limit=500 fieldSelector=spec.clusterIP!=None",
    "limit=500 continue=more fieldSelector=spec.clusterIP!=None",
    "fieldSelector=spec.clusterIP!=None",
  ]);
  expect(told).toEqual(["begin", "put a", "begin", "put b", "put c", "commit", "well", "flush"]);
});

test("a list that breaks between two pages is no state to watch from: it is asked for anew", async () => {
  const unsupported = failure(422, "sendInitialEvents is forbidden");
  const { asked, told } = await reflected([
    unsupported,
    page(["a"], "40", "more"),
    (response) => response.destroy(),
    unsupported,
    page(["b"], "50"),
  ]);
  expect(asked.slice(3)).toEqual([WATCH_LIST, "limit=500 fieldSelector=spec.clusterIP!=None", watchFrom("50")]);
  expect(told).toEqual([
    ...["begin", "put a", "unreachable: http://SERVER cannot be reached: socket hang up", "wait 800"],
    ...["begin", "put b", "commit", "well", "flush"],
  ]);
});

test("what comes in one piece with an error is told before the error", async () => {
  const status = { kind: "Status", code: 500, message: "told" };
  const { asked, told } = await reflected([
    events(lastOfInitial("7")),
    events(event("ADDED", "a", "8"), { type: "ERROR", object: status }),
  ]);
  expect(asked.slice(2)).toEqual([watchFrom("8")]);
  expect(told.slice(4)).toEqual(["well", "put a", "flush", "busy: the API server fails (500, told)", "wait 800"]);
});

test.each([
  ["as an event", events({ type: "ERROR", object: { kind: "Status", code: 410, message: "too old" } })],
  ["as an answer", failure(410, "too old")],
])("410 %s: the whole state is asked for again", async (_how, expired) => {
  const { asked, told } = await reflected([events(lastOfInitial("7")), expired, events(lastOfInitial("9"))]);
  expect(asked).toEqual([WATCH_LIST, watchFrom("7"), WATCH_LIST, watchFrom("9")]);
  expect(told.filter((text) => text.startsWith("expired"))).toEqual([
    "expired: the version that we knew is gone (410, too old)",
  ]);
});

test("a watch that breaks goes on from where it was, with what came before the break", async () => {
  const cut: Answer = (response) => {
    response.writeHead(200, JSON_TYPE);
    response.write(`${JSON.stringify(event("ADDED", "b", "8"))}\n{"type":"ADDED","object":{"metad`, () =>
      response.destroy(),
    );
  };
  const { asked, told } = await reflected([events(lastOfInitial("7")), cut, events(event("ADDED", "c", "9"))]);
  expect(asked).toEqual([WATCH_LIST, watchFrom("7"), watchFrom("8"), watchFrom("9")]);
  expect(told.slice(4)).toEqual([
    ...["well", "put b", "flush", "unreachable: http://SERVER cannot be reached: aborted", "wait 800"],
    ...["well", "put c", "flush"],
  ]);
});

test("an answer without sense is not built upon", async () => {
  const { asked, told } = await reflected([
    events(lastOfInitial("7")),
    (response) => response.writeHead(200, JSON_TYPE).end("<html>\n"),
    (response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>"),
  ]);
  expect(asked).toEqual([WATCH_LIST, watchFrom("7"), WATCH_LIST, WATCH_LIST]);
  expect(told.filter((text) => text.startsWith("protocol"))).toEqual([
    expect.stringMatching(/^protocol: an answer that cannot be read: Unexpected token/),
    "protocol: the answer is neither protobuf nor JSON but text/html",
  ]);
});

test.each<[number, string, string]>([
  [401, "credentials", "the API server refuses our credentials (401, told): renew the test"],
  [
    403,
    "forbidden",
    'forbidden (403, told): RBAC must allow verb watch on services of API group "", as ClusterRole system:node-proxier ' +
      "does for a proxy's resources",
  ],
  [404, "missing", "the API server has no services in v1 (404)"],
  [500, "busy", "the API server fails (500, told)"],
])("%i is told as %s", async (code, kind, message) => {
  const { told } = await reflected([failure(code, "told")]);
  expect(told.filter((text) => text !== "refused")).toEqual([`${kind}: ${message}`, "wait 800"]);
  expect(told.includes("refused")).toBe(code === 401);
});

test("a server that was set back to before our version is asked for the whole state", async () => {
  const behind = failure(504, "Too large resource version: 7, current: 5");
  const { asked } = await reflected([events(lastOfInitial("7")), behind, events(lastOfInitial("5"))]);
  expect(asked).toEqual([WATCH_LIST, watchFrom("7"), WATCH_LIST, watchFrom("5")]);
});

test("after half a minute that went well the waits begin anew", async () => {
  let nowMs = 0;
  const cutAfter =
    (ms: number): Answer =>
    (response) => {
      nowMs += ms;
      response.writeHead(200, JSON_TYPE);
      response.write("{", () => response.destroy());
    };
  const broken = [cutAfter(2000), cutAfter(2000), cutAfter(30_000), cutAfter(2000)];
  const { told } = await reflected([events(lastOfInitial("7")), ...broken], () => nowMs);
  expect(told.filter((text) => text.startsWith("wait"))).toEqual(["wait 800", "wait 1600", "wait 800", "wait 1600"]);
});

test("a server that is back after a while, and not ready yet, is asked as one that has just begun to fail", async () => {
  const gone: Answer = (response) => response.destroy();
  const refused = failure(403, "no rights are known yet");
  const away = Array.from({ length: 7 }, () => gone);
  const { told } = await reflected([events(lastOfInitial("7")), ...away, refused, refused, gone, refused]);
  const waits = told.flatMap((text, i) =>
    text.startsWith("wait") ? `${told[i - 1]?.replace(/:.*/, "")} ${text}` : [],
  );
  expect(waits).toEqual([
    ...[800, 1600, 3200, 5000, 5000, 5000, 5000].map((ms) => `unreachable wait ${ms}`),
    ...["forbidden wait 800", "forbidden wait 1600", "unreachable wait 5000", "forbidden wait 3200"],
  ]);
});

test("a server that asks us to wait is given the time", async () => {
  const { told } = await reflected([failure(429, "busy", { "retry-after": "7" })]);
  expect(told).toEqual(["busy: the API server asks us to wait (429, busy)", "wait 7000"]);
});

test("a watch that ends as soon as it has begun is not asked for in a circle", async () => {
  const { told } = await reflected([events(lastOfInitial("7")), events(), events()]);
  expect(told.slice(4)).toEqual([
    ...["well", "busy: the API server ends the watch as soon as it has begun", "wait 800"],
    ...["well", "busy: the API server ends the watch as soon as it has begun", "wait 1600"],
  ]);
});

test("what was asked and what came of it is counted, by kinds that a server cannot add to", async () => {
  const { counts, requests } = await reflected([
    events(event("ADDED", "a", "3"), event("ADDED", "b", "4"), lastOfInitial("7"), event("DELETED", "a", "9")),
    events(event("MODIFIED", "b", "12"), { type: "ERROR", object: { kind: "Status", code: 410, message: "too old" } }),
    failure(422, "sendInitialEvents is forbidden"),
    page(["a"], "40", "more"),
    page(["b"], "40"),
    events(event("SURPRISE", "b", "41")),
    (response) => response.destroy(),
    events(event("ADDED", "c", "50")),
  ]);
  expect({ ...counts, watchEnds: [...counts.watchEnds], events: [...counts.events], silentMs: undefined }).toEqual({
    resource: "services",
    lists: 1,
    watchLists: 1,
    watches: 4,
    watchEnds: [
      ["server", 1],
      ["expired", 1],
      ["protocol", 1],
      ["unreachable", 1],
    ],
    events: [
      ["added", 3],
      ["bookmark", 1],
      ["deleted", 1],
      ["modified", 1],
      ["error", 1],
      ["unknown", 1],
    ],
    version: undefined, // after an answer that makes no sense nothing is built upon
    silentMs: undefined,
  });
  expect(counts.silentMs).toBeLessThan(60_000);
  const host = requests.counts[0]?.host ?? "";
  expect(host).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(requests.counts).toEqual([
    { code: "200", method: "GET", host, count: 6 },
    { code: "422", method: "GET", host, count: 1 },
    { code: "<error>", method: "GET", host, count: 1 },
  ]);
  const [times] = requests.times;
  expect([times?.verb, times?.host, times?.counts.length]).toEqual(["GET", host, 13]);
  expect(times?.counts.reduce((sum, count) => sum + count, 0)).toBe(7);
  expect(times?.sumSeconds).toBeGreaterThan(0);
});
