// SPDX-License-Identifier: Apache-2.0
// The rules around IPVS, which are the same whatever Services there are, for these are in sets: what is masqueraded, forwarded and
// refused (rows 31, 33, 34, 36 to 42, 44, 46 and 47). The sets have kube-proxy's names, the chains do not: other modes have theirs
// beside these for a while, when a node goes from one to the other. Pure.

import { type Family, familyOf } from "../../model/ip.ts";
import type { TableName } from "../netfilter/iptables.ts";
import { IPVS_SIGN as SIGN } from "../netfilter/ipvs-names.ts";
import type { LocalClients, RuleSettings, Surroundings } from "../rules/writer.ts";
import { type AnySet, kernelName } from "./sets.ts";

export interface TableRules {
  readonly table: TableName;
  /** Rules by chain, in the words of iptables-restore. */
  readonly chains: Readonly<Record<string, readonly string[]>>;
  /** From chains that are not ours, as `iptables -S` prints them without "-A": "CHAIN RULE". Each stands first there, the last of all. */
  readonly jumps: readonly string[];
}

const MARK = "PORTOLAN-IPVS-MASQ";
const OTHERS = "PORTOLAN-IPVS-OTHERS";
const OUTSIDE = "PORTOLAN-IPVS-OUTSIDE";
const NEW = "-m conntrack --ctstate NEW";
const FROM_NODE = "-m addrtype --src-type LOCAL";
const LOOPBACK: Readonly<Record<Family, string>> = { 4: "127.0.0.0/8", 6: "::1/128" };

export function tableRules(family: Family, surroundings: Surroundings, settings: RuleSettings): readonly TableRules[] {
  const inSet: InSet = (set, what = "dst,dst") => `-m set --match-set ${kernelName(set, family)} ${what}`;
  return [
    { table: "mangle", chains: mangle(inSet), jumps: [`OUTPUT ${NEW} -j PORTOLAN-IPVS-OUT`] },
    { table: "filter", chains: filter(family, inSet, surroundings, settings), jumps: FILTER_JUMPS },
    { table: "nat", chains: nat(family, inSet, surroundings, settings), jumps: NAT_JUMPS },
  ];
}

type InSet = (set: AnySet, what?: string) => string;
type Chains = TableRules["chains"];

const FILTER_JUMPS = [
  "FORWARD -j PORTOLAN-IPVS-FORWARD",
  `INPUT ${NEW} -j PORTOLAN-IPVS-FILTER`,
  "INPUT -j PORTOLAN-IPVS-HEALTH",
  `INPUT ${NEW} -j PORTOLAN-IPVS-FIREWALL`,
];
const NAT_JUMPS = ["OUTPUT -j PORTOLAN-IPVS", "PREROUTING -j PORTOLAN-IPVS", "POSTROUTING -j PORTOLAN-IPVS-POST"];

/** What the node's own processes send meets IPVS before table filter. */
function mangle(inSet: InSet): Chains {
  return {
    "PORTOLAN-IPVS-OUT": [`${inSet("PORTOLAN-DROP")} -j DROP`, `${inSet("PORTOLAN-DROP-NODE")} -j DROP`],
  };
}

