// SPDX-License-Identifier: Apache-2.0
// address:port as people write it: `10.0.0.1:80`, `[fd00::1]:80`.

import { type Ip, parseIp } from "../model/ip.ts";

export interface Endpoint {
  readonly address: Ip;
  /** 1..65535 */
  readonly port: number;
}

export function formatEndpoint(address: Ip, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Undefined when the text is no address:port. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const address = parseIp(match[1] ?? match[2] ?? "");
  const port = Number(match[3]);
  if (address === undefined || port < 1 || port > 65535) return undefined;
  return { address, port };
}
