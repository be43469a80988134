// SPDX-License-Identifier: Apache-2.0
// --vip-ping: addresses of Services answer ping(8), to pods and to clients outside; what is not a Service's does not.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { until } from "../support/until.ts";

const families = ["v4", "v6"] as const;
const served = serviceAddresses(1);
const nobodys = serviceAddresses(2);

const cluster = useCluster({
  firewall: "realistic",
  agentFlags: ["--vip-ping"],
  services: (lab) => [
    { name: "web", number: 1, nodePort: 30_001, external: true, endpoints: [{ address: lab.pod("p1b").address }] },
  ],
});

/** `3 received`: what ping says of three requests, or `0 received` after a second. */
async function ping(from: string, address: string, size = 56): Promise<string> {
  const line = `ping -n -i 0.05 -c 3 -w 1 -s ${size} ${address} || true`;
  const said = await cluster().lab.exec(hostOf(cluster().lab, from), ["sh", "-c", line]);
  return /(\d+ received)(, \+\d+ errors)?/.exec(said)?.[0] ?? said;
}

describe.each(families)("ping over %s", (family) => {
  const largest = family === "v4" ? 1472 : 1452;
  const questions = (["p1a", "b1a", "client"] as const).flatMap((from) =>
    (["clusterIP", "externalIP", "loadBalancer"] as const).map((frontend) => ({ from, frontend })),
  );

  test.each(questions)("$from gets answers from a $frontend, of every size that fits", async ({ from, frontend }) => {
    for (const size of [56, 0, 1, largest]) {
      await until(
        `${size} bytes are answered`,
        async () => (await ping(from, served[frontend][family], size)) === "3 received",
      );
    }
  });

  test("a Service's neighbour, which nobody has, does not answer", async () => {
    for (const frontend of ["clusterIP", "externalIP", "loadBalancer"] as const) {
      expect(await ping("p1a", nobodys[frontend][family])).toMatch(/^0 received/);
    }
  });

  test("the node answers for itself", async () => {
    const node = cluster().lab.node("n1");
    await until("the node answers", async () => (await ping("client", node.address[family])) === "3 received");
    await cluster().lab.sysctl(node, "net.ipv4.icmp_echo_ignore_all=1", "net.ipv6.icmp.echo_ignore_all=1");
    expect(await ping("client", node.address[family])).toMatch(/^0 received/);
    expect(await ping("client", served.clusterIP[family])).toBe("3 received");
    await cluster().lab.sysctl(node, "net.ipv4.icmp_echo_ignore_all=0", "net.ipv6.icmp.echo_ignore_all=0");
  });
});

test("while a manifest cannot be read, what is served answers all the same", async () => {
  const { lab, manifests } = cluster();
  const broken = join(manifests, "broken.json");
  const refused = async () => {
    const { failures } = await (await cluster().wire(lab.pod("p1a"))).tcp({
      address: served.clusterIP.v4,
      port: 81,
      count: 1,
      timeoutMs: 400,
    });
    return failures.ECONNREFUSED === 1;
  };
  await until("another port is refused", refused);
  writeFileSync(broken, "{ broken");
  await until("no port is refused", async () => !(await refused()));
  for (const family of families) {
    await until(`${family} is answered`, async () => (await ping("p1a", served.clusterIP[family])) === "3 received");
  }
  rmSync(broken);
  await until("another port is refused again", refused);
});
