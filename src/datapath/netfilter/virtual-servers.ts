// SPDX-License-Identifier: Apache-2.0
// Virtual servers of IPVS in this network namespace, and the connections that they carry, as the kernel lists them.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type Ip, ipFromBytes } from "../../model/ip.ts";
import type { Protocol } from "../../model/service.ts";
import { findCommand, NetfilterError, runCommand } from "./command.ts";

export interface VirtualServer {
  readonly protocol: Protocol;
  readonly address: Ip;
  /** 1..65535 */
  readonly port: number;
}

/** What tells it from others: "10.96.0.1 443/TCP". */
export function serverName({ protocol, address, port }: VirtualServer): string {
  return `${address} ${port}/${protocol}`;
}

/** None too where the kernel has no IPVS, or has not loaded it. */
export async function readVirtualServers(): Promise<readonly VirtualServer[]> {
  return parseVirtualServers(await readIpVs());
}

/** The kernel's list of virtual servers and of real ones below them; "" where it has no IPVS. */
export async function readIpVs(): Promise<string> {
  return await readIfThere("/proc/net/ip_vs");
}

/** How many connections each virtual server carries, by serverName(), be they open or about to be forgotten. */
export async function readCarried(): Promise<ReadonlyMap<string, number>> {
  return countCarried(await readIfThere("/proc/net/ip_vs_conn"));
}

/** Takes virtual servers away, and with them what they carry. Rejects with NetfilterError. */
export async function deleteVirtualServers(servers: readonly VirtualServer[]): Promise<void> {
  if (servers.length === 0) return;
  const lines = servers.map(
    ({ protocol, address, port }) => `-D --${protocol.toLowerCase()}-service ${at(address, port)}`,
  );
  await ipvsadm(["-R"], `${lines.join("\n")}\n`);
}

/** What `ipvsadm` with these arguments prints. Rejects with NetfilterError. */
export async function ipvsadm(args: readonly string[], input?: string): Promise<string> {
  const command = findCommand("ipvsadm");
  if (command === undefined) throw new NetfilterError("ipvsadm is not installed: install the package ipvsadm");
  return await runCommand(command, args, input);
}

/** As ipvsadm has it: "10.96.0.1:443", "[fd00::1]:443". */
export function at(address: Ip, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

async function readIfThere(path: string): Promise<string> {
  return existsSync(path) ? await readFile(path, "utf8") : "";
}

/** procNetIpVs: "TCP  0A600001:01BB rr", "TCP  [fd00:0010:0096:0000:0000:0000:0000:0001]:01BB rr" */
export function parseVirtualServers(procNetIpVs: string): readonly VirtualServer[] {
  const server = /^(TCP|UDP|SCTP)\s+(?:([0-9A-F]{8})|\[([0-9a-f:]+)\]):([0-9A-F]{4}) /gm;
  return [...procNetIpVs.matchAll(server)].map(([, protocol, v4, v6 = "", port = ""]) =>
    parsePlace(protocol, v4 ?? v6, port),
  );
}

/** procNetIpVsConn: lines of protocol, client's address and port, virtual server's, real server's, state; in hexadecimal. */
export function countCarried(procNetIpVsConn: string): ReadonlyMap<string, number> {
  const carried = new Map<string, number>();
  const connection = /^(TCP|UDP|SCTP)\s+\S+ ([0-9A-F]{4}) ([0-9A-Fa-f:]+) ([0-9A-F]{4}) /gm;
  for (const [, protocol, clientPort, address = "", port = ""] of procNetIpVsConn.matchAll(connection)) {
    // A template: where a client's next connection is to go for session affinity. It carries nothing, and stays for hours.
    if (clientPort === "0000") continue;
    const name = serverName(parsePlace(protocol, address, port));
    carried.set(name, (carried.get(name) ?? 0) + 1);
  }
  return carried;
}

/** address: hexadecimal, with or without colons and brackets; port likewise */
export function parsePlace(protocol: string | undefined, address: string, port: string): VirtualServer {
  return {
    protocol: protocol as Protocol,
    address: ipFromBytes(Buffer.from(address.replaceAll(/[:[\]]/g, ""), "hex")),
    port: Number.parseInt(port, 16),
  };
}
