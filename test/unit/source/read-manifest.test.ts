// SPDX-License-Identifier: Apache-2.0
// One manifest file: what is read from it, and how what is wrong in it is reported.

import { describe, expect, test } from "vitest";
import { type KnownDocuments, readManifest } from "../../../src/source/manifest-file.ts";

const none: KnownDocuments = new Map();

function read(file: string, text: string, known: KnownDocuments = none) {
  return readManifest(file, text, known, { intern: (name) => name, reuse: (object) => object });
}

/** Lines of errors and warnings. */
function problems(file: string, text: string): readonly string[] {
  const { problems } = read(file, text);
  return problems.filter((one) => one.severity !== "debug").map(({ place, message }) => `${place}: ${message}`);
}

const service = `apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  clusterIP: 10.96.0.10
  ports:
    - port: 80
`;
const slice = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-1
addressType: IPv4
endpoints:
  - addresses: [10.244.1.1]
`;
const node = `apiVersion: v1
kind: Node
metadata:
  name: node-1
spec:
  podCIDRs: [10.244.1.0/24, "fd00:244:1::/64"]
status:
  addresses:
    - {type: Hostname, address: node-1}
    - {type: InternalIP, address: 192.0.2.11}
`;

describe("objects", () => {
  test.each([
    ["several documents", `${service}---\n${slice}---\n${node}`],
    [
      "documents between comments and empty ones",
      `# a\n---\n---\n# b\n${service}\n--- # c\n${slice}...\n---\n\n${node}---\n`,
    ],
    ["Windows line ends", `${service}---\n${slice}---\n${node}`.replaceAll("\n", "\r\n")],
    ["a file with a byte order mark", `\uFEFF${service}---\n${slice}---\n${node}`],
    ["a List", list("List", "v1", service, slice, node)],
  ])("are found in %s", (_what, text) => {
    const { objects, problems } = read("a.yaml", text);
    expect(problems).toEqual([]);
    expect([...objects.keys()]).toEqual(["Service/default/web", "EndpointSlice/default/web-1", "Node//node-1"]);
  });

  test("of a typed list need not name their kind", () => {
    const untyped = service.replace("apiVersion: v1\nkind: Service\n", "");
    const { objects, problems } = read("a.yaml", list("ServiceList", "v1", untyped));
    expect(problems).toEqual([]);
    expect([...objects.keys()]).toEqual(["Service/default/web"]);
  });

  test("of JSON are those of YAML", () => {
    const json = JSON.stringify({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
      spec: { clusterIP: "10.96.0.10", ports: [{ port: 80 }] },
    });
    const fromJson = read("a.json", json).objects.get("Service/default/web")?.object;
    expect(fromJson).toEqual(read("a.yaml", service).objects.get("Service/default/web")?.object);
    expect(fromJson).toMatchObject({
      clusterIps: ["10.96.0.10"],
      ports: [{ name: "", protocol: "TCP", port: 80, nodePort: 0 }],
    });
  });

  test("of a Node are its own addresses and its pods' ranges", () => {
    expect(read("a.yaml", node).objects.get("Node//node-1")?.object).toEqual({
      kind: "Node",
      name: "node-1",
      addresses: ["192.0.2.11"],
      podCidrs: [
        { address: "10.244.1.0", prefixLength: 24 },
        { address: "fd00:244:1::", prefixLength: 64 },
      ],
      zone: undefined,
      leaving: false,
    });
  });

  test("row 46: of a ServiceCIDR are its ranges, but not one of every address", () => {
    const text = (cidrs: string) =>
      `apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: { name: kubernetes }\nspec:\n  cidrs: ${cidrs}\n`;
    expect(
      read("a.yaml", text('[10.96.0.0/16, "fd00:96::/112"]')).objects.get("ServiceCIDR//kubernetes")?.object,
    ).toEqual({
      kind: "ServiceCIDR",
      name: "kubernetes",
      cidrs: [
        { address: "10.96.0.0", prefixLength: 16 },
        { address: "fd00:96::", prefixLength: 112 },
      ],
    });
    const { objects, problems } = read("a.yaml", text("[0.0.0.0/0, 10.96.0.0/33, 10.96.0.0/16]"));
    expect(objects.get("ServiceCIDR//kubernetes")?.object).toMatchObject({
      cidrs: [{ address: "10.96.0.0", prefixLength: 16 }],
    });
    expect(problems).toMatchObject([
      {
        severity: "warning",
        place: "a.yaml:5",
        message: expect.stringContaining("0.0.0.0/0 is every address there is"),
      },
      { severity: "warning", message: expect.stringContaining('"10.96.0.0/33" is not an address range') },
    ]);
  });

  test("of other kinds are ignored, which only a debug event says", () => {
    const { objects, problems } = read("a.yaml", `${service}---\napiVersion: apps/v1\nkind: Deployment\n`);
    expect(objects.size).toBe(1);
    expect(problems).toEqual([
      {
        severity: "debug",
        place: "a.yaml:10",
        message:
          "apps/v1 Deployment is ignored: only v1 Service, discovery.k8s.io/v1 EndpointSlice, v1 Node, v1 Pod, v1 Namespace, networking.k8s.io/v1 ServiceCIDR count",
      },
    ]);
  });

  test("of documents that did not change are the same objects as before", () => {
    const before = read("a.yaml", `${service}---\n${slice}`);
    const after = read("a.yaml", `${service.replace("80", "81")}---\n${slice}`, before.documents);
    const key = "EndpointSlice/default/web-1";
    expect(after.objects.get(key)?.object).toBe(before.objects.get(key)?.object);
    expect(after.objects.get("Service/default/web")?.object).toMatchObject({ ports: [{ port: 81 }] });
  });

  test("that stand twice in a file count once, with a warning that names both places", () => {
    const { objects, problems } = read("a.yaml", `${service}---\n${service.replace("80", "81")}`);
    expect(objects.get("Service/default/web")?.object).toMatchObject({ ports: [{ port: 80 }] });
    expect(problems).toEqual([
      {
        severity: "warning",
        place: "a.yaml:10",
        message: "Service default/web is in a.yaml:1 and in a.yaml:10: the first counts, take the other out",
      },
    ]);
  });
});

