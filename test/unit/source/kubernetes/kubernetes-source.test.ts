// SPDX-License-Identifier: Apache-2.0
// The whole source against a server over HTTP on loopback that says what the test wants of each kind.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { writeCheckpoint } from "../../../../src/source/kubernetes/checkpoint.ts";
import { KubernetesSource } from "../../../../src/source/kubernetes/kubernetes-source.ts";

type Answer = (response: ServerResponse) => void;

const JSON_TYPE = { "content-type": "application/json" };
const END = {
  type: "BOOKMARK",
  object: { metadata: { resourceVersion: "9", annotations: { "k8s.io/initial-events-end": "true" } } },
};

/** A watch that stays open. */
function watching(...objects: readonly object[]): Answer {
  return (response) => {
    response.writeHead(200, JSON_TYPE);
    const lines = [...objects.map((object) => ({ type: "ADDED", object })), END];
    response.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  };
}

const forbidden: Answer = (response) => {
  response.writeHead(403, JSON_TYPE).end(JSON.stringify({ kind: "Status", code: 403, message: "no" }));
};
const silent: Answer = () => {};

const WEB = {
  metadata: { namespace: "default", name: "web" },
  spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }] },
};
const NODE = { metadata: { name: "n1" }, status: { addresses: [{ type: "InternalIP", address: "192.0.2.11" }] } };

let directory: string;
let server: Server;
let answers: Record<string, Answer>;
let source: KubernetesSource | undefined;
let told: string[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "pt-source-"));
  told = [];
  const plain = watching();
  answers = {
    ...{ services: watching(WEB), endpointslices: plain, nodes: watching(NODE) },
    ...{ servicecidrs: plain, pods: plain, namespaces: plain },
  };
  server = createServer((request, response) => {
    const kind = new URL(request.url ?? "", "http://x").pathname.split("/").at(-1) ?? "";
    answers[kind]?.(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await source?.[Symbol.asyncDispose]();
  source = undefined;
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

/** loaded: until then nothing but problems is told. */
async function start({ recall = false, patienceMs = 5000, loaded = Promise.resolve() } = {}): Promise<void> {
  const kubeconfig = join(directory, "kubeconfig");
  const { port } = server.address() as AddressInfo;
  const cluster = { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true };
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: "c", cluster }],
      users: [{ name: "u", user: { token: "t" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    }),
  );
  const checkpoint = join(directory, "checkpoint");
  source = new KubernetesSource({ nodeName: "n1", userAgent: "test", kubeconfig, servers: [], checkpoint, patienceMs });
  source.begin(({ severity, place, message }) => {
    if (severity !== "debug") told.push(`${severity} ${place}: ${message}`.replaceAll(directory, "DIR"));
  });
  await loaded;
  await source.start(({ synced, services, nodes }, troubled) => {
    const names = [...services, ...nodes].map(({ previous, current }) =>
      current ? `+${current.name}` : `-${previous?.name}`,
    );
    told.push([synced ? "synced" : "not all", ...names, ...troubled].join(" "));
  }, recall);
}

test("the whole state is one step", async () => {
  await start();
  expect(told).toEqual(["synced +web +n1"]);
});

test("what comes before it may be told is told as one state, without what has gone again", async () => {
  const api = { metadata: { ...WEB.metadata, name: "api" }, spec: { ...WEB.spec, clusterIP: "10.96.0.2" } };
  const later = { metadata: { ...WEB.metadata, name: "later" }, spec: { ...WEB.spec, clusterIP: "10.96.0.3" } };
  const odd = {
    metadata: { namespace: "default", name: "odd" },
    spec: { clusterIP: "10.96.0.9", ports: [{ port: 0 }] },
  };
  answers.services = (response) => {
    watching(WEB, api)(response);
    const changes = [
      { type: "DELETED", object: api },
      { type: "ADDED", object: later },
      { type: "ADDED", object: odd },
    ];
    response.write(changes.map((change) => `${JSON.stringify(change)}\n`).join(""));
  };
  // Problems are told at once, so that the last object shows that all before it has been read.
  await start({
    loaded: vi.waitFor(() => expect(told).toEqual([expect.stringMatching(/^error Service default\/odd: /)])),
  });
  expect(told.slice(1)).toEqual(["synced +web +later +n1 Service default/odd"]);
});

test("what an agent can do without, and may not read, is said once and keeps nothing up", async () => {
  answers = { ...answers, pods: forbidden, nodes: forbidden };
  await start();
  expect(told.at(-1)).toBe("synced +web");
  expect(told.slice(0, -1).sort()).toEqual([
    expect.stringMatching(
      /^warning API server, nodes: forbidden \(403, no\): .*; done without this node's zone, addresses and pod ranges$/,
    ),
    expect.stringMatching(
      /^warning API server, pods: forbidden \(403, no\): .*; done without portolan.dev\/socket-balancing at Pods$/,
    ),
  ]);
});

test("without EndpointSlices the state is not complete, and nothing that is not named may go", async () => {
  answers = { ...answers, endpointslices: forbidden };
  await start();
  expect(told).toEqual([
    expect.stringMatching(/^error API server, endpointslices: forbidden .*what an earlier agent served goes on\)$/),
    "not all +web +n1",
  ]);
});

