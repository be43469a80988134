// SPDX-License-Identifier: Apache-2.0
// The rules that are there whatever Services there are: how packets come to the chains of Services, what is masqueraded and
// forwarded, and where NodePorts are served (rows 27 to 29 and 40 to 43). Pure.

import { type Family, familyOf } from "../../model/ip.ts";
import type { TableName } from "../netfilter/iptables.ts";
import { CANARY, CANARY_RULE } from "../netfilter/own-chains.ts";
import type { RuleSettings, Surroundings } from "../rules/writer.ts";
import { detectorOf, othersIn, othersTo } from "./detector.ts";
import { alone, hex, printed, type Rule, setMark, TO_NODE } from "./rule.ts";
import { type Chains, MARK_MASQ, MARK_OTHERS } from "./service-rules.ts";

/** A rule in a chain that is not ours. */
export interface GuestRule {
  readonly table: TableName;
  readonly chain: string;
  readonly rule: string;
}

export interface BaseRules {
  readonly chains: Readonly<Record<TableName, Chains>>;
  /** Behind those of Services in nat KUBE-SERVICES. */
  readonly nodePorts: readonly string[];
  /** What leads to our chains; each stands first where it is put. */
  readonly jumps: readonly GuestRule[];
  /** In the kubelet's chain KUBE-FIREWALL, which has the same; made where the kubelet has not. */
  readonly martians: GuestRule | undefined;
}

export interface BaseOptions extends Pick<RuleSettings, "masqueradeAll" | "masqueradeMark" | "localhostNodePorts"> {
  /** nf_conntrack_tcp_be_liberal: little is invalid then, and nothing is dropped for it (row 43). */
  readonly liberal: boolean;
}

const NEW = "-m conntrack --ctstate NEW";
const ELSEWHERE = "-m addrtype ! --dst-type LOCAL";
const EXTERNAL = "kubernetes externally-visible service portals";
const FIREWALL = "kubernetes load balancer firewall";
const PORTALS = "kubernetes service portals";
/** Not kube-proxy's: there what the node sends to an address without endpoints leaves the node (row 31). */
export const OWN_JUMP: GuestRule = jump("filter", "OUTPUT", "KUBE-EXTERNAL-SERVICES", EXTERNAL, NEW, ELSEWHERE);
/** Each is put before those above it. */
const JUMPS: readonly GuestRule[] = [
  jump("filter", "INPUT", "KUBE-EXTERNAL-SERVICES", EXTERNAL, NEW),
  jump("filter", "FORWARD", "KUBE-EXTERNAL-SERVICES", EXTERNAL, NEW),
  OWN_JUMP,
  jump("filter", "INPUT", "KUBE-NODEPORTS", "kubernetes health check service ports"),
  jump("filter", "FORWARD", "KUBE-SERVICES", PORTALS, NEW),
  jump("filter", "OUTPUT", "KUBE-SERVICES", PORTALS, NEW),
  jump("filter", "FORWARD", "KUBE-FORWARD", "kubernetes forwarding rules"),
  jump("filter", "INPUT", "KUBE-PROXY-FIREWALL", FIREWALL, NEW),
  jump("filter", "OUTPUT", "KUBE-PROXY-FIREWALL", FIREWALL, NEW),
  jump("filter", "FORWARD", "KUBE-PROXY-FIREWALL", FIREWALL, NEW),
  jump("nat", "OUTPUT", "KUBE-SERVICES", PORTALS),
  jump("nat", "PREROUTING", "KUBE-SERVICES", PORTALS),
  jump("nat", "POSTROUTING", "KUBE-POSTROUTING", "kubernetes postrouting rules"),
];

/** In kube-proxy's order: what it is for, then the comment. */
function jump(table: TableName, chain: string, to: string, comment: string, ...matches: readonly string[]): GuestRule {
  return { table, chain, rule: [...matches, printed({ comment, target: `-j ${to}` })].join(" ") };
}

const LOOPBACK: Readonly<Record<Family, string>> = { 4: "127.0.0.0/8", 6: "::1/128" };

