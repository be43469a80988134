// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ModelObject } from "../../../../src/model/changes.ts";
import type { Ip } from "../../../../src/model/ip.ts";
import { sameValue } from "../../../../src/model/same-value.ts";
import { readCheckpoint, writeCheckpoint } from "../../../../src/source/kubernetes/checkpoint.ts";

const ip = (text: string) => text as Ip;

/** Every field of every kind, once with a value and once without where it may be absent. */
const OBJECTS: readonly ModelObject[] = [
  {
    kind: "Service",
    namespace: "default",
    name: "web",
    type: "LoadBalancer",
    createdMs: 1795339462000,
    foreignProxy: true,
    clusterIps: [ip("10.96.0.50"), ip("fd00:10:96::50")],
    externalIps: [ip("203.0.113.7")],
    loadBalancerIps: [ip("203.0.113.9")],
    proxiedIps: [ip("203.0.113.10")],
    internalTrafficPolicy: "Local",
    externalTrafficPolicy: "Cluster",
    healthCheckNodePort: 32100,
    affinitySeconds: 60,
    ports: [{ name: "http", protocol: "TCP", port: 80, nodePort: 30080 }],
    sourceRanges: {
      allowed: [{ address: ip("198.51.100.0"), prefixLength: 24 }],
      denied: [{ address: ip("::"), prefixLength: 0 }],
      strict: true,
      kinds: ["LoadBalancer", "NodePort"],
    },
    endsConnections: true,
    scheduler: "mh",
    headless: false,
    externalName: "db.example.com",
  },
  {
    kind: "Service",
    namespace: "default",
    name: "plain",
    type: "ClusterIP",
    createdMs: Number.POSITIVE_INFINITY,
    foreignProxy: false,
    clusterIps: [],
    externalIps: [],
    loadBalancerIps: [],
    proxiedIps: [],
    internalTrafficPolicy: "Cluster",
    externalTrafficPolicy: "Cluster",
    healthCheckNodePort: 0,
    affinitySeconds: 0,
    ports: [],
    sourceRanges: undefined,
    endsConnections: false,
    scheduler: undefined,
    headless: true,
    externalName: undefined,
  },
  {
    kind: "EndpointSlice",
    namespace: "default",
    name: "web-1",
    serviceName: "web",
    headless: false,
    family: 6,
    ports: [{ name: "", protocol: "UDP", port: 53 }],
    endpoints: [
      {
        address: ip("fd00:10:244::5"),
        nodeName: "node-1",
        zone: "a",
        hints: { forNodes: ["node-1"], forZones: [] },
        ready: false,
        serving: true,
        terminating: true,
        hostname: "web-0",
      },
      {
        address: ip("fd00:10:244::6"),
        nodeName: undefined,
        zone: undefined,
        hints: undefined,
        ready: true,
        serving: false,
        terminating: false,
        hostname: undefined,
      },
    ],
  },
  {
    kind: "EndpointSlice",
    namespace: "default",
    name: "fqdn",
    serviceName: undefined,
    headless: true,
    family: undefined,
    ports: [],
    endpoints: [],
  },
  {
    kind: "Node",
    name: "node-1",
    addresses: [ip("192.0.2.11")],
    podCidrs: [{ address: ip("10.244.1.0"), prefixLength: 24 }],
    zone: undefined,
    leaving: true,
  },
  { kind: "ServiceCIDR", name: "kubernetes", cidrs: [{ address: ip("10.96.0.0"), prefixLength: 12 }] },
  {
    kind: "Pod",
    namespace: "default",
    name: "vm",
    uid: "0b",
    nodeName: "node-1",
    hostNetwork: false,
    addresses: [ip("10.244.1.7")],
    socketBalancing: false,
  },
  { kind: "Namespace", name: "default", socketBalancing: undefined },
];

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "pt-checkpoint-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

const share = (text: string) => text;

async function written(name: string, objects: readonly ModelObject[] = OBJECTS): Promise<string> {
  const file = join(directory, name);
  await writeCheckpoint(file, "node-1", 1_700_000_000_000, objects);
  return file;
}

test("what was written is read: each object equals itself, field by field", async () => {
  const found = await readCheckpoint(await written("whole"), share);
  expect(found).toMatchObject({ nodeName: "node-1", writtenMs: 1_700_000_000_000 });
  expect(found?.objects).toStrictEqual(OBJECTS);
  expect(OBJECTS.map((object, i) => sameValue(object, found?.objects[i]))).toEqual(OBJECTS.map(() => true));
});

test("the file: a line, About and one Namespace in protobuf, SHA-256", async () => {
  const bytes = readFileSync(await written("bytes", [{ kind: "Namespace", name: "a", socketBalancing: false }]));
  expect(bytes.subarray(0, 22).toString("latin1")).toBe("portolan checkpoint 1\n");
  // Entry{About{nodeName "node-1", writtenMs 1.7e12}}, Entry{Namespace{name "a", socketBalancing false}}
  expect(bytes.subarray(22, -32).toString("hex")).toBe("130a110a066e6f64652d311100008056febc7842073a050a01611000");
  expect(bytes.subarray(-32).toString("hex")).toHaveLength(64);
});

test("objects of many parts come whole", async () => {
  const many = Array.from(
    { length: 20_000 },
    (_, i): ModelObject => ({ kind: "Namespace", name: `ns-${i}`, socketBalancing: undefined }),
  );
  const found = await readCheckpoint(await written("many", many), share);
  expect(found?.objects).toHaveLength(20_000);
  expect(found?.objects.at(-1)).toEqual({ kind: "Namespace", name: "ns-19999", socketBalancing: undefined });
});

test("no file is no checkpoint", async () => {
  expect(await readCheckpoint(join(directory, "nowhere"), share)).toBeUndefined();
});

test("a file that was cut off, changed or is of another kind says so", async () => {
  const bytes = readFileSync(await written("broken"));
  const file = join(directory, "broken");
  for (const length of [bytes.length - 1, bytes.length - 40, 30, 23]) {
    writeFileSync(file, bytes.subarray(0, length));
    await expect(readCheckpoint(file, share)).rejects.toThrow("its checksum does not fit: it was cut off or changed");
  }
  const flipped = Buffer.from(bytes);
  flipped[60] = (flipped[60] ?? 0) ^ 1;
  writeFileSync(file, flipped);
  await expect(readCheckpoint(file, share)).rejects.toThrow("its checksum does not fit: it was cut off or changed");
  writeFileSync(file, "portolan checkpoint 2\n");
  await expect(readCheckpoint(file, share)).rejects.toThrow("it is no checkpoint of this version");
  writeFileSync(file, "");
  await expect(readCheckpoint(file, share)).rejects.toThrow("it is no checkpoint of this version");
});
