// SPDX-License-Identifier: Apache-2.0
// How long netfilter remembers datagrams of which none came again.

import { existsSync, readFileSync } from "node:fs";

export interface DatagramTimes {
  /** One end alone has spoken. Milliseconds, as the other. */
  readonly unansweredMs: number;
  readonly streamMs: number;
}

/** Of this network namespace; where netfilter tracks nothing, what it would begin with. */
export function datagramTimes(): DatagramTimes {
  return {
    unansweredMs: setting("nf_conntrack_udp_timeout", 30),
    streamMs: setting("nf_conntrack_udp_timeout_stream", 120),
  };
}

function setting(name: string, initialSeconds: number): number {
  const path = `/proc/sys/net/netfilter/${name}`;
  return 1000 * (existsSync(path) ? Number(readFileSync(path, "utf8")) : initialSeconds);
}
