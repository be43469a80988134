// SPDX-License-Identifier: Apache-2.0
// The chains that choose an endpoint, and those of the endpoints themselves (rows 24, 39, 51 and 52). Pure.

import type { CompiledService, Member } from "../../compile/state.ts";
import type { Family } from "../../model/ip.ts";
import { endpointHash, endpointName, servicePortName } from "./names.ts";
import { alone, printed, type Rule, setMark } from "./rule.ts";

/**
 * What remembers which client has which endpoint: a set of ipset for each endpoint, or a list of xt_recent, which forgets
 * beyond 100 clients unless the module was loaded with another limit (row 53).
 */
export type AffinityStore = "ipset" | "recent";

export interface EndpointOptions {
  readonly store: AffinityStore;
  /** Large clusters do without: they are the larger part of what is written (row 76). */
  readonly comments: boolean;
  /** RuleSettings.forwardMark */
  readonly forwardMark: number;
}

/** One draw of xt_statistic. */
const DRAWS = 2 ** 31;

export function endpointChain(service: CompiledService, member: Member): string {
  return `KUBE-SEP-${endpointHash(service, member)}`;
}

/** Of ipset, where both families have sets side by side; names have 31 characters at most. */
export function affinitySet(service: CompiledService, member: Member): string {
  return `${setPrefix(service.family)}${endpointHash(service, member)}`;
}

export function setPrefix(family: Family): string {
  return `PORTOLAN-${family}-`;
}

/** Of the chain of a policy: each connection goes to one of the members; to a client's own, if it has one. */
export function choosing(
  service: CompiledService,
  members: readonly Member[],
  options: EndpointOptions,
): readonly string[] {
  const { store, comments, forwardMark } = options;
  const toward = (member: Member, matches: readonly string[]): Rule => ({
    ...(comments && { comment: `${servicePortName(service)} -> ${endpointName(member)}` }),
    matches,
    target: `-j ${endpointChain(service, member)}`,
  });
  const known = service.affinitySeconds === 0 ? [] : members;
  let left = members.reduce((sum, { weight }) => sum + weight, 0);
  return [
    { target: setMark(forwardMark) },
    ...known.map((member) => toward(member, [isKnown(service, member, store)])),
    ...members.map((member, index) => {
      const share = member.weight / left;
      left -= member.weight;
      return toward(member, index === members.length - 1 ? [] : [drawn(share)]);
    }),
  ].map(printed);
}

/** As iptables prints it: to kube-proxy's ten digits, then to what the kernel can draw. */
function drawn(share: number): string {
  const probability = Math.round(Number(share.toFixed(10)) * DRAWS) / DRAWS;
  return `-m statistic --mode random --probability ${probability.toFixed(11)}`;
}

function isKnown(service: CompiledService, member: Member, store: AffinityStore): string {
  if (store === "ipset") return `-m set --match-set ${affinitySet(service, member)} src`;
  return `-m recent --rcheck --seconds ${service.affinitySeconds} --reap ${list(service, member)}`;
}

function list(service: CompiledService, member: Member): string {
  const mask = service.family === 4 ? "255.255.255.255" : "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  return `--name ${endpointChain(service, member)} --mask ${mask} --rsource`;
}

/** Of the chain of one endpoint: who is sent to himself is masqueraded, clients are remembered, the rest is translation. */
export function reaching(
  service: CompiledService,
  member: Member,
  { store, comments }: EndpointOptions,
): readonly string[] {
  const comment = comments ? { comment: servicePortName(service) } : {};
  const { affinitySeconds } = service;
  const remembers = affinitySeconds > 0;
  const add = `-j SET --add-set ${affinitySet(service, member)} src --exist --timeout ${affinitySeconds}`;
  const protocol = service.protocol.toLowerCase();
  const translation: Rule = {
    protocol,
    ...comment,
    matches: [
      ...(remembers && store === "recent" ? [`-m recent --set ${list(service, member)}`] : []),
      `-m ${protocol}`,
    ],
    target: `-j DNAT --to-destination ${endpointName(member)}`,
  };
  const hairpin: Rule = { source: `-s ${alone(member.address)}`, ...comment, target: "-j KUBE-MARK-MASQ" };
  const memory: readonly Rule[] = remembers && store === "ipset" ? [{ ...comment, target: add }] : [];
  return [hairpin, ...memory, translation].map(printed);
}
