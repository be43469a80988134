// SPDX-License-Identifier: Apache-2.0
// Objects that an API server would refuse and a file can hold: what cannot be used is named and left out, the rest counts.

import { describe, expect, test } from "vitest";
import { type ManifestFile, readManifest } from "../../../src/source/manifest-file.ts";

const REST = " (until then the rest of it counts)";
const service = `apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  clusterIP: 10.96.0.10
  ports:
    - port: 80
`;

function read(file: string, text: string): ManifestFile {
  return readManifest(file, text, new Map(), { intern: (name) => name, reuse: (object) => object });
}

/** Lines of warnings and errors; the former are what is looked for. */
function problems(file: string, text: string): readonly string[] {
  return read(file, text).problems.map(({ severity, place, message }) =>
    severity === "warning" ? `${place}: ${message}` : `${severity} ${place}: ${message}`,
  );
}

describe("bad input", () => {
  const ports = "    - {name: a, port: 80, nodePort: 30080}\n";
  const withPorts = (more: string) => service.replace("    - port: 80\n", `${ports}${more}`);
  const portNumbers = (text: string) => {
    const [object] = read("a.yaml", text).objects.values();
    return object?.object.kind === "Service" ? object.object.ports.map(({ port, nodePort }) => [port, nodePort]) : [];
  };

  test.each([
    ["port 0", "{name: b, port: 0}", "ports[1].port: is missing or 0: use 1 to 65535"],
    ["a port above 65535", "{name: b, port: 65536}", "ports[1].port: 65536 is not a port number: use 1 to 65535"],
    ["a port that is text", '{name: b, port: "http"}', 'ports[1].port: "http" is not a port number: use 1 to 65535'],
    [
      "a port twice",
      "{name: b, port: 80}",
      "ports[1].port: 80/TCP is that of a port before it: give each port its own",
    ],
    [
      "a name twice",
      "{name: a, port: 81}",
      "ports[1].name: every port of a Service with several ports needs a name of its own",
    ],
    [
      "an unknown protocol",
      "{name: b, port: 81, protocol: X}",
      'ports[1].protocol: "X" is not known: use TCP, UDP, SCTP',
    ],
    ["no object", "port 81", "ports[1]: must be an object with named fields"],
  ])("of a Service with %s the other ports are served", (_what, port, message) => {
    const text = withPorts(`    - ${port}\n`);
    expect(problems("a.yaml", text)).toEqual([`a.yaml:9: Service default/web: spec.${message}${REST}`]);
    expect(portNumbers(text)).toEqual([[80, 30080]]);
    expect(read("a.yaml", text).troubled).toEqual(["Service default/web"]);
  });

  test.each([
    ["one that another port has", 30080, "node port 30080/TCP is that of a port before it: give each port its own"],
    ["one that is none", 70000, "70000 is not a port number: use 1 to 65535"],
  ])("a port with a bad node port, %s, is served without it", (_what, nodePort, message) => {
    const text = withPorts(`    - {name: b, port: 81, nodePort: ${nodePort}}\n`);
    expect(problems("a.yaml", text)).toEqual([
      `a.yaml:9: Service default/web: spec.ports[1].nodePort: ${message}${REST}`,
    ]);
    expect(portNumbers(text)).toEqual([
      [80, 30080],
      [81, 0],
    ]);
  });

  test("one port number with two protocols is no port twice, and one node port neither", () => {
    const text = withPorts("    - {name: b, port: 80, nodePort: 30080, protocol: UDP}\n");
    expect(problems("a.yaml", text)).toEqual([]);
  });

  test("of a Service with garbage in all that is not needed the rest is served, and each is named", () => {
    const text = `apiVersion: v1
kind: Service
metadata:
  name: web
  creationTimestamp: yesterday
  annotations: [portolan.dev/scheduler]
spec:
  clusterIPs: [10.96.0.10, 10.96.0.300]
  externalIPs: [nobody, 0.0.0.0, 203.0.113.7]
  externalTrafficPolicy: Sometimes
  healthCheckNodePort: many
  ports: [{port: 80}]
status: {loadBalancer: {ingress: [{ip: 224.0.0.1}, {ip: 198.51.100.7}, {ip: 198.51.100.8, ipMode: Magic}]}}
`;
    const { objects, troubled } = read("a.yaml", text);
    expect(objects.get("Service/default/web")?.object).toMatchObject({
      clusterIps: ["10.96.0.10"],
      externalIps: ["203.0.113.7"],
      loadBalancerIps: ["198.51.100.7"],
      externalTrafficPolicy: "Cluster",
      healthCheckNodePort: 0,
      ports: [{ port: 80 }],
      scheduler: undefined,
      createdMs: Number.POSITIVE_INFINITY,
    });
    expect(troubled).toEqual(["Service default/web"]);
    const places = problems("a.yaml", text).map((line) =>
      /^a\.yaml:(\d+): Service default\/web: ([^:]+): .*counts\)$/.exec(line),
    );
    expect(places.map((match) => `${match?.[1]} ${match?.[2]}`).sort()).toEqual([
      "10 spec.externalTrafficPolicy",
      "11 spec.healthCheckNodePort",
      "13 status.loadBalancer.ingress[0].ip",
      "13 status.loadBalancer.ingress[2].ipMode",
      "5 metadata.creationTimestamp",
      "6 metadata.annotations",
      "8 spec.clusterIPs[1]",
      "9 spec.externalIPs[0]",
      "9 spec.externalIPs[1]",
    ]);
  });

  test("addresses that mean another host to everyone are no Service's and no endpoint's", () => {
    const text = `apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIPs: ["::1", 10.96.0.10]
  externalIPs: [127.0.0.1, 169.254.169.254, "fe80::1", 203.0.113.7]
  ports: [{port: 80}]
status: {loadBalancer: {ingress: [{ip: 127.8.0.1}, {ip: 198.51.100.7}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [127.0.0.1]}, {addresses: [169.254.1.1]}, {addresses: [10.244.1.1]}]
`;
    const { objects } = read("a.yaml", text);
    expect(objects.get("Service/default/web")?.object).toMatchObject({
      clusterIps: ["10.96.0.10"],
      externalIps: ["203.0.113.7"],
      loadBalancerIps: ["198.51.100.7"],
    });
    expect(objects.get("EndpointSlice/default/web-1")?.object).toMatchObject({
      endpoints: [{ address: "10.244.1.1" }],
    });
    const means = "which means another host to everyone who uses it: use another";
    expect(problems("a.yaml", text).toSorted()).toEqual([
      `a.yaml:15: EndpointSlice default/web-1: endpoints[0].addresses[0]: 127.0.0.1 is a loopback address, ${means}${REST}`,
      `a.yaml:15: EndpointSlice default/web-1: endpoints[1].addresses[0]: 169.254.1.1 is a link-local address, ${means}${REST}`,
      `a.yaml:5: Service default/web: spec.clusterIPs[0]: ::1 is a loopback address, ${means}${REST}`,
      `a.yaml:6: Service default/web: spec.externalIPs[0]: 127.0.0.1 is a loopback address, ${means}${REST}`,
      `a.yaml:6: Service default/web: spec.externalIPs[1]: 169.254.169.254 is a link-local address, ${means}${REST}`,
      `a.yaml:6: Service default/web: spec.externalIPs[2]: fe80::1 is a link-local address, ${means}${REST}`,
      `a.yaml:8: Service default/web: status.loadBalancer.ingress[0].ip: 127.8.0.1 is a loopback address, ${means}${REST}`,
    ]);
  });

  test("of an EndpointSlice with bad endpoints and ports the others are used", () => {
    const text = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: a, port: 8080}, {name: b, port: 80800}]
endpoints:
  - addresses: [10.244.1.1]
    hints: {forZones: [{name: 7}]}
  - addresses: ["fd00:244::1"]
  - addresses: [10.244.1.2]
    conditions: {ready: "no"}
  - {}
`;
    const { objects } = read("a.yaml", text);
    expect(objects.get("EndpointSlice/default/web-1")?.object).toMatchObject({
      ports: [{ name: "a", port: 8080 }],
      endpoints: [{ address: "10.244.1.1", hints: undefined }],
    });
    const slice = "EndpointSlice default/web-1";
    expect(problems("a.yaml", text)).toEqual([
      `a.yaml:8: ${slice}: endpoints[0].hints.forZones[0].name: 7 must be a string: put it in quotes${REST}`,
      `a.yaml:9: ${slice}: endpoints[1].addresses[0]: fd00:244::1 is not IPv4, which addressType says${REST}`,
      `a.yaml:11: ${slice}: endpoints[2].conditions.ready: "no" must be true or false${REST}`,
      `a.yaml:12: ${slice}: endpoints[3].addresses: is empty: name one address${REST}`,
      `a.yaml:5: ${slice}: ports[1].port: 80800 is not a port number: use 1 to 65535${REST}`,
    ]);
  });

  test("of a Node a range that is everything is left out", () => {
    const text = `apiVersion: v1
kind: Node
metadata: {name: node-1}
spec:
  podCIDRs: [0.0.0.0/0, "fd00:244:1::/64"]
status:
  addresses: [{type: InternalIP, address: 192.0.2.300}, {type: InternalIP, address: 192.0.2.11}]
`;
    expect(problems("a.yaml", text)).toEqual([
      `a.yaml:7: Node node-1: status.addresses[0].address: "192.0.2.300" is not an IP address: use one such as 10.96.0.10 or fd00::10${REST}`,
      `a.yaml:5: Node node-1: spec.podCIDRs[0]: 0.0.0.0/0 would make a pod of everything: name the range of this node's pods${REST}`,
    ]);
    const [object] = read("a.yaml", text).objects.values();
    expect(object?.object).toMatchObject({
      addresses: ["192.0.2.11"],
      podCidrs: [{ address: "fd00:244:1::", prefixLength: 64 }],
    });
  });

  test("an object of which nothing is left does not count, and is named like one that does not parse", () => {
    const { objects, troubled } = read("a.yaml", `${service.replace("80", "0")}---\nkind: [\n`);
    expect(objects.size).toBe(0);
    expect(troubled).toEqual(["Service default/web", "a.yaml:10"]);
  });
});
