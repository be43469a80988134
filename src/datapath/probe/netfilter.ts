// SPDX-License-Identifier: Apache-2.0
// Whether the drivers that write rules for netfilter could serve here: their commands are there, and command and kernel take
// the driver's rules for a few Services. Nothing is changed; but asking makes the kernel load the modules that rules are for.

import { existsSync, readFileSync } from "node:fs";
import type { Family } from "../../model/ip.ts";
import { type Capability, capabilityLack, missingCapabilities } from "../capabilities.ts";
import { answer, type Commands, type ModeAnswer, nodeCommands, notInstalled, refusal } from "./answer.ts";
import { iptablesRules, nftRules } from "./rules.ts";

/** Maps of verdicts by concatenations whose elements come and go, and numgen with an offset, are in order since then. */
const NFT_OLDEST = [1, 0, 1];

export interface NodeFacts {
  readonly missingCapabilities: readonly Capability[];
  /** Of the kernel. */
  readonly families: readonly Family[];
  /** The kernel has IPVS, asked anew each time. */
  hasIpvs(): boolean;
}

export function nodeFacts(): NodeFacts {
  return {
    missingCapabilities: missingCapabilities(readFileSync("/proc/self/status", "utf8"), ["CAP_NET_ADMIN"]),
    families: existsSync("/proc/net/if_inet6") ? [4, 6] : [4],
    hasIpvs: () => existsSync("/proc/net/ip_vs"),
  };
}

export async function probeNftables(
  facts: NodeFacts = nodeFacts(),
  commands: Commands = nodeCommands,
): Promise<ModeAnswer> {
  const nft = commands.find("nft");
  const version = nft === undefined ? undefined : versionIn(await commands.run(nft, ["--version"]));
  const able = capabilityLack(facts.missingCapabilities);
  const rules = able === undefined ? nftRules(facts.families) : undefined;
  const lacks = [able, await nftLack(nft, version, rules, commands)].filter((lack) => lack !== undefined);
  return answer("nftables", lacks, `nft ${version} and the kernel take the rules`, { nft, version });
}

async function nftLack(
  nft: string | undefined,
  version: string | undefined,
  rules: string | undefined,
  commands: Commands,
): Promise<string | undefined> {
  const oldest = NFT_OLDEST.join(".");
  if (nft === undefined) return notInstalled("nft", `nftables (${oldest} or newer)`);
  if (version === undefined || isOlder(version, NFT_OLDEST)) {
    return `${nft} is of version ${version ?? "unknown"}: install the package nftables in ${oldest} or newer`;
  }
  const said = rules === undefined ? undefined : await refusal(commands.run(nft, ["-c", "-f", "-"], rules));
  // It quotes the line too.
  return said && `nft ${version} and this kernel do not take the rules: ${/Error: ([^;]+)/.exec(said)?.[1] ?? said}`;
}

export async function probeIptables(
  facts: NodeFacts = nodeFacts(),
  commands: Commands = nodeCommands,
): Promise<ModeAnswer> {
  const able = capabilityLack(facts.missingCapabilities);
  const asked = await Promise.all(facts.families.map((family) => askVariants(family, able === undefined, commands)));
  const lacks = [able, ...new Set(asked.map(({ lack }) => lack))].filter((lack) => lack !== undefined);
  const used = asked.map(({ command }) => command).filter((command) => command !== undefined);
  return answer("iptables", lacks, `${used.join(" and ")} take the rules`, { commands: used });
}

interface Asked {
  /** What takes the rules. */
  readonly command?: string;
  /** Why none does. */
  readonly lack?: string;
}

/** The tables of old last: asking makes the kernel have them. */
async function askVariants(family: Family, mayAsk: boolean, commands: Commands): Promise<Asked> {
  const base = family === 4 ? "iptables" : "ip6tables";
  const found = [`${base}-nft-restore`, `${base}-restore`, `${base}-legacy-restore`]
    .map((name) => commands.find(name))
    .filter((path) => path !== undefined);
  if (found.length === 0) return { lack: notInstalled("iptables-restore", "iptables") };
  if (!mayAsk) return {};
  const refusals: string[] = [];
  for (const path of found) {
    const said = await refusal(commands.run(path, ["--test", "--noflush"], iptablesRules(family)));
    if (said === undefined) return { command: path };
    refusals.push(`${path} and this kernel do not take the rules: ${said}`);
  }
  return { lack: refusals.join("; ") };
}

/** Its packets are masqueraded and filtered by iptables and ipset. */
export async function probeIpvs(
  facts: NodeFacts = nodeFacts(),
  commands: Commands = nodeCommands,
): Promise<ModeAnswer> {
  const [ipvsadm, ipset] = [commands.find("ipvsadm"), commands.find("ipset")];
  const iptables = await probeIptables(facts, commands);
  const mayAsk = facts.missingCapabilities.length === 0;
  const lacks = [
    ...(iptables.usable ? [] : [iptables.reason]),
    ipset === undefined ? notInstalled("ipset", "ipset") : mayAsk ? await ipsetLack(ipset, commands) : undefined,
    ipvsadm === undefined ? notInstalled("ipvsadm", "ipvsadm") : undefined,
    mayAsk ? await ipvsLack(ipvsadm, facts, commands) : undefined,
  ].filter((lack) => lack !== undefined);
  const found = "the kernel has IPVS and sets, and iptables takes the rules";
  return answer("ipvs", lacks, found, { ...iptables.facts, ipvsadm, ipset });
}

async function ipsetLack(ipset: string, commands: Commands): Promise<string | undefined> {
  const said = await refusal(commands.run(ipset, ["list", "-name"]));
  return said && `the kernel has no sets of addresses (module ip_set): ${said}`;
}

/** The first command of ipvsadm makes the kernel load its module. */
async function ipvsLack(
  ipvsadm: string | undefined,
  facts: NodeFacts,
  commands: Commands,
): Promise<string | undefined> {
  if (facts.hasIpvs()) return undefined;
  const modprobe = commands.find("modprobe");
  const asked = ipvsadm !== undefined ? [ipvsadm, "-L", "-n"] : modprobe !== undefined ? [modprobe, "ip_vs"] : [];
  const [path, ...args] = asked;
  const said = path === undefined ? undefined : await refusal(commands.run(path, args));
  if (facts.hasIpvs()) return undefined;
  return `the kernel has no IPVS (module ip_vs)${said === undefined ? "" : `: ${said}`}`;
}

function versionIn(said: string): string | undefined {
  return /\bv(\d+\.\d+(?:\.\d+)?)/.exec(said)?.[1];
}

function isOlder(version: string, than: readonly number[]): boolean {
  const numbers = version.split(".").map(Number);
  const differing = than.findIndex((number, i) => (numbers[i] ?? 0) !== number);
  return differing !== -1 && (numbers[differing] ?? 0) < (than[differing] ?? 0);
}
