// SPDX-License-Identifier: Apache-2.0
// Changes over time: what is in a delta, who owns a frontend that two Services name, and what is warned about.

import { describe, expect, test } from "vitest";
import { Compiler } from "../../../src/compile/compiler.ts";
import type { Ip } from "../../../src/model/ip.ts";
import { appear, changes, endpoint, frontendLines, memberLines, service, slice } from "./manifest.ts";

const nothing = { upsert: [], remove: [] };

describe("a ClusterIP on an interface of this node", () => {
  const dual = service({ clusterIPs: ["10.96.0.10", "fd00:96::a"], externalIPs: ["192.0.2.1"], type: "NodePort" });
  const addresses = (...ips: readonly string[]) => new Set(ips) as ReadonlySet<string> as ReadonlySet<Ip>;

  test("is marked as such, and no other frontend of its Service", () => {
    const compiler = new Compiler("here");
    expect(compiler.setLocalAddresses(addresses("10.96.0.10", "192.0.2.1"))).toBe(false);
    const { upsert } = compiler.update(appear(dual)).delta;
    expect(upsert.map(({ frontends }) => frontends)).toEqual([
      [
        { kind: "ClusterIP", address: "10.96.0.10", port: 80, onNode: true },
        { kind: "ExternalIP", address: "192.0.2.1", port: 80 },
      ],
      [{ kind: "ClusterIP", address: "fd00:96::a", port: 80 }],
    ]);
  });

  test("is followed as the address comes and goes; other addresses are no change", () => {
    const compiler = new Compiler("here");
    compiler.update(appear(dual, service({ clusterIP: "10.96.0.11" }, { metadata: { name: "api" } })));
    expect(compiler.setLocalAddresses(addresses("10.244.0.1"))).toBe(false);
    expect(compiler.update(changes([])).delta).toEqual(nothing);
    expect(compiler.setLocalAddresses(addresses("10.244.0.1", "fd00:96::a"))).toBe(true);
    const frontend = { kind: "ClusterIP", address: "fd00:96::a", port: 80 };
    const taken = compiler.update(changes([])).delta.upsert;
    expect(taken.map(({ key, frontends }) => [key, frontends])).toEqual([
      ["default/web:http/TCP/IPv6", [{ ...frontend, onNode: true }]],
    ]);
    expect(compiler.setLocalAddresses(addresses("10.244.0.1"))).toBe(true);
    expect(compiler.update(changes([])).delta.upsert.map(({ frontends }) => frontends)).toEqual([[frontend]]);
  });
});

describe("row 46: ClusterIPs of Services that are not served here", () => {
  test("are told with every change of them, and with no other", () => {
    const compiler = new Compiler("here");
    const labels = { "service.kubernetes.io/service-proxy-name": "x" };
    const ours = service({ clusterIP: "10.96.0.20" }, { metadata: { name: "theirs" } });
    const theirs = service({ clusterIP: "10.96.0.20" }, { metadata: { name: "theirs", labels } });
    const told = (given: ReturnType<typeof changes>) => compiler.update(given).delta.foreign;
    expect(told(appear(theirs, service()))).toEqual(new Set(["10.96.0.20"]));
    expect(told(appear(slice([endpoint("10.244.1.1")])))).toBeUndefined();
    expect(told(changes([[theirs, ours]]))).toEqual(new Set());
    expect(told(changes([[ours, theirs]]))).toEqual(new Set(["10.96.0.20"]));
    expect(told(changes([[theirs, undefined]]))).toEqual(new Set());
  });

  test("row 26: so are the addresses that a load balancer answers itself, of a Service that is served otherwise", () => {
    const compiler = new Compiler("here");
    const at = (...entries: readonly object[]) =>
      service({ type: "LoadBalancer" }, { status: { loadBalancer: { ingress: entries } } });
    const [vip, proxied] = [{ ip: "198.51.100.1" }, { ip: "10.96.60.7", ipMode: "Proxy" }];
    const told = (given: ReturnType<typeof changes>) => compiler.update(given).delta.foreign;
    expect(told(appear(at(vip, proxied, { hostname: "lb.example.org", ipMode: "Proxy" })))).toEqual(
      new Set(["10.96.60.7"]),
    );
    expect(told(changes([[at(vip, proxied), at(vip)]]))).toEqual(new Set());
  });
});

