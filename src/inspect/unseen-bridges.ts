// SPDX-License-Identifier: Apache-2.0
// Bridges of pods whose packets netfilter does not see, for br_netfilter is not there or off.

import { existsSync, readFileSync } from "node:fs";
import type { LinkInfo } from "../libbpf/types.ts";
import type { UnseenBridge } from "./doctor-rules.ts";

/** Each network namespace has its own. */
const SYSCTLS = ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] as const;

/** podDevices: names of devices with pods behind them. links: of the node. This process must be in its network namespace. */
export function unseenBridges(podDevices: readonly string[], links: readonly LinkInfo[]): readonly UnseenBridge[] {
  const masters = new Set(links.filter(({ name }) => podDevices.includes(name)).map(({ master }) => master));
  const bridges = links.filter(({ kind, ifindex }) => kind === "bridge" && masters.has(ifindex));
  return bridges.flatMap(({ name: bridge }) =>
    SYSCTLS.flatMap((name): readonly UnseenBridge[] => {
      const path = `/proc/sys/net/bridge/${name}`;
      const missing = !existsSync(path);
      if (!missing && readFileSync(path, "utf8").trim() !== "0") return [];
      return [{ bridge, sysctl: `net.bridge.${name}`, missing }];
    }),
  );
}
