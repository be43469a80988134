// SPDX-License-Identifier: Apache-2.0
// The variables by which a pod is told of Services: names and values as kubelet's, written out.

import { expect, test } from "vitest";
import type { FrontendState, ServiceState } from "../../../src/datapath/ebpf/state-types.ts";
import { pinnedServices } from "../../../src/inspect/pinned-services.ts";
import { contested, type NamedService, podEnv } from "../../../src/inspect/pod-env.ts";
import type { Ip } from "../../../src/model/ip.ts";
import type { Protocol } from "../../../src/model/service.ts";

function service(name: string, ip: string, ports: readonly string[], more: Partial<NamedService> = {}): NamedService {
  return {
    namespace: "shop",
    name,
    type: "ClusterIP",
    clusterIps: ip === "" ? [] : ip.split(",").map((one) => one as Ip),
    ports: ports.map((text) => {
      const [portName = "", port = "", protocol = "TCP"] = text.split("/");
      return { name: portName, port: Number(port), protocol: protocol as Protocol, nodePort: 0 };
    }),
    ...more,
  };
}

function variables(services: readonly NamedService[], links = true): Readonly<Record<string, string>> {
  return Object.fromEntries(podEnv(services, "shop", links).map(({ name, value }) => [name, value]));
}

const MASTER = service("kubernetes", "10.96.0.1", ["https/443"], { namespace: "default" });

test("host, first port, ports by name, and the forms of Docker's links", () => {
  expect(variables([service("web-shop", "10.96.0.80", ["http-alt/8080", "dns/53/UDP"])])).toEqual({
    WEB_SHOP_SERVICE_HOST: "10.96.0.80",
    WEB_SHOP_SERVICE_PORT: "8080",
    WEB_SHOP_SERVICE_PORT_HTTP_ALT: "8080",
    WEB_SHOP_SERVICE_PORT_DNS: "53",
    WEB_SHOP_PORT: "tcp://10.96.0.80:8080",
    WEB_SHOP_PORT_8080_TCP: "tcp://10.96.0.80:8080",
    WEB_SHOP_PORT_8080_TCP_PROTO: "tcp",
    WEB_SHOP_PORT_8080_TCP_PORT: "8080",
    WEB_SHOP_PORT_8080_TCP_ADDR: "10.96.0.80",
    WEB_SHOP_PORT_53_UDP: "udp://10.96.0.80:53",
    WEB_SHOP_PORT_53_UDP_PROTO: "udp",
    WEB_SHOP_PORT_53_UDP_PORT: "53",
    WEB_SHOP_PORT_53_UDP_ADDR: "10.96.0.80",
  });
});

test("the first address counts; IPv6 stands in brackets in URLs only; a port without a name has no variable of its own", () => {
  expect(variables([service("a", "fd00:10:96::5,10.96.0.5", ["/80"])])).toEqual({
    A_SERVICE_HOST: "fd00:10:96::5",
    A_SERVICE_PORT: "80",
    A_PORT: "tcp://[fd00:10:96::5]:80",
    A_PORT_80_TCP: "tcp://[fd00:10:96::5]:80",
    A_PORT_80_TCP_PROTO: "tcp",
    A_PORT_80_TCP_PORT: "80",
    A_PORT_80_TCP_ADDR: "fd00:10:96::5",
  });
});

test("headless Services, ExternalName and other namespaces have none", () => {
  const others = [
    service("headless", "", ["/80"], { headless: true } as Partial<NamedService>),
    service("outside", "10.96.0.7", ["/80"], { type: "ExternalName" }),
    service("far", "10.96.0.8", ["/80"], { namespace: "default" }),
  ];
  expect(variables(others)).toEqual({});
});

test("without service links only the master's are there; a Service of its name in the pod's namespace comes before it", () => {
  const own = service("kubernetes", "10.96.0.9", ["/80"]);
  expect(variables([MASTER, service("web", "10.96.0.80", ["/80"])], false)).toMatchObject({
    KUBERNETES_SERVICE_HOST: "10.96.0.1",
    KUBERNETES_SERVICE_PORT_HTTPS: "443",
    KUBERNETES_PORT_443_TCP_ADDR: "10.96.0.1",
  });
  expect(variables([MASTER, service("web", "10.96.0.80", ["/80"])], false)).not.toHaveProperty("WEB_SERVICE_HOST");
  for (const services of [
    [MASTER, own],
    [own, MASTER],
  ]) {
    expect(variables(services).KUBERNETES_SERVICE_HOST).toBe("10.96.0.9");
    expect(variables(services, false).KUBERNETES_SERVICE_HOST).toBe("10.96.0.1");
  }
});

test("rows are in order of their names and say whose they are; a name that two Services set is found", () => {
  const rows = podEnv(
    [service("foo-service", "10.96.0.2", ["/81"]), service("foo", "10.96.0.1", ["/80"])],
    "shop",
    true,
  );
  expect(rows.filter(({ name }) => name.startsWith("FOO_SERVICE_PORT")).slice(0, 3)).toEqual([
    { name: "FOO_SERVICE_PORT", value: "80", service: "shop/foo" },
    { name: "FOO_SERVICE_PORT", value: "tcp://10.96.0.2:81", service: "shop/foo-service" },
    { name: "FOO_SERVICE_PORT_81_TCP", value: "tcp://10.96.0.2:81", service: "shop/foo-service" },
  ]);
  expect(contested(rows)).toEqual(["FOO_SERVICE_PORT"]);
});

/** A service port as the pinned maps have it. */
function pinned(name: string, portName: string, family: 4 | 6, port: number, address: string): ServiceState {
  const clusterIp = { kind: "ClusterIP", address, port } as FrontendState;
  const nodePort = { kind: "NodePort", address: "0.0.0.0", port: 30_000 + port } as unknown as FrontendState;
  const of = { namespace: "shop", name, portName, protocol: "TCP", family, type: "NodePort" } as const;
  return { ...of, frontends: [nodePort, clusterIp] } as unknown as ServiceState;
}

test("of the pinned maps: one port and one family are certain; else the lowest comes first, and that is said", () => {
  const { services, gaps } = pinnedServices([
    pinned("one", "", 4, 80, "10.96.0.1"),
    pinned("two", "https", 6, 443, "fd00::2"),
    pinned("two", "https", 4, 443, "10.96.0.2"),
    pinned("two", "http", 4, 80, "10.96.0.2"),
    pinned("two", "http", 6, 80, "fd00::2"),
  ]);
  expect(services).toEqual([
    {
      ...{ namespace: "shop", name: "one", type: "NodePort", clusterIps: ["10.96.0.1"] },
      ports: [{ name: "", protocol: "TCP", port: 80, nodePort: 0 }],
    },
    {
      ...{ namespace: "shop", name: "two", type: "NodePort", clusterIps: ["10.96.0.2", "fd00::2"] },
      ports: [
        { name: "http", protocol: "TCP", port: 80, nodePort: 0 },
        { name: "https", protocol: "TCP", port: 443, nodePort: 0 },
      ],
    },
  ]);
  expect(gaps[1]).toBe("which port or family comes first the pinned maps do not say, so the lowest does: shop/two");
  expect(pinnedServices([pinned("one", "", 4, 80, "10.96.0.1")]).gaps).toHaveLength(1);
});
