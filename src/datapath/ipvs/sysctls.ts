// SPDX-License-Identifier: Apache-2.0
// What IPVS needs of the kernel's settings (row 65).

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";

/** Below /proc/sys/net. conn_reuse_mode: since Linux 5.9 both do, before it 1 holds new connections up for a second. */
const WANTED: readonly (readonly [path: string, value: string])[] = [
  ["ipv4/vs/conntrack", "1"], // masquerade and filters know its connections
  ["ipv4/vs/expire_nodest_conn", "1"], // datagrams of an endpoint that is gone find another one
  ["ipv4/vs/expire_quiescent_template", "1"], // session affinity to an endpoint that drains ends
  ["ipv4/ip_forward", "1"],
];
/** The VIPs are on a device of the node, but its answer to ARP is not asked for. */
const STRICT_ARP: typeof WANTED = [
  ["ipv4/conf/all/arp_ignore", "1"],
  ["ipv4/conf/all/arp_announce", "2"],
];
const BEFORE_5_9 = ["ipv4/vs/conn_reuse_mode", "0"] as const;

/** What cannot be set is told: Services are served all the same (row 63). */
export function setSysctls(strictArp: boolean, warn: (message: string) => void): void {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  const old = major < 5 || (major === 5 && minor < 9);
  for (const [path, value] of [...WANTED, ...(old ? [BEFORE_5_9] : []), ...(strictArp ? STRICT_ARP : [])]) {
    const file = `/proc/sys/net/${path}`;
    try {
      if (existsSync(file) && readFileSync(file, "utf8").trim() === value) continue;
      writeFileSync(file, value);
    } catch (error) {
      warn(`${file} could not be set to ${value}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