export function baseRules(family: Family, surroundings: Surroundings, options: BaseOptions): BaseRules {
  const localhost = servesLocalhost(family, surroundings, options);
  const canary: readonly (readonly [string, readonly string[]])[] = [[CANARY, [CANARY_RULE]]];
  return {
    chains: {
      filter: new Map([["KUBE-FORWARD", forward(options)], ...canary]),
      nat: new Map([...masquerading(family, surroundings, options), ...canary]),
      mangle: new Map(canary),
    },
    nodePorts: nodePorts(family, surroundings, localhost),
    jumps: JUMPS,
    martians: localhost ? { table: "filter", chain: "KUBE-FIREWALL", rule: printed(martian()) } : undefined,
  };
}

/** At 127.0.0.1, which the kernel lets leave the node by route_localnet; for IPv6 it has no such thing. */
export function servesLocalhost(
  family: Family,
  { nodeAddresses }: Surroundings,
  { localhostNodePorts }: Pick<RuleSettings, "localhostNodePorts">,
): boolean {
  return (
    family === 4 && localhostNodePorts && ofFamily(family, nodeAddresses).some((one) => one.loopback && one.nodePort)
  );
}

/** Else neighbours could reach what listens on the node's loopback addresses alone (CVE-2020-8558). */
function martian(): Rule {
  return {
    source: `! -s ${LOOPBACK[4]}`,
    destination: `-d ${LOOPBACK[4]}`,
    comment: "block incoming localnet connections",
    matches: ["-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT"],
    target: "-j DROP",
  };
}

function forward({ masqueradeMark, liberal }: BaseOptions): readonly string[] {
  const mark = hex(masqueradeMark);
  const rules: readonly Rule[] = [
    ...(liberal ? [] : [{ matches: ["-m conntrack --ctstate INVALID"], target: "-j DROP" }]),
    { comment: "kubernetes forwarding rules", matches: [`-m mark --mark ${mark}/${mark}`], target: "-j ACCEPT" },
    {
      comment: "kubernetes forwarding conntrack rule",
      matches: ["-m conntrack --ctstate RELATED,ESTABLISHED"],
      target: "-j ACCEPT",
    },
  ];
  return rules.map(printed);
}

function masquerading(
  family: Family,
  { localClients }: Surroundings,
  { masqueradeMark, masqueradeAll }: BaseOptions,
): readonly (readonly [string, readonly string[]])[] {
  const mark = hex(masqueradeMark);
  const postrouting: readonly Rule[] = [
    { matches: [`-m mark ! --mark ${mark}/${mark}`], target: "-j RETURN" },
    // Off again: the packet may come through here once more.
    { target: `-j MARK --set-xmark ${mark}/0x0` },
    { comment: "kubernetes service traffic requiring SNAT", target: "-j MASQUERADE --random-fully" },
  ];
  const detector = masqueradeAll ? undefined : detectorOf(localClients, family);
  const others = detector && !othersIn(detector) ? othersTo(`-j ${MARK_MASQ}`, detector) : [];
  return [
    ["KUBE-POSTROUTING", postrouting.map(printed)],
    [MARK_MASQ, [setMark(masqueradeMark)]],
    ...(others.length === 0 ? [] : [[MARK_OTHERS, others.map(printed)] as const]),
  ];
}

/** On whatever address the node has; or, where not all are to serve them, on each that is. */
function nodePorts(family: Family, { nodeAddresses }: Surroundings, localhost: boolean): readonly string[] {
  const comment = "kubernetes service nodeports; NOTE: this must be the last rule in this chain";
  const target = "-j KUBE-NODEPORTS";
  const addresses = ofFamily(family, nodeAddresses);
  const outward = addresses.filter(({ loopback }) => !loopback);
  if (outward.length > 0 && outward.every(({ nodePort }) => nodePort)) {
    const destination = localhost ? {} : { destination: `! -d ${LOOPBACK[family]}` };
    return [printed({ ...destination, comment, matches: [TO_NODE], target })];
  }
  const serving = addresses.filter(({ nodePort, loopback }) => nodePort && (localhost || !loopback));
  return serving.map(({ address }) => printed({ destination: `-d ${alone(address)}`, comment, target }));
}

function ofFamily(family: Family, addresses: Surroundings["nodeAddresses"]): Surroundings["nodeAddresses"] {
  return addresses.filter(({ address, elsewhere }) => familyOf(address) === family && !elsewhere);
}
