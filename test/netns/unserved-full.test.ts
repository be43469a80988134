// SPDX-License-Identifier: Apache-2.0
// A Service that there is no room for in the maps is perhaps another proxy's to serve: nothing of it is refused, and no
// address counts as nobody's, until there is room (behaviour row 46).
import { beforeAll, expect, test } from "vitest";
import { inNetns, run } from "../../src/demo/lab/run.ts";
import { useCluster } from "../support/cluster.ts";
import { removeService, type ServiceSpec, serviceAddresses, writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";

/** Of --max-services, less id 0, two families of each: after these there is room for one of the last one's two. */
const FIRST = [1, 2, 3, 4, 5, 6, 7];
const LAST = 8;
const specOf = (number: number): ServiceSpec => {
  const endpoints = [{ address: cluster().lab.pod("p1b").address, nodeName: "n1" }];
  return { name: `web-${number}`, number, protocols: ["TCP"], endpoints };
};

const cluster = useCluster({
  firewall: "realistic",
  nodes: [{ name: "n1", routedPods: ["p1a", "p1b", "p1c"] }],
  agentFlags: ["--max-services", "16", "--service-cidr", "10.96.0.0/16,fd00:10:96::/64"],
});

beforeAll(async () => {
  const { lab } = cluster();
  await Promise.all(["p1b", "p1c"].map((name) => lab.serve(lab.pod(name))));
  for (const number of FIRST) await cluster().write(specOf(number));
});

test("row 46: where there is no room another proxy serves on, and once there is it is ours to refuse", async () => {
  const { lab, manifests } = cluster();
  const [last, nobodys] = [serviceAddresses(LAST).clusterIP.v6, serviceAddresses(200).clusterIP.v6];
  const client = await cluster().wire(lab.pod("p1a"));
  const places = [
    { address: last, port: 80 },
    { address: last, port: 81 },
    { address: nobodys, port: 80 },
  ];
  const rules = places.map(({ address, port }) => {
    return `ip6 daddr ${address} tcp dport ${port} dnat to [${lab.pod("p1c").address.v6}]:8080`;
  });
  const chain = `chain prerouting { type nat hook prerouting priority -110;\n${rules.join("\n")}\n}`;
  await run(inNetns(lab.node("n1").netns, ["nft", "-f", "-"]), `table ip6 another {\n${chain}\n}\n`);
  /** Who answers at each place, or why nobody does. */
  const said = async () => {
    const told = places.map((place) => client.tcp({ ...place, count: 1, timeoutMs: 2000 }));
    return (await Promise.all(told)).map(({ pods, failures }) => Object.keys({ ...pods, ...failures }).join());
  };

  expect(await said()).toEqual(["TIMEOUT", "TIMEOUT", "TIMEOUT"]); // no Service has them
  writeService(manifests, specOf(LAST));
  await until("the other proxy is let through", async () => (await said()).join() === "p1c,p1c,p1c");
  removeService(manifests, "web-1");
  await until("there is room", async () => (await said()).join() === "p1b,ECONNREFUSED,TIMEOUT");
});
