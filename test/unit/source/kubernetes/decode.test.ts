// SPDX-License-Identifier: Apache-2.0
// On answers of a real kube-apiserver 1.37.1 (test/fixtures/api), in both wire formats.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { ModelObject } from "../../../../src/model/changes.ts";
import { Field } from "../../../../src/source/field.ts";
import { type Codec, codecOf } from "../../../../src/source/kubernetes/decode.ts";
import { readObject } from "../../../../src/source/object.ts";

const FIXTURES = new URL("../../../fixtures/api/", import.meta.url);

type Format = "protobuf" | "json";

function fixture(name: string, format: Format): Buffer {
  const ending = format === "protobuf" ? "protobuf.b64" : name.endsWith("-watch") ? "jsonl" : "json";
  const file = readFileSync(new URL(`${name}.${ending}`, FIXTURES));
  return format === "json" ? file : Buffer.from(file.toString("latin1"), "base64");
}

function codec(format: Format): Codec {
  const found = codecOf(format === "json" ? "application/json" : "application/vnd.kubernetes.protobuf;stream=watch");
  if (!found) throw new Error(format);
  return found;
}

/** The one object of a list. */
function listed(name: string, apiVersion: string, kind: string, format: Format): ModelObject | undefined {
  const [item] = codec(format).page(fixture(name, format), kind).items;
  const { object, leftOut } = readObject(new Field(item, () => {}), `${apiVersion} ${kind}`, [], (text) => text);
  expect(leftOut).toEqual([]);
  return object;
}

const FORMATS: readonly Format[] = ["protobuf", "json"];

const WEB = {
  kind: "Service",
  namespace: "default",
  name: "web",
  type: "LoadBalancer",
  createdMs: Date.UTC(2026, 10, 22, 9, 36, 7),
  foreignProxy: false,
  clusterIps: ["10.96.0.50", "fd00:10:96::50"],
  externalIps: ["203.0.113.7"],
  loadBalancerIps: ["203.0.113.9"],
  proxiedIps: ["203.0.113.10"],
  internalTrafficPolicy: "Cluster",
  externalTrafficPolicy: "Local",
  healthCheckNodePort: 32100,
  affinitySeconds: 60,
  ports: [
    { name: "http", protocol: "TCP", port: 80, nodePort: 30080 },
    { name: "dns", protocol: "UDP", port: 53, nodePort: 30053 },
  ],
  sourceRanges: {
    allowed: [{ address: "198.51.100.0", prefixLength: 24 }],
    denied: [],
    strict: false,
    kinds: ["LoadBalancer"],
  },
  endsConnections: false,
  scheduler: "mh",
  headless: false,
  externalName: undefined,
};

test.each(FORMATS)("a Service in %s", (format) => {
  expect(listed("services", "v1", "Service", format)).toEqual(WEB);
});

test.each(FORMATS)("an EndpointSlice in %s: absent conditions are absent, false ones are false", (format) => {
  expect(listed("endpointslices", "discovery.k8s.io/v1", "EndpointSlice", format)).toEqual({
    kind: "EndpointSlice",
    namespace: "default",
    name: "web-1",
    serviceName: "web",
    headless: false,
    family: 6,
    ports: [{ name: "http", protocol: "TCP", port: 8080 }],
    endpoints: [
      {
        address: "fd00:10:244::5",
        nodeName: "node-1",
        zone: "a",
        hints: { forNodes: ["node-1"], forZones: ["a"] },
        ready: false,
        serving: true,
        terminating: true,
      },
      { address: "fd00:10:244::6", ready: true, serving: true, terminating: false },
    ],
  });
});

test.each(FORMATS)("a Node in %s", (format) => {
  expect(listed("nodes", "v1", "Node", format)).toMatchObject({
    kind: "Node",
    name: "node-1",
    addresses: ["192.0.2.11", "2001:db8::11"],
    podCidrs: [
      { address: "10.244.1.0", prefixLength: 24 },
      { address: "fd00:10:244:1::", prefixLength: 64 },
    ],
    zone: "a",
  });
});

test.each(FORMATS)("a ServiceCIDR in %s", (format) => {
  expect(listed("servicecidrs", "networking.k8s.io/v1", "ServiceCIDR", format)).toEqual({
    kind: "ServiceCIDR",
    name: "kubernetes",
    cidrs: [
      { address: "10.96.0.0", prefixLength: 12 },
      { address: "fd00:10:96::", prefixLength: 112 },
    ],
  });
});

test.each(FORMATS)("the first events of a watch-list in %s: the object, and the bookmark that ends them", (format) => {
  const frames = codec(format).frames().push(fixture("services-watch", format));
  const events = frames.map((frame) => codec(format).event(frame));
  expect(events.slice(0, 2)).toMatchObject([
    { type: "ADDED", object: { type: "v1 Service", value: { metadata: { name: "web", resourceVersion: "360" } } } },
    {
      type: "BOOKMARK",
      object: {
        type: "v1 Service",
        value: { metadata: { resourceVersion: "360", annotations: { "k8s.io/initial-events-end": "true" } } },
      },
    },
  ]);
});

test("a Status in protobuf says what is wrong", () => {
  expect(codec("protobuf").status(fixture("not-found", "protobuf"))).toMatchObject({
    message: 'services "nothing" not found',
    reason: "NotFound",
    code: 404,
  });
});

test("what is neither is told apart, and what is broken is an error", () => {
  expect(codecOf("text/html")).toBeUndefined();
  expect(() => codec("protobuf").page(Buffer.from("<html>"), "Service")).toThrow(
    "does not begin as Kubernetes' protobuf",
  );
  expect(() => codec("protobuf").page(Buffer.from("k8s"), "Service")).toThrow("does not begin as Kubernetes' protobuf");
  expect(() => codec("json").page(Buffer.from("[1"), "Service")).toThrow();
  const whole = fixture("services", "protobuf");
  expect(() => codec("protobuf").page(whole.subarray(0, whole.length - 3), "Service")).toThrow("index out of range");
});
