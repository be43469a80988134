// SPDX-License-Identifier: Apache-2.0
// What one service port is in the terms of IPVS: virtual servers, addresses of the device, members of sets.
import { describe, expect, test } from "vitest";
import { savedMember, shareOf } from "../../../src/datapath/ipvs/share.ts";
import type { Surroundings } from "../../../src/datapath/rules/writer.ts";
import { cidr, ip, member, service } from "../../support/compiled.ts";

const node = (address: string, more: object = {}) => ({
  address: ip(address),
  loopback: false,
  nodePort: true,
  ...more,
});
const AROUND: Surroundings = {
  nodeAddresses: [
    node("192.168.50.1"),
    node("172.17.0.1", { nodePort: false }),
    node("127.0.0.1", { loopback: true }),
    node("fd00:50::1"),
    node("fe80::1"),
  ],
  serviceRanges: [],
  localClients: { by: "source", ranges: [] },
  foreign: new Set(),
  partial: false,
};
const here = member("10.9.1.10", 8080);
const there = member("10.9.2.10", 8080, { local: false, weight: 3 });
const web = { name: "web", at: "10.96.0.10", port: 80, cluster: [here, there] } as const;

const shown = (options: Parameters<typeof service>[0], scheduler = "rr") => {
  const { servers, vips, members } = shareOf(service(options), AROUND, scheduler);
  return {
    servers: Object.fromEntries([...servers].map(([name, { reals }]) => [name, Object.fromEntries(reals)])),
    vips: [...vips],
    members: [...members],
  };
};

test("row 24: a ClusterIP is a virtual server with all endpoints, and the device holds it", () => {
  expect(shown(web)).toEqual({
    servers: { "10.96.0.10 80/TCP": { "10.9.1.10:8080": 1, "10.9.2.10:8080": 3 } },
    vips: ["10.96.0.10"],
    members: [
      "KUBE-CLUSTER-IP 10.96.0.10,tcp:80",
      "KUBE-IPVS-IPS 10.96.0.10",
      "KUBE-LOOP-BACK 10.9.1.10,tcp:8080,10.9.1.10",
    ],
  });
});

test("rows 27 and 48: NodePorts are served on every address that may, and need no device; of SCTP each is a member", () => {
  expect(shown({ name: "np", at: undefined, port: 30_080, cluster: [there] })).toEqual({
    servers: { "192.168.50.1 30080/TCP": { "10.9.2.10:8080": 3 } },
    vips: [],
    members: ["KUBE-NODE-PORT-TCP 30080"],
  });
  expect(shown({ name: "np", at: undefined, port: 30_081, protocol: "SCTP", family: 6 }).members).toEqual([
    "KUBE-6-NODE-PORT-SCTP-HASH fd00:50::1,sctp:30081",
  ]);
});

test("an externalIP that the node has is served there and not put on the device", () => {
  const { servers, vips, members } = shown({ name: "ext", at: "192.168.50.1", port: 80, kind: "ExternalIP" });
  expect([Object.keys(servers), vips, members]).toEqual([
    ["192.168.50.1 80/TCP"],
    [],
    ["KUBE-EXTERNAL-IP 192.168.50.1,tcp:80"],
  ]);
});

test("rows 52 and 86: session affinity is persistence, the scheduler the configuration's unless a Service asks for mh", () => {
  const [server] = shareOf(service({ ...web, affinitySeconds: 300 }), AROUND, "lc").servers.values();
  expect(server).toMatchObject({ persistentSeconds: 300, scheduler: "lc" });
  const [mh] = shareOf(service({ ...web, scheduler: "mh" }), AROUND, "lc").servers.values();
  expect(mh).toMatchObject({ scheduler: "mh" });
});

