// SPDX-License-Identifier: Apache-2.0
// Where the agent's own HTTP servers listen: an address, with or without a port, as kube-proxy reads it.

import type { BindAddress } from "../health/route-server.ts";
import { parseIp } from "../model/ip.ts";
import { UsageError } from "./errors.ts";

/** `a.b.c.d`, `v6`, `a.b.c.d:port` or `[v6]:port`; undefined for anything else. */
export function readBindAddress(text: string, defaultPort: number): BindAddress | undefined {
  const alone = parseIp(text);
  if (alone !== undefined) return { host: alone, port: defaultPort };
  const [, v6, v4, digits] = /^(?:\[([^\]]*:[^\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = parseIp(v6 ?? v4 ?? "");
  const port = digits === undefined ? defaultPort : Number(digits);
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

/** undefined for "", which means off. setting: the flag, for the UsageError that is thrown for what is no address. */
export function parseBindAddress(setting: string, text: string, defaultPort: number): BindAddress | undefined {
  if (text === "") return undefined;
  const address = readBindAddress(text, defaultPort);
  if (address) return address;
  const examples = `0.0.0.0:${defaultPort}, [::1]:${defaultPort}, 192.0.2.7, or nothing to switch it off`;
  throw new UsageError(`${setting}: ${JSON.stringify(text)} is no IP address with a port or without: give ${examples}`);
}
