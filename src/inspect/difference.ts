// SPDX-License-Identifier: Apache-2.0
// What is wanted in the kernel against what the pinned maps say, or an agent that serves by rules, entry by entry. Pure.

import type { CompiledService, Frontend, Member, ServiceKey } from "../compile/state.ts";
import { wantsTables } from "../datapath/ebpf/service-plan.ts";
import type { FrontendState, ServiceState } from "../datapath/ebpf/state-types.ts";
import { type Family, familyOf, type Ip } from "../model/ip.ts";
import { formatEndpoint } from "./endpoint.ts";
import type { DifferenceRow } from "./rows.ts";
import { serviceName } from "./service-rows.ts";
import { rangeName } from "./source-rows.ts";

const WILDCARD: Readonly<Record<Family, Ip>> = { 4: "0.0.0.0" as Ip, 6: "::" as Ip };

/** What both sides say of a service port; as text it is compared. */
type Described = Pick<
  CompiledService,
  | "family"
  | "type"
  | "scheduler"
  | "affinitySeconds"
  | "internalLocal"
  | "externalLocal"
  | "hasAnyEndpoints"
  | "endsConnections"
  | "sources"
> & {
  readonly frontends: readonly Frontend[];
  readonly cluster: readonly DescribedMember[];
  readonly local: readonly DescribedMember[];
  readonly serving: readonly DescribedMember[];
  /** New connections are spread by Maglev tables. */
  readonly tables: boolean;
};
/** nodeName, zone: "" is unknown too. */
type DescribedMember = Omit<Member, "nodeName" | "zone"> & {
  readonly nodeName: string | undefined;
  readonly zone: string | undefined;
};

/** The maps of one moment. */
export interface FoundState {
  readonly services: readonly ServiceState[];
  readonly frontends: readonly FrontendState[];
  /** Absent: programs serve. */
  readonly rules?: {
    /** Places where something is not as it was written, as the mode's own tools name them. */
    readonly faults: readonly string[];
  };
}

type Fact = Pick<DifferenceRow, "what" | "name"> & { readonly value: string };
/** Whose a row is. */
type Owner = Pick<DifferenceRow, "service" | "protocol" | "family">;

/** By service; within one in the order of DifferenceRow["what"]. Empty: the kernel has what is wanted, and nothing else. */
export function differences(wanted: readonly CompiledService[], found: FoundState): readonly DifferenceRow[] {
  const wantedByKey = new Map(wanted.map((service) => [service.key, service]));
  const foundByKey = new Map(found.services.map((service) => [service.key, service]));
  const keys = [...new Set([...wantedByKey.keys(), ...foundByKey.keys()])].sort();
  const wantsTable = found.rules === undefined ? wantsTables : () => false;
  const rows = keys.flatMap((key) => {
    const service = wantedByKey.get(key);
    return serviceDifferences(key, service && describeWanted(service, wantsTable), foundByKey.get(key));
  });
  return [...rows, ...orphans(found), ...(found.rules?.faults ?? []).map(ruleDifference)];
}

function ruleDifference(name: string): DifferenceRow {
  return { service: null, protocol: "", family: null, what: "rule", name, wanted: "as written", found: "otherwise" };
}

/** What stands in both: what was on its way while the first was read is not among it. */
export function lasting(first: readonly DifferenceRow[], second: readonly DifferenceRow[]): readonly DifferenceRow[] {
  const before = new Set(first.map((row) => JSON.stringify(row)));
  return second.filter((row) => before.has(JSON.stringify(row)));
}

/** A service port that one side does not have is one without any entry there. */
function serviceDifferences(
  key: ServiceKey,
  wanted: (Described & Pick<CompiledService, "protocol">) | undefined,
  found: ServiceState | undefined,
): readonly DifferenceRow[] {
  const service = wanted ?? found;
  if (!service) return [];
  const owner = { service: serviceName(key), protocol: service.protocol, family: familyName(service.family) };
  const [left, right] = [wanted, found && describeFound(found)];
  const attributes = left && right ? compare(owner, attributeFacts(left), attributeFacts(right)) : [];
  const whole = compare(owner, left ? [THERE] : [], right ? [THERE] : []);
  return [...whole, ...attributes, ...compare(owner, left ? entryFacts(left) : [], right ? entryFacts(right) : [])];
}