describe("deltas", () => {
  test("a Service that goes is removed by key", () => {
    const compiler = new Compiler("here");
    compiler.update(appear(service()));
    const { delta } = compiler.update(changes([[service(), undefined]]));
    expect(delta).toEqual({ upsert: [], remove: ["default/web:http/TCP/IPv4"] });
  });

  test("endpoints that came before their Service are there when it comes", () => {
    const compiler = new Compiler("here");
    expect(compiler.update(appear(slice([endpoint("10.244.1.1")]))).delta).toEqual(nothing);
    const { delta } = compiler.update(appear(service()));
    expect(delta.upsert.map((one) => memberLines(one.cluster))).toEqual([["10.244.1.1:8080"]]);
  });

  test("a change that does not matter to traffic is an empty delta", () => {
    const compiler = new Compiler("here");
    compiler.update(appear(service(), slice([endpoint("10.244.1.1"), endpoint("10.244.1.2")])));
    const before = slice([endpoint("10.244.1.1"), endpoint("10.244.1.2")]);
    const after = slice([endpoint("10.244.1.2"), endpoint("10.244.1.1")]);
    expect(compiler.update(changes([[before, after]])).delta).toEqual(nothing);
  });

  test("a slice that moves to another Service changes both", () => {
    const compiler = new Compiler("here");
    const api = service({ clusterIP: "10.96.0.11" }, { metadata: { name: "api" } });
    const before = slice([endpoint("10.244.1.1")]);
    const after = { ...before, metadata: { name: "web-1", labels: { "kubernetes.io/service-name": "api" } } };
    compiler.update(appear(service(), api, before));
    const { delta } = compiler.update(changes([[before, after]]));
    expect(delta.upsert.map((one) => [one.name, memberLines(one.cluster)])).toEqual([
      ["web", []],
      ["api", ["10.244.1.1:8080"]],
    ]);
  });

  test("row 1: another proxy's label set at runtime removes the Service, and taken off brings it back", () => {
    const compiler = new Compiler("here");
    const foreign = service(
      {},
      { metadata: { name: "web", labels: { "service.kubernetes.io/service-proxy-name": "x" } } },
    );
    compiler.update(appear(service()));
    expect(compiler.update(changes([[service(), foreign]])).delta.remove).toEqual(["default/web:http/TCP/IPv4"]);
    expect(compiler.update(changes([[foreign, service()]])).delta.upsert.map((one) => one.key)).toEqual([
      "default/web:http/TCP/IPv4",
    ]);
  });

  test("row 2: a slice labelled headless at runtime makes its Service go dark, and taken off brings it back", () => {
    const compiler = new Compiler("here");
    const plain = slice([endpoint("10.244.1.1")]);
    const labels = { "kubernetes.io/service-name": "web", "service.kubernetes.io/headless": "" };
    const headless = { ...plain, metadata: { name: "web-1", labels } };
    compiler.update(appear(service(), plain));
    const dark = compiler.update(changes([[plain, headless]])).delta;
    expect(dark.upsert.map((one) => [memberLines(one.cluster), one.hasAnyEndpoints])).toEqual([[[], false]]);
    const back = compiler.update(changes([[headless, plain]])).delta;
    expect(back.upsert.map((one) => memberLines(one.cluster))).toEqual([["10.244.1.1:8080"]]);
  });

  test("a port that is renamed is one removed and one new", () => {
    const compiler = new Compiler("here");
    compiler.update(appear(service()));
    const renamed = service({ ports: [{ name: "www", port: 80 }] });
    const { delta, warnings } = compiler.update(changes([[service(), renamed]]));
    expect(delta.remove).toEqual(["default/web:http/TCP/IPv4"]);
    expect(frontendLines(delta.upsert)).toEqual(["ClusterIP 10.96.0.10:80/TCP"]);
    expect(warnings).toEqual([]);
  });
});

