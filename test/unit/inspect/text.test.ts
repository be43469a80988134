// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { explainedText } from "../../../src/cli/inspect-explain.ts";
import { statusText } from "../../../src/cli/inspect-status.ts";
import type { Status } from "../../../src/inspect/status.ts";

const STATUS: Status = {
  mode: "ebpf",
  reasons: ["the best of all, and the kernel has all that the programs call"],
  node: "n1",
  synced: true,
  lastSync: "2026-11-21T14:11:40.588Z",
  agent: {
    running: true,
    pid: 4711,
    version: "0.1.0",
    started: "2026-11-21T14:11:40.402Z",
    settings: { source: "manifests in /etc/portolan", cgroupRoot: null, lacks: [] },
  },
  masqueradeAll: false,
  problems: 0,
  detectLocalMode: "ClusterCIDR",
  services: 3,
  endpoints: 4,
  sockets: ["connect4", "connect6"],
  unbalancedPods: [],
  devices: [
    { device: "eth0", ifindex: 2, roles: ["uplink"], hooks: ["ingress", "egress"] },
    { device: "veth1", ifindex: 5, roles: ["pod", "bridge_port"], hooks: [] },
  ],
  maps: [{ map: "flows", used: 512, size: 2048, evicts: false }],
  drops: 6,
  pins: "/sys/fs/bpf/portolan/v1",
};

test("status of a node that is served", () => {
  expect(statusText(STATUS)).toBe(`Mode:       ebpf
Why:        the best of all, and the kernel has all that the programs call
Node:       n1
Agent:      running as process 4711, version 0.1.0, started 2026-11-21T14:11:40.402Z
Source:     manifests in /etc/portolan
Cgroups:    all, from the cgroup2 mount
State:      in the kernel, last change 2026-11-21T14:11:40.588Z
Services:   3 service ports, 4 endpoints
Pods:       told by detectLocalMode ClusterCIDR
Sockets:    connect4 connect6
Drops:      6 (portolan drops says why)
Pins:       /sys/fs/bpf/portolan/v1

DEVICE   ROLES             HOOKS
eth0     uplink            ingress,egress
veth1    pod,bridge_port   -
`);
});

test("objects with problems are counted, when there are any", () => {
  expect(statusText(STATUS)).not.toContain("Problems");
  expect(statusText({ ...STATUS, problems: 3 })).toContain(
    "Problems:   3 objects of which something cannot be used (the agent's log says what)\n",
  );
});

test("status names each pod whose sockets are not balanced", () => {
  const unbalancedPods = [
    { pod: "default/mesh", by: "cgroup" },
    { pod: "default/vm", by: "netns" },
  ];
  expect(
    statusText({ ...STATUS, unbalancedPods })
      .split("\n")
      .slice(10, 12),
  ).toEqual([
    "Wire:       default/mesh, told by its cgroup: its sockets are not balanced",
    "            default/vm, told by its netns: its sockets are not balanced",
  ]);
});

test("status of a node whose agent has stopped", () => {
  const agent = { running: false, pid: 4711, version: "0.1.0", started: "2026-11-21T14:11:40.402Z", settings: null };
  expect(statusText({ ...STATUS, agent }).split("\n")[3]).toBe(
    "Agent:      stopped (version 0.1.0, started 2026-11-21T14:11:40.402Z); the datapath works on without it",
  );
});

test("status says what is missing: the agent, the first state, the hooks", () => {
  const status: Status = {
    ...STATUS,
    node: null,
    synced: false,
    lastSync: null,
    agent: null,
    detectLocalMode: null,
    sockets: [],
    devices: [],
  };
  expect(statusText(status)).toBe(`Mode:       ebpf
Why:        the best of all, and the kernel has all that the programs call
Node:       unknown
Agent:      never started here
State:      not yet in the kernel
Services:   3 service ports, 4 endpoints
Sockets:    no hook attached
Drops:      6 (portolan drops says why)
Pins:       /sys/fs/bpf/portolan/v1

DEVICE   ROLES   HOOKS
`);
});

test("status --verbose adds how full the maps are and what the kernel can do", () => {
  const loaded = { supported: true, reason: "loaded" };
  const features = {
    tcx: { supported: false, reason: "EINVAL: kernel before 6.6" },
    cgroupSockAddr: loaded,
    setRetval: loaded,
    mmapableArrays: loaded,
    conntrackLookup: loaded,
    csumIpv6Flag: loaded,
    sockDestroy: loaded,
    sockDiagDestroy: loaded,
    btf: loaded,
  };
  expect(statusText(STATUS, features).split("\n\n").slice(2).join("\n\n")).toBe(`MAP     FILL
flows   512/2048 (25.0%)

KERNEL            SUPPORTED   WHY
tcx               no          EINVAL: kernel before 6.6
cgroupSockAddr    yes         loaded
setRetval         yes         loaded
mmapableArrays    yes         loaded
conntrackLookup   yes         loaded
csumIpv6Flag      yes         loaded
sockDestroy       yes         loaded
sockDiagDestroy   yes         loaded
btf               yes         loaded
`);
});

test("explain for people: the answer, then the reason clause by clause, then the map entries", () => {
  const answer = {
    verdict: "dnat",
    endpoints: ["10.180.0.1:80", "10.180.0.2:80"],
    chosen: "10.180.0.2:80",
    masquerade: true,
    service: "ns1/svc1:http",
    reason: "a client from outside, by eth0; 172.30.0.41:80/TCP is a ClusterIP of ns1/svc1:http",
  } as const;
  const entries = ["frontends 172.30.0.41:80/TCP -> service 3", "backends 5 -> 10.180.0.2:80"];
  expect(explainedText({ answer, entries })).toBe(`Verdict:      dnat
Service:      ns1/svc1:http
Chosen:       10.180.0.2:80
Endpoints:    10.180.0.1:80 10.180.0.2:80
Masquerade:   yes
Because:      a client from outside, by eth0
              172.30.0.41:80/TCP is a ClusterIP of ns1/svc1:http
Entries:      frontends 172.30.0.41:80/TCP -> service 3
              backends 5 -> 10.180.0.2:80
`);
});
