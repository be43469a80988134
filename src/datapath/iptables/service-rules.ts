// SPDX-License-Identifier: Apache-2.0
// What one service port of one family is in rules: names, forms and comments are kube-proxy's; a chain PORTOLAN-FW- is ours, for
// what kube-proxy does not do. Pure.

import type { CompiledService, Member, SourceRule } from "../../compile/state.ts";
import { isExternal } from "../rules/traffic.ts";
import { othersIn } from "./detector.ts";
import { affinitySet, choosing, endpointChain, reaching } from "./endpoint-rules.ts";
import { type SharedRules, sharedRules } from "./frontend-rules.ts";
import {
  externalChain,
  firewallChain,
  internalChain,
  isFiltered,
  ownFirewallChain,
  type Port,
  type PortOptions,
  policyChain,
  portOf,
  toFrontend,
} from "./port.ts";
import { FROM_NODE, fromRange, printed, type Rule } from "./rule.ts";

export const MARK_MASQ = "KUBE-MARK-MASQ";
/** Ours, where no single rule can tell who is no local pod: it marks them. */
export const MARK_OTHERS = "PORTOLAN-MARK-OTHERS";

/** Rules of chains, by the names of these. */
export type Chains = ReadonlyMap<string, readonly string[]>;

export interface ServiceRules {
  /** Chains of this service port alone. */
  readonly filter: Chains;
  readonly nat: Chains;
  readonly shared: SharedRules;
  /** Sets of ipset that the rules name. */
  readonly sets: readonly string[];
}

interface Policy {
  readonly chain: string;
  readonly members: readonly Member[];
}

export function serviceRules(service: CompiledService, options: PortOptions): ServiceRules {
  const port = portOf(service, options);
  const policies = policiesOf(port);
  const members = new Map(
    policies.flatMap((policy) => policy.members.map((one) => [endpointChain(service, one), one])),
  );
  const remembers = service.affinitySeconds > 0 && options.store === "ipset";
  const { filter, nat } = sourceChains(port);
  return {
    filter,
    nat: new Map([
      ...nat,
      ...(port.servesExternally ? [[externalChain(port), external(port)] as const] : []),
      ...policies.map((policy) => [policy.chain, chosen(port, policy)] as const),
      ...[...members].map(([chain, member]) => [chain, reaching(service, member, options)] as const),
    ]),
    shared: sharedRules(port),
    sets: remembers ? [...members.values()].map((member) => affinitySet(service, member)) : [],
  };
}

/** Those that some frontend leads to, and that have endpoints. */
function policiesOf(port: Port): readonly Policy[] {
  const { frontends, cluster, local, internalLocal, externalLocal } = port.service;
  const hasExternal = frontends.some(isExternal);
  return [
    ...(internalLocal && !hasExternal ? [] : [{ chain: policyChain(port, "cluster"), members: cluster }]),
    ...(internalLocal || (externalLocal && hasExternal) ? [{ chain: policyChain(port, "local"), members: local }] : []),
  ].filter(({ members }) => members.length > 0);
}

/** The ClusterIP leads straight to a policy's chain, which then masquerades whoever is no local pod (row 37). */
function chosen(port: Port, { chain, members }: Policy): readonly string[] {
  const frontends = port.service.frontends.filter(({ kind }) => kind === "ClusterIP" && chain === internalChain(port));
  const masqueraded = frontends.flatMap((frontend): readonly Rule[] => {
    const others = masqueradedOthers(port);
    return others ? [{ ...toFrontend(port, frontend), comment: `${port.name} cluster IP`, ...others }] : [];
  });
  return [...masqueraded.map(printed), ...choosing(port.service, members, port.options)];
}

function masqueradedOthers({ options: { detector, masqueradeAll } }: Port): Rule | undefined {
  if (masqueradeAll) return { target: `-j ${MARK_MASQ}` };
  if (!detector) return undefined;
  const others = othersIn(detector);
  return others ? { ...others, target: `-j ${MARK_MASQ}` } : { target: `-j ${MARK_OTHERS}` };
}

/** Of all other frontends (rows 34 to 36). */
function external(port: Port): readonly string[] {
  const { name, options, ways } = port;
  const destinations = `${name} external destinations`;
  const policy = (of: "cluster" | "local"): Rule => ({ target: `-j ${policyChain(port, of)}` });
  if (!ways.keepsSource) {
    const comment = `masquerade traffic for ${destinations}`;
    return [{ comment, target: `-j ${MARK_MASQ}` }, policy("cluster")].map(printed);
  }
  const toPods: Rule = { comment: `pod traffic for ${destinations}`, ...policy("cluster") };
  const host: readonly Rule[] = [
    { comment: `masquerade LOCAL traffic for ${destinations}`, matches: [FROM_NODE], target: `-j ${MARK_MASQ}` },
    { comment: `route LOCAL traffic for ${destinations}`, matches: [FROM_NODE], ...policy("cluster") },
  ];
  const isServed = ways.outside.members.length > 0;
  const { detector } = options;
  if (detector?.tells === "others") {
    const outside: Rule = isServed ? policy("local") : { target: "-j RETURN" };
    const devices = detector.by.filter(({ device }) => device !== undefined);
    return [...host, ...devices.map((other) => ({ ...other, ...outside })), toPods].map(printed);
  }
  const pods = (detector?.by ?? []).map((pod) => ({ ...pod, ...toPods }));
  return [...pods, ...host, ...(isServed ? [policy("local")] : [])].map(printed);
}

/** Whom source ranges let through, tried before any translation: so pods and the node too (row 44). */
function sourceChains(port: Port): { readonly filter: Chains; readonly nat: Chains } {
  const filter = new Map<string, readonly string[]>();
  const nat = new Map<string, readonly string[]>();
  const { service, servesExternally, ways, name } = port;
  for (const frontend of service.frontends.filter((one) => isFiltered(port, one))) {
    const isInternal = frontend.kind === "ClusterIP";
    const served = isInternal ? ways.internal.members.length > 0 : servesExternally;
    const rest = { comment: `other traffic to ${name} will be dropped by KUBE-PROXY-FIREWALL` };
    if (!served) filter.set(ownFirewallChain(port), admitting(port, "-j RETURN", "-j DROP", { target: "-j DROP" }));
    else if (isInternal)
      nat.set(ownFirewallChain(port), admitting(port, `-j ${internalChain(port)}`, "-j RETURN", rest));
    else nat.set(firewallChain(port), admitting(port, `-j ${externalChain(port)}`, "-j RETURN", rest));
  }
  return { filter, nat };
}

function admitting(port: Port, admitted: string, denied: string, rest: Rule): readonly string[] {
  const comment = `${port.name} loadbalancer IP`;
  const rules = [...(port.service.sources?.rules ?? [])].filter(hasClients);
  // Of ranges that hold a client the longest decides: it comes first.
  rules.sort((a, b) => b.range.prefixLength - a.range.prefixLength);
  const tried = rules.map(({ range, admit }) => ({
    source: fromRange(range),
    comment,
    target: admit ? admitted : denied,
  }));
  return [...tried, rest].map(printed);
}

/** No packet comes from the unspecified address: in rules the node's own processes are known by what they send from. */
function hasClients({ range }: SourceRule): boolean {
  return !["0.0.0.0/32", "::/128"].includes(`${range.address}/${range.prefixLength}`);
}