const THERE: Fact = { what: "service", name: null, value: "there" };

function compare(owner: Owner, wanted: readonly Fact[], found: readonly Fact[]): readonly DifferenceRow[] {
  const left = byName(wanted);
  const right = byName(found);
  const rows: DifferenceRow[] = [];
  for (const [id, fact] of new Map([...left, ...right])) {
    const [is, was] = [left.get(id)?.value ?? null, right.get(id)?.value ?? null];
    if (is !== was) rows.push({ ...owner, what: fact.what, name: fact.name, wanted: is, found: was });
  }
  return rows;
}

/** An entry that stands twice has both values. */
function byName(facts: readonly Fact[]): ReadonlyMap<string, Fact> {
  const byId = new Map<string, Fact>();
  for (const fact of facts) {
    const id = `${fact.what} ${fact.name}`;
    const other = byId.get(id);
    byId.set(id, other ? { ...fact, value: `${other.value};${fact.value}` } : fact);
  }
  return byId;
}

function describeWanted(
  service: CompiledService,
  wantsTable: (service: CompiledService) => boolean,
): Described & Pick<CompiledService, "protocol"> {
  return { ...service, tables: wantsTable(service) && service.cluster.length > 0 };
}

function describeFound(service: ServiceState): Described {
  return { ...service, tables: service.tableSize > 0 };
}

function attributeFacts(service: Described): readonly Fact[] {
  const policy = (local: boolean) => (local ? "Local" : "Cluster");
  const attributes: readonly [DifferenceRow["what"], string | number | boolean][] = [
    ["type", service.type],
    ["scheduler", service.scheduler],
    ["maglevTable", service.tables],
    ["affinitySeconds", service.affinitySeconds],
    ["internalTrafficPolicy", policy(service.internalLocal)],
    ["externalTrafficPolicy", policy(service.externalLocal)],
    ["endpointsAnywhere", service.hasAnyEndpoints],
    ["endsConnections", service.endsConnections],
    ["sourceRangesOf", [...(service.sources?.kinds ?? [])].sort().join() || "none"],
  ];
  return attributes.map(([what, value]) => ({ what, name: null, value: String(value) }));
}

function entryFacts({ family, frontends, sources, cluster, local, serving }: Described): readonly Fact[] {
  const endpoints = (what: DifferenceRow["what"], members: readonly DescribedMember[]) =>
    members.map((member) => ({ what, name: formatEndpoint(member.address, member.port), value: memberText(member) }));
  return [
    ...frontends.map((frontend) => frontendFact(frontend, family)),
    ...(sources?.rules ?? []).map(({ range, admit }) => ({
      what: "sourceRange" as const,
      name: rangeName(range),
      value: admit ? "admit" : "deny",
    })),
    ...endpoints("clusterEndpoint", cluster),
    ...endpoints("localEndpoint", local),
    ...endpoints("servingEndpoint", serving),
  ];
}

function frontendFact({ kind, address, port, onNode }: Frontend, family: Family): Fact {
  const name = formatEndpoint(address ?? WILDCARD[family], port);
  return { what: "frontend", name, value: onNode ? `${kind},onNode` : kind };
}

function memberText({ weight, nodeName, zone, local, terminating }: DescribedMember): string {
  return [
    `weight=${weight}`,
    ...(nodeName ? [`node=${nodeName}`] : []),
    ...(zone ? [`zone=${zone}`] : []),
    ...(local ? ["local"] : []),
    ...(terminating ? ["terminating"] : []),
  ].join();
}

/** Frontends that lead to nobody. */
function orphans({ services, frontends }: FoundState): readonly DifferenceRow[] {
  const ids = new Set(services.map(({ id }) => id));
  return frontends
    .filter(({ serviceId }) => !ids.has(serviceId))
    .map((frontend) => {
      const family = familyOf(frontend.address);
      const { what, name, value } = frontendFact(frontend, family);
      const { protocol } = frontend;
      return { service: null, protocol, family: familyName(family), what, name, wanted: null, found: value };
    });
}

function familyName(family: Family): DifferenceRow["family"] {
  return family === 4 ? "IPv4" : "IPv6";
}