/** What comes in meets IPVS behind INPUT: there it still has the address that it was sent to. */
function filter(
  family: Family,
  inSet: InSet,
  { localClients, partial }: Surroundings,
  { masqueradeMark }: RuleSettings,
): Chains {
  const mark = hex(masqueradeMark);
  const served: readonly AnySet[] = [
    "KUBE-LOAD-BALANCER",
    "KUBE-CLUSTER-IP",
    "KUBE-EXTERNAL-IP",
    "KUBE-EXTERNAL-IP-LOCAL",
  ];
  return {
    "PORTOLAN-IPVS-FORWARD": [
      `-m mark --mark ${mark}/${mark} -j ACCEPT`,
      "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ],
    "PORTOLAN-IPVS-HEALTH": [`${inSet("KUBE-HEALTH-CHECK-NODE-PORT", "dst")} -p tcp -j ACCEPT`],
    "PORTOLAN-IPVS-FIREWALL": [
      `${inSet("PORTOLAN-DROP")} -j DROP`,
      `${inSet("PORTOLAN-DROP-OUTSIDE")} -j ${OUTSIDE}`,
      `${inSet("KUBE-LOAD-BALANCER-FW")} -j PORTOLAN-IPVS-RANGES`,
    ],
    "PORTOLAN-IPVS-RANGES": [
      `${inSet("KUBE-LOAD-BALANCER-SOURCE-CIDR", "dst,dst,src")} -j RETURN`,
      `${inSet("KUBE-LOAD-BALANCER-SOURCE-IP", "dst,dst,src")} -j RETURN`,
      "-j DROP",
    ],
    [OUTSIDE]: [`${FROM_NODE} -j RETURN`, ...othersTo("DROP", family, localClients)],
    "PORTOLAN-IPVS-FILTER": [
      ...served.map((set) => `${inSet(set)} -j RETURN`),
      ...(partial ? [] : [`${inSet("KUBE-IPVS-IPS", "dst")} -j REJECT`]),
    ],
  };
}

function nat(family: Family, inSet: InSet, { localClients }: Surroundings, settings: RuleSettings): Chains {
  const mark = hex(settings.masqueradeMark);
  const nodePorts = (["tcp", "udp", "sctp"] as const).flatMap((protocol) => nodePortRules(protocol, inSet));
  const detected = detects(family, localClients);
  const ofClusterIp = settings.masqueradeAll
    ? `${inSet("KUBE-CLUSTER-IP")} -j ${MARK}`
    : detected
      ? `${inSet("KUBE-CLUSTER-IP")} -j ${OTHERS}`
      : // The node holds the VIPs, so its processes send from one.
        `${inSet("KUBE-CLUSTER-IP", "src,dst")} -j ${MARK}`;
  return {
    [MARK]: [`-j MARK --or-mark ${mark}`],
    [OTHERS]: detected ? othersTo(MARK, family, localClients) : [],
    [SIGN]: [
      `-s ${LOOPBACK[family]} -j RETURN`,
      `${inSet("KUBE-LOAD-BALANCER")} -j PORTOLAN-IPVS-LB`,
      ofClusterIp,
      `${inSet("KUBE-EXTERNAL-IP")} -j ${MARK}`,
      `${inSet("KUBE-EXTERNAL-IP-LOCAL")} ${FROM_NODE} -j ${MARK}`,
      "-m addrtype --dst-type LOCAL -j PORTOLAN-IPVS-NODEPORT",
      ...(["KUBE-CLUSTER-IP", "KUBE-LOAD-BALANCER", "KUBE-EXTERNAL-IP", "KUBE-EXTERNAL-IP-LOCAL"] as const).map(
        (set) => `${inSet(set)} -j ACCEPT`, // or others' rules would translate it once more
      ),
    ],
    "PORTOLAN-IPVS-LB": [
      `${FROM_NODE} -j ${MARK}`, // not kube-proxy's: the way to another node needs an address that it can answer (row 34)
      `${inSet("KUBE-LOAD-BALANCER-LOCAL")} -j RETURN`,
      `-j ${MARK}`,
    ],
    "PORTOLAN-IPVS-NODEPORT": nodePorts,
    "PORTOLAN-IPVS-POST": [
      `${inSet("KUBE-LOOP-BACK", "dst,dst,src")} -j MASQUERADE`,
      `-m mark ! --mark ${mark}/${mark} -j RETURN`,
      `-j MARK --xor-mark ${mark}`,
      "-j MASQUERADE --random-fully",
    ],
  };
}

function nodePortRules(protocol: "tcp" | "udp" | "sctp", inSet: InSet): readonly string[] {
  const upper = protocol.toUpperCase() as "TCP" | "UDP" | "SCTP";
  const [all, local]: readonly [AnySet, AnySet] =
    upper === "SCTP"
      ? ["KUBE-NODE-PORT-SCTP-HASH", "KUBE-NODE-PORT-LOCAL-SCTP-HASH"]
      : [`KUBE-NODE-PORT-${upper}`, `KUBE-NODE-PORT-LOCAL-${upper}`];
  const what = upper === "SCTP" ? "dst,dst" : "dst";
  return [
    `-p ${protocol} ${inSet(local, what)} ${FROM_NODE} -j ${MARK}`,
    `-p ${protocol} ${inSet(local, what)} -j RETURN`,
    `-p ${protocol} ${inSet(all, what)} -j ${MARK}`,
  ];
}

/** Whether local pods of this family can be told at all (row 35). */
function detects(family: Family, clients: LocalClients): boolean {
  return clients.by !== "source" || clients.ranges.some(({ address }) => familyOf(address) === family);
}

/** Whoever is no local pod goes there; where none can be told, everybody. */
function othersTo(target: string, family: Family, clients: LocalClients): readonly string[] {
  if (clients.by === "source") {
    const pods = clients.ranges.filter(({ address }) => familyOf(address) === family);
    return [...pods.map(({ address, prefixLength }) => `-s ${address}/${prefixLength} -j RETURN`), `-j ${target}`];
  }
  const devices = clients.names.map((name) => `-i ${name.replace(/\*$/, "+")}`);
  if (clients.by === "device") return [...devices.map((device) => `${device} -j RETURN`), `-j ${target}`];
  return [...devices, FROM_NODE].map((condition) => `${condition} -j ${target}`);
}

function hex(mark: number): string {
  return `0x${(mark >>> 0).toString(16)}`;
}
