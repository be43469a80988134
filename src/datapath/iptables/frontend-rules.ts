// SPDX-License-Identifier: Apache-2.0
// A service port's rules in the chains that all Services share: what leads to it, and what is refused or dropped (rows 24 to 27,
// 31, 33, 44 and 47). Pure.

import type { Frontend } from "../../compile/state.ts";
import type { Way } from "../rules/traffic.ts";
import {
  externalChain,
  firewallChain,
  internalChain,
  isFiltered,
  ownFirewallChain,
  type Port,
  toFrontend,
} from "./port.ts";
import { printed, type Rule, reject, TO_NODE } from "./rule.ts";

/** With their tables, for two have the same name. */
export const SHARED_CHAINS = [
  "filter KUBE-SERVICES",
  "filter KUBE-EXTERNAL-SERVICES",
  "filter KUBE-PROXY-FIREWALL",
  "filter KUBE-NODEPORTS",
  "nat KUBE-SERVICES",
  "nat KUBE-NODEPORTS",
] as const;
export type SharedChain = (typeof SHARED_CHAINS)[number];

export function placeOf(name: SharedChain): { readonly table: "filter" | "nat"; readonly chain: string } {
  const [table, chain = ""] = name.split(" ");
  return { table: table === "nat" ? "nat" : "filter", chain };
}

/** In each chain the rules of this service port. */
export type SharedRules = ReadonlyMap<SharedChain, readonly string[]>;

const KIND_NAMES: Readonly<Record<Frontend["kind"], string>> = {
  ClusterIP: " cluster IP",
  ExternalIP: " external IP",
  LoadBalancer: " loadbalancer IP",
  NodePort: "",
};

export function sharedRules(port: Port): SharedRules {
  const rules = new Map<SharedChain, string[]>();
  const all = [...port.service.frontends.flatMap((frontend) => rulesOf(port, frontend)), ...healthChecked(port)];
  for (const [chain, rule] of all) {
    const before = rules.get(chain);
    if (before) before.push(printed(rule));
    else rules.set(chain, [printed(rule)]);
  }
  return rules;
}

/** With endpoints or without: that there are none is what is asked for. */
function healthChecked({ name, service }: Port): readonly (readonly [SharedChain, Rule])[] {
  const { healthCheckNodePort: port } = service;
  if (port === undefined) return [];
  const comment = `${name} health check node port`;
  return [["filter KUBE-NODEPORTS", { protocol: "tcp", port, comment, target: "-j ACCEPT" }]];
}

function rulesOf(port: Port, frontend: Frontend): readonly (readonly [SharedChain, Rule])[] {
  const isInternal = frontend.kind === "ClusterIP";
  const way = isInternal ? port.ways.internal : port.ways.outside;
  const served = isInternal ? way.members.length > 0 : port.servesExternally;
  const isNodePort = frontend.address === undefined;
  const at = toFrontend(port, frontend);
  const filtered = isFiltered(port, frontend);
  const rules: (readonly [SharedChain, Rule])[] = [];
  if (served) {
    const comment = `${port.name}${KIND_NAMES[frontend.kind]}`;
    const target = `-j ${filtered ? entryOfAdmitted(port, isInternal) : entry(port, isInternal)}`;
    rules.push([isNodePort ? "nat KUBE-NODEPORTS" : "nat KUBE-SERVICES", { ...at, comment, target }]);
  }
  const toNode = isNodePort ? { matches: [TO_NODE] } : {};
  if (way.members.length === 0) {
    const chain = isInternal ? "filter KUBE-SERVICES" : "filter KUBE-EXTERNAL-SERVICES";
    rules.push([chain, { ...at, ...toNode, ...refusal(port, way) }]);
  }
  if (filtered) {
    const comment = `${port.name} traffic not accepted by ${firewallChain(port)}`;
    // What was admitted has another destination by now; where nothing is served, nothing has.
    const target = `-j ${served ? "DROP" : ownFirewallChain(port)}`;
    rules.push(["filter KUBE-PROXY-FIREWALL", { ...at, ...toNode, comment, target }]);
  }
  return rules;
}

function entry(port: Port, isInternal: boolean): string {
  return isInternal ? internalChain(port) : externalChain(port);
}

function entryOfAdmitted(port: Port, isInternal: boolean): string {
  return isInternal ? ownFirewallChain(port) : firewallChain(port);
}

function refusal({ name, service }: Port, { otherwise }: Way): Rule {
  if (otherwise === "reject") return { comment: `${name} has no endpoints`, target: reject(service.family) };
  return { comment: `${name} has no local endpoints`, target: "-j DROP" };
}
