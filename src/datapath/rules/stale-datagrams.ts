// SPDX-License-Identifier: Apache-2.0
// Makes netfilter forget UDP flows to endpoints that serve no more (rows 57 to 60): their datagrams then meet the rules anew.
// TCP and SCTP are left alone (row 61), but for what was asked of a VIP before it was one.

import type { CompiledService } from "../../compile/state.ts";
import { type Family, type Ip, parseIp } from "../../model/ip.ts";
import { findCommand, NetfilterError, runCommand } from "../netfilter/command.ts";

/** One flow or several, by what a client asked for and who is to answer. */
export interface TrackedDatagrams {
  readonly destination: Ip;
  readonly port: number;
  /** The endpoint; the destination itself where nothing was translated. */
  readonly answerer: Ip;
  readonly answererPort: number;
}

const FAMILIES: readonly Family[] = [4, 6];

/** services: UDP ones. local: this node's addresses that serve NodePorts. Rejects with NetfilterError. */
export async function forgetStaleDatagrams(
  services: readonly CompiledService[],
  local: ReadonlySet<Ip>,
): Promise<void> {
  for (const family of FAMILIES) {
    const ofFamily = services.filter((service) => service.family === family);
    if (ofFamily.length === 0) continue;
    const listed = await conntrack(["-L", "-p", "udp", "-f", `ipv${family}`]);
    for (const stale of staleDatagrams(ofFamily, local, trackedDatagrams(listed))) {
      const asked = ["--orig-dst", stale.destination, "--orig-port-dst", String(stale.port)];
      const answered = ["--reply-src", stale.answerer, "--reply-port-src", String(stale.answererPort)];
      await forget(["-D", "-p", "udp", "-f", `ipv${family}`, ...asked, ...answered]);
    }
  }
}

/**
 * A client that asked a VIP before its rules were there goes on asking with the same segment, which netfilter remembers as
 * untranslated for two minutes: it forgets that. services: whose frontends are new. Rejects with NetfilterError.
 */
export async function forgetUntranslated(services: readonly CompiledService[], local: ReadonlySet<Ip>): Promise<void> {
  for (const family of FAMILIES) {
    const ofFamily = services.filter((service) => service.family === family && service.protocol === "TCP");
    if (ofFamily.length === 0) continue;
    const asking = ["-p", "tcp", "--state", "SYN_SENT", "-f", `ipv${family}`];
    const tracked = trackedDatagrams(await conntrack(["-L", ...asking]));
    const untranslated = tracked.filter(({ destination, answerer }) => destination === answerer);
    for (const { destination, port } of staleDatagrams(ofFamily, local, untranslated)) {
      await forget([
        "-D",
        ...asking,
        "--orig-dst",
        destination,
        "--orig-port-dst",
        String(port),
        "--reply-src",
        destination,
      ]);
    }
  }
}

/** listed: the output of `conntrack -L` of one protocol; each combination once. */
export function trackedDatagrams(listed: string): readonly TrackedDatagrams[] {
  const found = new Map<string, TrackedDatagrams>();
  for (const line of listed.split("\n")) {
    const [asked, answered] = [...line.matchAll(/src=(\S+) dst=(\S+) sport=\d+ dport=(\d+)/g)];
    const source = /\bsport=(\d+) dport=\d+(?!.*sport=)/.exec(line)?.[1];
    const [destination, answerer] = [parseIp(asked?.[2] ?? ""), parseIp(answered?.[1] ?? "")];
    if (!destination || !answerer || source === undefined) continue;
    const port = Number(asked?.[3]);
    const key = [destination, port, answerer, source].join(" ");
    found.set(key, { destination, port, answerer, answererPort: Number(source) });
  }
  return [...found.values()];
}

/**
 * Those to a frontend of these services that are answered by none of its endpoints that serve, whatever policy and topology say
 * to new ones. A NodePort is one at this node's addresses only (row 60).
 */
export function staleDatagrams(
  services: readonly CompiledService[],
  local: ReadonlySet<Ip>,
  tracked: readonly TrackedDatagrams[],
): readonly TrackedDatagrams[] {
  const serving = new Map<string, ReadonlySet<string>>();
  for (const { frontends, cluster, local: near, serving: others } of services) {
    const endpoints = new Set([...cluster, ...near, ...others].map(({ address, port }) => `${address} ${port}`));
    for (const { address, port } of frontends) serving.set(`${address ?? "node"} ${port}`, endpoints);
  }
  return tracked.filter(({ destination, port, answerer, answererPort }) => {
    const endpoints =
      serving.get(`${destination} ${port}`) ?? (local.has(destination) ? serving.get(`node ${port}`) : undefined);
    return endpoints !== undefined && !endpoints.has(`${answerer} ${answererPort}`);
  });
}

async function conntrack(args: readonly string[]): Promise<string> {
  const command = findCommand("conntrack");
  if (command !== undefined) return await runCommand(command, args);
  throw new NetfilterError(
    "conntrack is not installed (package conntrack): UDP flows stay with endpoints that are gone",
  );
}

/** One that has ended by itself meanwhile is no failure: conntrack then exits with 1 and says that it deleted none. */
async function forget(args: readonly string[]): Promise<void> {
  try {
    await conntrack(args);
  } catch (error) {
    if (!(error instanceof NetfilterError && /\b0 flow entries have been deleted/.test(error.message))) throw error;
  }
}