describe("a frontend that two Services name", () => {
  const at = (name: string, creationTimestamp?: string) => ({ metadata: { name, creationTimestamp } });
  const taking = (clusterIP: string, name: string, created?: string) =>
    service({ clusterIP, externalIPs: ["192.0.2.1"] }, at(name, created));
  const young = taking("10.96.0.1", "a-young", "2026-02-01T00:00:00Z");
  const old = taking("10.96.0.2", "b-old", "2026-01-01T00:00:00Z");
  const undated = taking("10.96.0.3", "c-undated");

  test.each([
    ["the younger comes second", [old, young]],
    ["the younger comes first", [young, old]],
  ])("belongs to the oldest Service, when %s", (_order, objects) => {
    const compiler = new Compiler("here");
    const told = new Map<string, readonly string[]>();
    for (const object of objects) {
      for (const one of compiler.update(appear(object)).delta.upsert) told.set(one.name, frontendLines([one]));
    }
    expect(told.get("b-old")).toEqual(["ClusterIP 10.96.0.2:80/TCP", "ExternalIP 192.0.2.1:80/TCP"]);
    expect(told.get("a-young")).toEqual(["ClusterIP 10.96.0.1:80/TCP"]);
  });

  test("is warned about once, naming both Services and the address", () => {
    const compiler = new Compiler("here");
    const { warnings } = compiler.update(appear(young, old));
    expect(warnings).toEqual([
      {
        namespace: "default",
        name: "a-young",
        message:
          "Service default/a-young: ExternalIP 192.0.2.1:80/TCP already belongs to Service default/b-old, the oldest to name it, and is not served for this one: take it out of one of the two",
      },
    ]);
    expect(compiler.update(appear(slice([endpoint("10.244.1.1")]))).warnings).toEqual([]);
  });

  test("goes to the next oldest when its owner goes, in one delta", () => {
    const compiler = new Compiler("here");
    compiler.update(appear(young, old, undated));
    const { delta, warnings } = compiler.update(changes([[old, undefined]]));
    expect(delta.remove).toEqual(["default/b-old:http/TCP/IPv4"]);
    expect(frontendLines(delta.upsert)).toEqual(["ClusterIP 10.96.0.1:80/TCP", "ExternalIP 192.0.2.1:80/TCP"]);
    expect(warnings.map(({ name }) => name)).toEqual(["c-undated"]);
  });

  test("moves with both Services in the delta", () => {
    const compiler = new Compiler("here");
    compiler.update(appear(young));
    const { delta } = compiler.update(appear(old));
    expect(delta.upsert.map((one) => [one.name, frontendLines([one])])).toEqual([
      ["a-young", ["ClusterIP 10.96.0.1:80/TCP"]],
      ["b-old", ["ClusterIP 10.96.0.2:80/TCP", "ExternalIP 192.0.2.1:80/TCP"]],
    ]);
  });

  test("belongs to the first by namespace and name when the ages are equal or unknown", () => {
    const compiler = new Compiler("here");
    const other = service({ clusterIP: "10.96.0.4", externalIPs: ["192.0.2.1"] }, at("d"));
    const inNamespace = service(
      { clusterIP: "10.96.0.5", externalIPs: ["192.0.2.1"] },
      { metadata: { name: "z", namespace: "a" } },
    );
    const { delta } = compiler.update(appear(other, undated, inNamespace));
    const owner = delta.upsert.find((one) => one.frontends.some(({ kind }) => kind === "ExternalIP"));
    expect(owner?.key).toBe("a/z:http/TCP/IPv4");
  });

  test("may be a node port, but not of another protocol or family", () => {
    const compiler = new Compiler("here");
    const ports = (protocol: string) => [{ name: "p", port: 80, nodePort: 30080, protocol }];
    const first = service({ ports: ports("TCP") }, at("a"));
    const clash = service({ clusterIP: "10.96.0.2", ports: ports("TCP") }, at("b"));
    const udp = service({ clusterIP: "10.96.0.3", ports: ports("UDP") }, at("c"));
    const v6 = service({ clusterIP: "fd00::1", ports: ports("TCP") }, at("d"));
    const { delta, warnings } = compiler.update(appear(first, clash, udp, v6));
    expect(delta.upsert.map((one) => [one.name, one.frontends.length])).toEqual([
      ["a", 2],
      ["b", 1],
      ["c", 2],
      ["d", 2],
    ]);
    expect(warnings.map(({ message }) => message)).toEqual([
      "Service default/b: NodePort 30080/TCP (IPv4) already belongs to Service default/a, the oldest to name it, and is not served for this one: take it out of one of the two",
    ]);
  });
});

describe("the annotation portolan.dev/scheduler", () => {
  const scheduled = (value?: string) =>
    service(
      {},
      { metadata: { name: "web", annotations: value === undefined ? {} : { "portolan.dev/scheduler": value } } },
    );

  test.each([
    [undefined, "default"],
    ["random", "random"],
    ["mh", "mh"],
    ["fastest", "default"],
  ])("%j makes the scheduler %s", (value, scheduler) => {
    const { delta } = new Compiler("here").update(appear(scheduled(value)));
    expect(delta.upsert.map((one) => one.scheduler)).toEqual([scheduler]);
  });

  test("warns of a value it does not know, naming Service and value, once", () => {
    const compiler = new Compiler("here");
    expect(compiler.update(appear(scheduled("fastest"))).warnings).toEqual([
      {
        namespace: "default",
        name: "web",
        message:
          'Service default/web: annotation portolan.dev/scheduler: "fastest" is not known, the default is used: set random or mh',
      },
    ]);
    const more = service({ externalIPs: ["192.0.2.1"] }, { metadata: scheduled("fastest").metadata });
    expect(compiler.update(changes([[scheduled("fastest"), more]])).warnings).toEqual([]);
  });
});
