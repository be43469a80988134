// SPDX-License-Identifier: Apache-2.0
// A lab in which every ICMP error is sent, and every host can forget what it has learnt by one.
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { Host } from "../../src/demo/lab/plan.ts";

/** No host or router holds back an ICMP message because it sent one just now. */
export async function sayEverything(lab: Lab): Promise<void> {
  const settings = ["net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0"];
  await Promise.all(everyone(lab).map((host) => lab.sysctl(host, ...settings)));
}

/** Every host forgets the path MTUs that it has learnt. */
export async function forgetPaths(lab: Lab): Promise<void> {
  const both = (host: Host) => ["-4", "-6"].map((family) => lab.exec(host, ["ip", family, "route", "flush", "cache"]));
  await Promise.all(everyone(lab).flatMap(both));
}

/** What a host has learnt of the path to an address. */
export async function pathMtu(lab: Lab, host: Host, address: string): Promise<number | undefined> {
  const [, mtu] = /\bmtu (\d+)/.exec(await lab.exec(host, ["ip", "route", "get", address])) ?? [];
  return mtu === undefined ? undefined : Number(mtu);
}

function everyone(lab: Lab): readonly Host[] {
  return [lab.client, ...lab.nodes, ...lab.pods];
}
