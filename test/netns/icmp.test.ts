// SPDX-License-Identifier: Apache-2.0
// Clause E7 of the rule of the edge, ICMP errors: what routers and hosts say about a packet of a translated connection
// reaches the end that it concerns, with the addresses that this end knows. Narrow links lie behind the node, on the
// backend's side and on the client's.
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import { useCluster } from "../support/cluster.ts";
import { compileProgram } from "../support/compile.ts";
import { type ServiceSpec, serviceAddresses } from "../support/manifests.ts";
import { forgetPaths, sayEverything } from "../support/path-mtu.ts";
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

/** Nodes that answer TTL 1, 2, ...; the backend answers the next. */
const HOPS = [
  { from: "p1a", service: "routed", frontend: "clusterIP", hops: ["n1"] },
  { from: "p1a", service: "remote", frontend: "clusterIP", hops: ["n1", "n2"] },
  { from: "p1a", service: "remote", frontend: "nodePort", hops: ["n1", "n2"] },
  { from: "client", service: "routed", frontend: "nodePort", hops: ["n1"] },
  { from: "client", service: "remote", frontend: "nodePort", hops: ["n1", "n2"] },
  { from: "client", service: "remote", frontend: "loadBalancer", hops: ["n1", "n2"] },
] as const;

function wayOf(from: string, service: string, frontend: Path["frontend"]): Path {
  const found = PATHS.find((way) => way.from === from && way.service === service && way.frontend === frontend);
  if (found === undefined) throw new Error(`no path from ${from} to ${service} by ${frontend}`);
  return found;
}

const DEAF = ["deaf-routed", "deaf-bridged", "deaf-remote"].flatMap((service) => [
  { from: "p1a", service, frontend: "clusterIP" as const },
  { from: "b1a", service, frontend: "clusterIP" as const },
  { from: "client", service, frontend: "nodePort" as const },
]);

function deafTarget(lab: Lab, way: (typeof DEAF)[number], family: Family): { address: string; port: number } {
  const spec = deafServices(lab).find(({ name }) => name === way.service);
  if (spec?.nodePort === undefined) throw new Error(`no Service ${way.service} with a NodePort`);
  if (way.frontend === "nodePort") return { address: lab.node("n1").address[family], port: spec.nodePort };
  return { address: serviceAddresses(spec.number).clusterIP[family], port: 80 };
}

/** Endpoints where nobody listens. */
function deafServices(lab: Lab): readonly ServiceSpec[] {
  const deaf = (name: string) => [{ address: lab.pod(name).address, nodeName: lab.pod(name).nodeName, port: 7777 }];
  return [
    { name: "deaf-routed", number: 20, nodePort: 30020, endpoints: deaf("p1b") },
    { name: "deaf-bridged", number: 21, nodePort: 30021, endpoints: deaf("b1b") },
    { name: "deaf-remote", number: 22, nodePort: 30022, endpoints: deaf("p2a") },
  ];
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

describe.each(surroundings)("row 49: ICMP errors, firewall $firewall, br_netfilter $brNetfilter", (surrounding) => {
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

  describe("a link of MTU 1300 before the client", () => {
    /** n1 sends to the client and to its own pods, n2 to the pods of n1. */
    const narrowBack = async (mtu: string) => {
      const { lab } = cluster();
      const { client } = lab;
      await narrow(lab, "p1a", mtu);
      await narrow(lab, "b1a", mtu);
      const change = mtu === "" ? "del" : "replace";
      await lab.ip(
        lab.node("n1"),
        `route ${change} ${client.address.v4}/32 dev eth0${mtu}`,
        `route ${change} ${client.address.v6}/128 dev eth0${mtu}`,
      );
    };
    beforeAll(async () => {
      await narrowBack(` mtu ${MTU}`);
      return () => narrowBack("");
    });

    describe.each(families)("%s", (family) => {
      test.each(ways)("$from to $service by $frontend: TCP carries 2 MB each way", async (way) => {
        await carries(way, family);
      });

      test.each(ways)("$from to $service by $frontend: the backend cuts its datagrams to 1300", async (way) => {
        const client = await cluster().wire(hostOf(cluster().lab, way.from));
        const asked = { ...pathTarget(cluster().lab, way, family), payload: "PAD 1400 ", timeoutMs: 500 };
        // lost, but its sender is told
        await client.udp({ ...asked, count: 1 });
        expect(await client.udp({ ...asked, count: 2 })).toMatchObject({ answered: 2, failures: {} });
      });
    });
  });

  describe.each(families)("%s", (family) => {
    test.each(HOPS)("traceroute from $from to $service by $frontend shows $hops", async ({ hops, ...asked }) => {
      const way = wayOf(asked.from, asked.service, asked.frontend);
      for (const [index, hop] of hops.entries()) {
        const told = await probe(way, family, 100, index + 1);
        expect(told).toMatch(
          family === "v4" ? /^error EHOSTUNREACH type 11 code 0 / : /^error EHOSTUNREACH type 3 code 0 /,
        );
        const { address, bridgeAddress } = cluster().lab.node(hop);
        const own = [address[family], bridgeAddress[family].replace(/\/.*/, "")]; // it answers from whichever it likes
        expect(own.map((from) => ` from ${from} mtu 0\n`)).toContain(told.slice(told.indexOf(" from")));
      }
      expect(await probe(way, family, 100, hops.length + 1)).toBe("reply 300\n");
    });

    test.each(DEAF)("$from hears at once that nobody listens behind the $service, from the $frontend", async (way) => {
      const { lab } = cluster();
      const target = deafTarget(lab, way, family);
      const client = await cluster().wire(hostOf(lab, way.from));
      const asked = { ...target, connected: true, count: 3 };
      expect(await client.udp(asked)).toMatchObject({ answered: 0, failures: { ECONNREFUSED: 3 } });
      const argv = [program, target.address, String(target.port), "100"];
      expect(await lab.exec(hostOf(lab, way.from), argv)).toMatch(
        `error ECONNREFUSED type ${family === "v4" ? "3 code 3" : "1 code 4"} from ${target.address} mtu 0\n`,
      );
    });
  });
});
