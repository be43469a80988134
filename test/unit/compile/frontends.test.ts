// SPDX-License-Identifier: Apache-2.0
// Which frontends a Service gets: behaviour rows 1-8, 12 and 24-27.

import { expect, test } from "vitest";
import { compile, frontendLines, service } from "./manifest.ts";

const labelled = (label: string) => ({ metadata: { name: "web", labels: { [label]: "other" } } });
const ingress = (...entries: readonly object[]) => ({ status: { loadBalancer: { ingress: entries } } });
const v6 = { clusterIPs: ["10.96.0.10", "fd00:96::a"] };

test.each([
  [
    "row 1: a Service of another proxy is left alone",
    service({}, labelled("service.kubernetes.io/service-proxy-name")),
    [],
  ],
  ["row 3: a headless Service is left alone", service({ clusterIP: "None" }), []],
  ["row 3: so is one without a cluster IP", service({ clusterIP: "" }), []],
  [
    "row 3: a headless Service with external IPs is left alone",
    service({ clusterIP: "None", externalIPs: ["192.0.2.1"] }),
    [],
  ],
  [
    "row 3: so is an ExternalName with a cluster IP",
    service({ type: "ExternalName", externalName: "example.org" }),
    [],
  ],
  [
    "row 4: node port, external IP and load balancer IP count for any type",
    service({ ports: [{ port: 80, nodePort: 30080 }], externalIPs: ["192.0.2.1"] }, ingress({ ip: "198.51.100.1" })),
    [
      "ClusterIP 10.96.0.10:80/TCP",
      "ExternalIP 192.0.2.1:80/TCP",
      "LoadBalancer 198.51.100.1:80/TCP",
      "NodePort *:30080/TCP",
    ],
  ],
  [
    "row 4: loadBalancerClass is ignored",
    service({ type: "LoadBalancer", loadBalancerClass: "example.org/lb" }, ingress({ ip: "198.51.100.1" })),
    ["ClusterIP 10.96.0.10:80/TCP", "LoadBalancer 198.51.100.1:80/TCP"],
  ],
  [
    "row 4: an address that is external IP and load balancer IP is one frontend",
    service({ externalIPs: ["192.0.2.1"] }, ingress({ ip: "192.0.2.1" })),
    ["ClusterIP 10.96.0.10:80/TCP", "ExternalIP 192.0.2.1:80/TCP"],
  ],
  [
    "row 6: a dual-stack Service is served in each family with that family's addresses",
    service({ ...v6, externalIPs: ["192.0.2.1", "2001:db8::1"], ports: [{ port: 80, nodePort: 30080 }] }),
    [
      "ClusterIP 10.96.0.10:80/TCP",
      "ExternalIP 192.0.2.1:80/TCP",
      "NodePort *:30080/TCP",
      "ClusterIP fd00:96::a:80/TCP",
      "ExternalIP 2001:db8::1:80/TCP",
      "NodePort *:30080/TCP",
    ],
  ],
  [
    "row 6: a load balancer IP of a family without cluster IP is not served",
    service({}, ingress({ ip: "2001:db8::1" })),
    ["ClusterIP 10.96.0.10:80/TCP"],
  ],
  ["row 6: an old object has only clusterIP", service({ clusterIP: "fd00:96::a" }), ["ClusterIP fd00:96::a:80/TCP"]],
  [
    "row 8: one port number with three protocols is three services",
    service({
      ports: [
        { name: "t", port: 53 },
        { name: "u", port: 53, protocol: "UDP" },
        { name: "s", port: 53, protocol: "SCTP" },
      ],
    }),
    ["ClusterIP 10.96.0.10:53/TCP", "ClusterIP 10.96.0.10:53/UDP", "ClusterIP 10.96.0.10:53/SCTP"],
  ],
  [
    "row 12: addresses with leading zeros and spaces are what they mean",
    service({ clusterIP: "172.30.0.041", externalIPs: [" 203.0.113.007 "] }),
    ["ClusterIP 172.30.0.41:80/TCP", "ExternalIP 203.0.113.7:80/TCP"],
  ],
  [
    "row 26: ipMode VIP is served, ipMode Proxy and a bare hostname are not",
    service(
      { type: "LoadBalancer" },
      ingress(
        { ip: "198.51.100.1", ipMode: "VIP" },
        { ip: "198.51.100.2", ipMode: "Proxy" },
        { hostname: "lb.example.org" },
      ),
    ),
    ["ClusterIP 10.96.0.10:80/TCP", "LoadBalancer 198.51.100.1:80/TCP"],
  ],
])("%s", (_claim, object, expected) => {
  expect(frontendLines(compile(object))).toEqual(expected);
});

test("row 8: the key names namespace, Service, port, protocol and family", () => {
  const [v4, six] = compile(service(v6));
  expect(v4?.key).toBe("default/web:http/TCP/IPv4");
  expect(six?.key).toBe("default/web:http/TCP/IPv6");
});

test.each([
  ["LoadBalancer", { externalTrafficPolicy: "Local", healthCheckNodePort: 30900 }, 30900],
  ["LoadBalancer", { externalTrafficPolicy: "Cluster", healthCheckNodePort: 30900 }, undefined],
  ["NodePort", { externalTrafficPolicy: "Local", healthCheckNodePort: 30900 }, undefined],
])("row 66: load balancers ask about a %s with %j at port %s", (type, spec, port) => {
  const [compiled] = compile(service({ type, ...spec }));
  expect(compiled?.healthCheckNodePort).toBe(port);
});

test.each([
  ["ClusterIP", {}, false],
  ["ClusterIP", { externalIPs: ["192.0.2.1"] }, true],
  ["NodePort", {}, true],
  ["LoadBalancer", {}, true],
])("row 5: externalTrafficPolicy Local of a %s with %j applies: %s", (type, spec, applies) => {
  const [compiled] = compile(service({ type, externalTrafficPolicy: "Local", ...spec }));
  expect(compiled?.externalLocal).toBe(applies);
});
