// SPDX-License-Identifier: Apache-2.0
// Clause E7 of the rule of the edge, ICMP errors: what routers and hosts say about a packet of a translated connection
// reaches the end that it concerns, with the addresses that this end knows. Narrow links lie behind the node, on the
// backend's side and on the client's.
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { Host } from "../../src/demo/lab/plan.ts";
import { useCluster } from "../support/cluster.ts";
import { compileProgram } from "../support/compile.ts";
import type { ServiceSpec } from "../support/manifests.ts";
import { hostOf, PATHS, type Path, pathServices, pathTarget, servePaths } from "../support/paths.ts";

const MTU = 1300;
const BYTES = 2_000_000;
const families = ["v4", "v6"] as const;
type Family = (typeof families)[number];

/** Paths with a router between client and backend. */
const ROUTED = [
  "p1a routed clusterIP",
  "b1a routed clusterIP",
  "p1a remote clusterIP",
  "b1a remote clusterIP",
  "p1a remote nodePort",
  "client routed nodePort",
  "client bridged nodePort",
  "client remote nodePort",
  "client routed clusterIP",
];
const ways = PATHS.filter(({ from, service, frontend }) => ROUTED.includes(`${from} ${service} ${frontend}`));

/** Endpoints where nobody listens. */
function deafServices(lab: Lab): readonly ServiceSpec[] {
  const deaf = (name: string) => [{ address: lab.pod(name).address, nodeName: lab.pod(name).nodeName, port: 7777 }];
  return [
    { name: "deaf-routed", number: 20, nodePort: 30020, endpoints: deaf("p1b") },
    { name: "deaf-bridged", number: 21, nodePort: 30021, endpoints: deaf("b1b") },
    { name: "deaf-remote", number: 22, nodePort: 30022, endpoints: deaf("p2a") },
  ];
}

/** No host or router holds back an ICMP message because it sent one just now. */
async function sayEverything(lab: Lab): Promise<void> {
  const hosts: readonly Host[] = [lab.client, ...lab.nodes, ...lab.pods];
  for (const host of hosts) await lab.sysctl(host, "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0");
}

/** Every host forgets the path MTUs that it has learnt. */
async function forgetPaths(lab: Lab): Promise<void> {
  for (const host of [lab.client, ...lab.nodes, ...lab.pods]) {
    for (const family of ["-4", "-6"]) await lab.exec(host, ["ip", family, "route", "flush", "cache"]);
  }
}

/** Routes to where backends are: on their own nodes, so that only these know of the narrow link. */
function narrow(lab: Lab, pod: string, mtu: string): Promise<void> {
  const host = lab.pod(pod);
  const device = host.attachment === "routed" ? host.hostDevice : "cni0";
  return lab.ip(
    lab.node(host.nodeName),
    `route replace ${host.address.v4}/32 dev ${device}${mtu}`,
    `route replace ${host.address.v6}/128 dev ${device}${mtu}`,
  );
}

const surroundings = [
  { firewall: "none", brNetfilter: 0 },
  { firewall: "realistic", brNetfilter: 1 },
] as const;

describe.each(surroundings)("ICMP errors, firewall $firewall, br_netfilter $brNetfilter", (surrounding) => {
  const cluster = useCluster({ ...surrounding, services: (lab) => [...pathServices(lab), ...deafServices(lab)] });
  let program: string;
  beforeAll(async () => {
    const { lab } = cluster();
    await servePaths(lab);
    await sayEverything(lab);
    program = compileProgram("probe", lab.plan.directory);
  });
  beforeEach(() => forgetPaths(cluster().lab));

  function probe(way: Path, family: Family, bytes: number, ttl = 64): Promise<string> {
    const { address, port } = pathTarget(cluster().lab, way, family);
    return cluster().lab.exec(hostOf(cluster().lab, way.from), [
      program,
      address,
      String(port),
      String(bytes),
      String(ttl),
    ]);
  }

  async function carries(way: Path, family: Family): Promise<void> {
    const client = await cluster().wire(hostOf(cluster().lab, way.from));
    const target = { ...pathTarget(cluster().lab, way, family), bytes: BYTES, timeoutMs: 10_000 };
    expect(await client.upload(target)).toMatchObject({ bytes: BYTES });
    expect(await client.download(target)).toMatchObject({ bytes: BYTES });
  }

  describe("a link of MTU 1300 before the backend", () => {
    const pods = ["p1b", "b1b", "p2a"];
    beforeAll(async () => {
      for (const pod of pods) await narrow(cluster().lab, pod, ` mtu ${MTU}`);
      return async () => {
        for (const pod of pods) await narrow(cluster().lab, pod, "");
      };
    });

    describe.each(families)("%s", (family) => {
      test.each(ways)("$from to $service by $frontend: TCP carries 2 MB each way", async (way) => {
        await carries(way, family);
      });

      test.each(ways)("$from to $service by $frontend: UDP with DF is told 1300", async (way) => {
        expect(await probe(way, family, 1400)).toMatch(/^error EMSGSIZE .* mtu 1300$/m);
        expect(await probe(way, family, 1200)).toBe("reply 300\n");
      });
    });
  });
});