describe("policy Local", () => {
  const local = { ...web, kind: "LoadBalancer", externalLocal: true, at: "198.51.100.10" } as const;

  test("row 34: outsiders and, unlike the other modes, everybody go to endpoints here, unmasqueraded", () => {
    const { servers, members } = shown({ ...local, local: [here] });
    expect(servers).toEqual({ "198.51.100.10 80/TCP": { "10.9.1.10:8080": 1 } });
    expect(members.slice(0, 2)).toEqual([
      "KUBE-LOAD-BALANCER 198.51.100.10,tcp:80",
      "KUBE-LOAD-BALANCER-LOCAL 198.51.100.10,tcp:80",
    ]);
  });

  test("row 33: with none here, pods and the node reach the others, who comes from outside is dropped", () => {
    const { servers, members } = shown({ ...local, cluster: [there], local: [] });
    expect(servers).toEqual({ "198.51.100.10 80/TCP": { "10.9.2.10:8080": 3 } });
    expect(members).toContain("PORTOLAN-DROP-OUTSIDE 198.51.100.10,tcp:80");
  });

  test("row 33: a ClusterIP with none here has no endpoint and drops; with none anywhere it refuses", () => {
    const internal = shown({ ...web, internalLocal: true, cluster: [there], local: [] });
    expect(internal.servers).toEqual({ "10.96.0.10 80/TCP": {} });
    expect(internal.members).toContain("PORTOLAN-DROP 10.96.0.10,tcp:80");
    expect(shown({ ...web, internalLocal: true, cluster: [] }).members.join()).not.toContain("DROP");
  });
});

test("rows 44 and 45: source ranges are members, what is denied in them too, a range of everything in halves", () => {
  const rule = (range: string, admit: boolean) => ({ range: cidr(range), admit });
  const at = { ...web, kind: "LoadBalancer", at: "198.51.100.10", cluster: [] } as const;
  const filtered = (...rules: readonly ReturnType<typeof rule>[]) =>
    shown({ ...at, sources: { kinds: ["LoadBalancer"], rules } }).members.filter((one) => /FW|SOURCE|DROP/.test(one));
  expect(filtered(rule("0.0.0.0/0", true), rule("192.0.2.0/24", false), rule("0.0.0.0/32", false))).toEqual([
    "KUBE-LOAD-BALANCER-FW 198.51.100.10,tcp:80",
    "KUBE-LOAD-BALANCER-SOURCE-CIDR 198.51.100.10,tcp:80,0.0.0.0/1",
    "KUBE-LOAD-BALANCER-SOURCE-CIDR 198.51.100.10,tcp:80,128.0.0.0/1",
    "KUBE-LOAD-BALANCER-SOURCE-CIDR 198.51.100.10,tcp:80,192.0.2.0/24 nomatch",
    "PORTOLAN-DROP-NODE 198.51.100.10,tcp:80",
  ]);
  expect(filtered(rule("192.0.2.7/32", true), rule("0.0.0.0/32", true))).toEqual([
    "KUBE-LOAD-BALANCER-FW 198.51.100.10,tcp:80",
    "KUBE-LOAD-BALANCER-SOURCE-CIDR 198.51.100.10,tcp:80,192.0.2.7",
  ]);
});

test("row 47: the port of health checks is let in, endpoints or not", () => {
  const port = "KUBE-HEALTH-CHECK-NODE-PORT 30900";
  expect(shown({ ...web, healthCheckNodePort: 30_900 }).members).toContain(port);
  expect(shown({ ...web, cluster: [], healthCheckNodePort: 30_900 }).members).toContain(port);
  expect(shown(web).members.join()).not.toContain("HEALTH");
});

test("members are read back as they were written", () => {
  expect(savedMember("add KUBE-6-LOOP-BACK fd00:0:0:1::A,tcp:80,fd00:0:0:1::a")).toBe(
    "KUBE-6-LOOP-BACK fd00:0:0:1::a,tcp:80,fd00:0:0:1::a",
  );
  expect(savedMember("add KUBE-LOAD-BALANCER-SOURCE-CIDR 198.51.100.10,tcp:80,192.0.2.0/24 nomatch")).toBe(
    "KUBE-LOAD-BALANCER-SOURCE-CIDR 198.51.100.10,tcp:80,192.0.2.0/24 nomatch",
  );
  expect(savedMember("add KUBE-NODE-PORT-TCP 30080")).toBe("KUBE-NODE-PORT-TCP 30080");
  expect(savedMember("create KUBE-NODE-PORT-TCP bitmap:port range 0-65535")).toBeUndefined();
});