describe("a bad manifest is reported with its line", () => {
  const edited = (from: string, to: string) => `${slice}---\n${service.replace(from, to)}`;
  const web = "Service default/web";

  test.each([
    [
      "an impossible port",
      edited("80", "70000"),
      `a.yaml:16: ${web}: spec.ports[0].port: 70000 is not a port number: use 1 to 65535`,
    ],
    [
      "a port in quotes",
      edited("80", '"80"'),
      `a.yaml:16: ${web}: spec.ports[0].port: "80" is not a port number: use 1 to 65535`,
    ],
    [
      "no port number",
      edited("port: 80", "name: http"),
      `a.yaml:16: ${web}: spec.ports[0].port: is missing or 0: use 1 to 65535`,
    ],
    [
      "no port",
      edited("  ports:\n    - port: 80\n", ""),
      `a.yaml:14: ${web}: spec.ports: is empty: name at least one port`,
    ],
    [
      "a bad address",
      edited("10.96.0.10", "10.96.0.256"),
      `a.yaml:14: ${web}: spec.clusterIP: "10.96.0.256" is not an IP address: use one such as 10.96.0.10 or fd00::10`,
    ],
    [
      "the unspecified address",
      edited("10.96.0.10", "0.0.0.0"),
      `a.yaml:14: ${web}: spec.clusterIP: 0.0.0.0 cannot be the address of a Service or an endpoint: use a unicast address`,
    ],
    [
      "an unknown protocol",
      edited("port: 80", "port: 80\n      protocol: HTTP"),
      `a.yaml:17: ${web}: spec.ports[0].protocol: "HTTP" is not known: use TCP, UDP, SCTP`,
    ],
    [
      "an unknown type",
      edited("spec:", "spec:\n  type: Magic"),
      `a.yaml:14: ${web}: spec.type: "Magic" is not known: use ClusterIP, NodePort, LoadBalancer, ExternalName (until then the rest of it counts)`,
    ],
    ["no name", edited("  name: web", "  labels: {}"), "a.yaml:12: Service: metadata.name: is missing: set it"],
    [
      "a bad name",
      edited("name: web", "name: Web_1"),
      'a.yaml:12: Service default/Web_1: metadata.name: "Web_1" is not a name: use lower-case letters, digits and - inside',
    ],
    [
      "a label that is no string",
      `${slice.replace("web-1", "web-1\n  labels:\n    kubernetes.io/service-name: 7")}`,
      'a.yaml:6: EndpointSlice default/web-1: metadata.labels["kubernetes.io/service-name"]: 7 must be a string: put it in quotes',
    ],
    [
      "a list in place of an object",
      edited("metadata:\n  name: web", "metadata:\n  - name: web"),
      "a.yaml:12: Service: metadata: must be an object with named fields",
    ],
    [
      "an object in place of a list",
      edited("    - port: 80", "      port: 80"),
      `a.yaml:16: ${web}: spec.ports: must be a list`,
    ],
    [
      "unnamed ports beside others",
      edited("- port: 80", "- port: 80\n    - port: 81"),
      `a.yaml:16: ${web}: spec.ports[0].name: every port of a Service with several ports needs a name of its own`,
    ],
    [
      "two cluster IPs of a family",
      edited("clusterIP: 10.96.0.10", "clusterIPs: [10.96.0.10, 10.96.0.11]"),
      `a.yaml:14: ${web}: spec.clusterIPs[1]: is the second of its family: one IPv4 and one IPv6 address at most (until then the rest of it counts)`,
    ],
    [
      "an endpoint of the wrong family",
      slice.replace("10.244.1.1", "fd00::1"),
      "a.yaml:7: EndpointSlice default/web-1: endpoints[0].addresses[0]: fd00::1 is not IPv4, which addressType says",
    ],
    [
      "an endpoint without address",
      slice.replace("10.244.1.1", ""),
      "a.yaml:7: EndpointSlice default/web-1: endpoints[0].addresses: is empty: name one address",
    ],
    [
      "no addressType",
      slice.replace("addressType: IPv4\n", ""),
      "a.yaml:1: EndpointSlice default/web-1: addressType: is missing: use IPv4, IPv6, FQDN",
    ],
    ["no kind", "apiVersion: v1\n", "a.yaml:1: kind: is missing: set it"],
    ["a text that is no object", "hello\n", "a.yaml:1: the object: must be an object with named fields"],
    [
      "a bad range of a Node",
      node.replace("10.244.1.0/24", "10.244.1.0/33"),
      'a.yaml:6: Node node-1: spec.podCIDRs[0]: "10.244.1.0/33" is not an address range: use one such as 10.244.1.0/24 (until then the rest of it counts)',
    ],
  ])("%s", (_what, text, message) => {
    expect(problems("a.yaml", text)).toEqual([message]);
  });

  test("text that is no YAML", () => {
    expect(problems("a.yaml", `${slice}---\nkind: [Service\nmetadata: x\n`)).toEqual([
      expect.stringMatching(/^a\.yaml:(9|10): does not parse: .+: correct it$/),
    ]);
  });

  test.each([
    ['{\n  "kind": "Service",\n  "x": }\n', 'a.json:3: does not parse: this is not JSON: "x": }: correct it'],
    ['{\n  "kind": "Service"\n', "a.json:3: does not parse: this is not JSON: the text ends too soon: correct it"],
    ['{\n  "a": [1, 2,\n  ]}', "a.json:3: does not parse: this is not JSON: ]}: correct it"],
    ['{"a": 1}\n{"b": 2}', 'a.json:2: does not parse: this is not JSON: {"b": 2}: correct it'],
    ['{"a": 1,\n"b" 2}', 'a.json:2: does not parse: this is not JSON: "b" 2}: correct it'],
    ['{"a": 1,\nb: 2}', "a.json:2: does not parse: this is not JSON: b: 2}: correct it"],
    ['{"a": [1,\n"x}', 'a.json:2: does not parse: this is not JSON: "x}: correct it'],
    ['{"a": 1\n]', "a.json:2: does not parse: this is not JSON: ]: correct it"],
  ])("text that is no JSON: %j", (text, message) => {
    expect(problems("a.json", text)).toEqual([message]);
  });

  test("a bad field in JSON", () => {
    const text = JSON.stringify(
      {
        apiVersion: "v1",
        kind: "List",
        items: [
          {
            apiVersion: "v1",
            kind: "Service",
            metadata: { name: 'a,"]' },
            spec: { ports: [{ port: 1 }] },
          },
        ],
      },
      null,
      1,
    );
    expect(problems("a.json", text)).toEqual([
      'a.json:9: Service default/a,"]: items[0].metadata.name: "a,\\"]" is not a name: use lower-case letters, digits and - inside',
    ]);
  });

  test.each([
    [
      "a Service without address",
      edited("  clusterIP: 10.96.0.10\n", ""),
      `a.yaml:14: ${web}: spec.clusterIP: is missing, so this Service is not served: set an address, or None if it is meant to be headless`,
    ],
    [
      "a NodePort without node port",
      edited("spec:", "spec:\n  type: NodePort"),
      `a.yaml:17: ${web}: spec.ports[0].nodePort: is missing, so this port is served on no node port: set a free port, usually 30000 to 32767`,
    ],
    [
      "a LoadBalancer with policy Local without a port for health checks",
      edited("spec:", "spec:\n  type: LoadBalancer\n  externalTrafficPolicy: Local"),
      `a.yaml:14: ${web}: spec.healthCheckNodePort: is missing, so no load balancer can ask whether this node has endpoints: set a free port`,
    ],
  ])("what only an API server would assign is warned about: %s", (_what, text, message) => {
    expect(problems("a.yaml", text)).toEqual([message]);
    expect(read("a.yaml", text).problems.map(({ severity }) => severity)).toEqual(["warning"]);
    expect(read("a.yaml", text).objects.size).toBe(2);
  });

  test("and does not hide the good ones beside it", () => {
    const { objects } = read("a.yaml", edited("80", "70000"));
    expect([...objects.keys()]).toEqual(["EndpointSlice/default/web-1"]);
  });

  test.each([
    ["a document that stands in itself", "&a\napiVersion: v1\nkind: List\nitems: [*a]\n"],
    ["nesting too deep to follow", Array.from({ length: 5000 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n")],
  ])("%s does not parse", (_what, text) => {
    expect(problems("a.yaml", text)).toEqual([expect.stringMatching(/^a\.yaml:1: does not parse: .+: correct it$/)]);
  });

  test("an alias bomb does not parse", () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefgh"].map((c, i) => `${c}: &${c} [${`*${"abcdefg"[i]},`.repeat(9)}]`).join("\n")}\n`;
    expect(problems("a.yaml", bomb)).toEqual([expect.stringMatching(/^a\.yaml:1: does not parse: .*alias/i)]);
  });
});

function list(kind: string, apiVersion: string, ...items: readonly string[]): string {
  const indented = items.map((item) => `- ${item.trimEnd().replaceAll("\n", "\n  ")}\n`);
  return `apiVersion: ${apiVersion}\nkind: ${kind}\nitems:\n${indented.join("")}`;
}