test("an object that cannot be used is named, and the others count", async () => {
  const odd = {
    metadata: { namespace: "default", name: "odd" },
    spec: { clusterIP: "10.96.0.2", ports: [{ port: 0 }] },
  };
  answers = { ...answers, services: watching(odd, WEB) };
  await start();
  expect(told).toEqual([
    "error Service default/odd: spec.ports[0].port: is missing or 0: use 1 to 65535 (until then it counts as it was before)",
    "synced +web +n1 Service default/odd",
  ]);
});

const CHECKPOINTED = {
  ...({
    kind: "Service",
    namespace: "default",
    name: "old",
    type: "ClusterIP",
    createdMs: 0,
    foreignProxy: false,
  } as const),
  ...{ clusterIps: [], externalIps: [], loadBalancerIps: [], proxiedIps: [], ports: [] },
  ...({ internalTrafficPolicy: "Cluster", externalTrafficPolicy: "Cluster" } as const),
  ...{
    healthCheckNodePort: 0,
    affinitySeconds: 0,
    sourceRanges: undefined,
    endsConnections: false,
    scheduler: undefined,
  },
};

const SILENT =
  "error API server, services: no answer for 1 s: it is waited for, and what an earlier agent served goes on";

async function checkpoint(nodeName: string): Promise<void> {
  const object = { ...CHECKPOINTED, headless: false, externalName: undefined };
  await writeCheckpoint(join(directory, "checkpoint"), nodeName, Date.UTC(2026, 10, 22, 10), [object]);
}

test("a server that says nothing of Services: the checkpoint's count, and go when it has said all", async () => {
  await checkpoint("n1");
  let late: ServerResponse | undefined;
  answers.services = (response) => {
    late = response;
  };
  await start({ recall: true, patienceMs: 1000 });
  expect(told).toEqual([
    SILENT,
    "warning DIR/checkpoint: no API server answers, so what it said until 2026-11-22T10:00:00.000Z is served until one does",
    "not all +old +n1",
  ]);
  if (late) watching(WEB)(late);
  await vi.waitUntil(() => told.length > 3);
  expect(told.slice(3)).toEqual(["synced -old +web"]);
});

test("a checkpoint is not asked for where the kernel holds newer, nor another node's used", async () => {
  await checkpoint("n2");
  answers = { ...answers, services: silent };
  await start({ recall: true, patienceMs: 1000 });
  expect(told).toEqual([
    SILENT,
    'warning DIR/checkpoint: cannot be used: it is of the node "n2": nothing is known yet',
    "not all +n1",
  ]);
  await source?.[Symbol.asyncDispose]();
  told = [];
  await checkpoint("n1");
  await start({ recall: false, patienceMs: 1000 });
  expect(told).toEqual([SILENT, "not all +n1"]);
});

test("a server that goes on telling is waited for, however long it takes", async () => {
  await checkpoint("n1");
  answers.services = (response) => {
    response.writeHead(200, JSON_TYPE);
    let sent = 0;
    const timer = setInterval(() => {
      const object = { ...WEB, metadata: { namespace: "default", name: `web-${sent}` } };
      if (sent++ < 30) response.write(`${JSON.stringify({ type: "ADDED", object })}\n`);
      else {
        clearInterval(timer);
        response.write(`${JSON.stringify(END)}\n`);
      }
    }, 50);
  };
  await start({ recall: true, patienceMs: 1000 });
  expect(told).toEqual([expect.stringMatching(/^synced( \+web-\d+){30} \+n1$/)]);
});
