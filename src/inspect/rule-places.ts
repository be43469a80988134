// SPDX-License-Identifier: Apache-2.0
// Where rules of a mode say what they say: which of them a packet meets, by the names under which the mode's own tools show them,
// and what they do with an address that no Service has (row 46). Pure.

import type { CompiledService, Frontend, Member } from "../compile/state.ts";
import { endpointHash, serviceHash } from "../datapath/iptables/names.ts";
import { isExternal } from "../datapath/rules/traffic.ts";
import type { RuleMode } from "../datapath/rules/writers.ts";
import { familyOf, isInCidr } from "../model/ip.ts";
import { formatEndpoint } from "./endpoint.ts";
import type { Question } from "./question.ts";
import type { RuleReport } from "./rule-report.ts";

/** What a packet to a frontend meets. */
export interface MetRule {
  readonly service: CompiledService;
  readonly frontend: Frontend;
}

type Entries = (question: Question, met: MetRule, chosen: Member) => readonly string[];

const ENTRIES: Readonly<Record<RuleMode, Entries>> = {
  nftables: ({ destination, destinationPort, protocol }, { service: { family }, frontend }) => {
    const at = `${protocol.toLowerCase()} . ${destinationPort}`;
    if (frontend.address !== undefined) return [`inet portolan frontends${family} ${destination} . ${at}`];
    return [`inet portolan nodeport-ips${family} ${destination}`, `inet portolan nodeports${family} ${at}`];
  },
  iptables: (_question, { service, frontend }, chosen) => {
    const hash = serviceHash(service);
    const policy = `KUBE-${service.cluster.includes(chosen) ? "SVC" : "SVL"}-${hash}`;
    const from = `nat ${frontend.address === undefined ? "KUBE-NODEPORTS" : "KUBE-SERVICES"}`;
    const through = isExternal(frontend) ? [`${from} -> KUBE-EXT-${hash}`, `nat KUBE-EXT-${hash}`] : [from];
    const first = through.slice(0, -1);
    return [...first, `${through.at(-1)} -> ${policy}`, `nat ${policy} -> KUBE-SEP-${endpointHash(service, chosen)}`];
  },
  ipvs: ({ destination, destinationPort, protocol }, _met, { address, port }) => [
    `ipvsadm ${protocol} ${formatEndpoint(destination, destinationPort)} -> ${formatEndpoint(address, port)}`,
  ],
};

/** As `nft`, `iptables -t` and `ipvsadm` name them, in the order in which a packet meets them. */
export function ruleEntries(mode: RuleMode, ...met: Parameters<Entries>): readonly string[] {
  return ENTRIES[mode](...met);
}

interface Unserved {
  readonly verdict: "pass" | "reject" | "drop";
  /** One of DROP_EXPLANATIONS; "none" */
  readonly reason: string;
}

const LEFT: Unserved = { verdict: "pass", reason: "none" };
const REFUSED: Unserved = { verdict: "reject", reason: "unused_port" };

/** What becomes of a packet to no frontend: iptables' rules leave all to the kernel. */
export function unservedBy(mode: RuleMode, { services, around }: RuleReport, { destination }: Question): Unserved {
  if (mode === "iptables" || around.partial) return LEFT;
  const served = services.flatMap(({ frontends }) => frontends).filter(({ address }) => address === destination);
  // A device that holds an address of a Service would else let in whatever listens on all addresses of the node.
  if (mode === "ipvs") return served.length > 0 ? REFUSED : LEFT;
  if (served.some(({ kind, onNode }) => kind === "ClusterIP" && !onNode)) return REFUSED;
  if (served.length > 0 || around.foreign.includes(destination)) return LEFT;
  const ranges = around.serviceRanges.filter(({ address }) => familyOf(address) === familyOf(destination));
  const unallocated = ranges.some((range) => isInCidr(destination, range));
  return unallocated ? { verdict: "drop", reason: "unallocated" } : LEFT;
}
