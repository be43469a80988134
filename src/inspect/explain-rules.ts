// SPDX-License-Identifier: Apache-2.0
// `explain` where rules serve: netfilter runs nothing without an effect, so the decision is worked out from what the agent has in
// force, by the policy that the rules are made of. Pure but for the draw.

import type { CompiledService, Frontend, Member } from "../compile/state.ts";
import { isExternal, type Way, waysOf } from "../datapath/rules/traffic.ts";
import type { RuleMode } from "../datapath/rules/writers.ts";
import { type Cidr, familyOf, type Ip, ipFromBytes, isInCidr } from "../model/ip.ts";
import { composeAnswer, type Decision, type Entry } from "./answer.ts";
import { formatEndpoint } from "./endpoint.ts";
import { clientKind, podDevice, type SourceRoute } from "./entry.ts";
import type { Explained, ExplainOptions, NetworkFacts } from "./explain.ts";
import { type Question, QuestionError } from "./question.ts";
import { type MetRule, ruleEntries, unservedBy } from "./rule-places.ts";
import type { RuleReport } from "./rule-report.ts";
import { serviceName } from "./service-rows.ts";
import { decidedRange } from "./source-rows.ts";

const KINDS: Readonly<Record<Frontend["kind"], string>> = {
  ClusterIP: "a ClusterIP",
  NodePort: "a NodePort",
  ExternalIP: "an external IP",
  LoadBalancer: "a LoadBalancer address",
};

type Client = Decision["client"];

export class RuleExplainer {
  readonly #mode: RuleMode;
  readonly #report: RuleReport;
  readonly #network: NetworkFacts | undefined;
  readonly #options: ExplainOptions;
  /** From 0 to 1. */
  readonly #draw: () => number;

  /** All questions are answered from this report. Throws QuestionError for a device that is not there. */
  constructor(
    mode: RuleMode,
    report: RuleReport,
    network: NetworkFacts | undefined,
    options: ExplainOptions,
    draw: () => number = Math.random,
  ) {
    this.#mode = mode;
    this.#report = report;
    this.#network = network;
    this.#options = options;
    this.#draw = draw;
    if (options.via !== undefined && network && !network.links.some(({ name }) => name === options.via)) {
      throw new QuestionError(`--via ${options.via}: there is no such device`);
    }
  }

  explain(question: Question): Explained {
    const { entry, client } = this.#enter(question.source);
    const met = this.#met(question);
    if (met) return this.#explainMet(question, entry, client, met);
    const { verdict, reason } = unservedBy(this.#mode, this.#report, question);
    const decision: Decision = { ...this.#undecided(client), verdict, dropReason: reason };
    return { answer: composeAnswer(question, entry, decision), entries: [] };
  }

  #explainMet(question: Question, entry: Entry, client: Client, met: MetRule): Explained {
    const { service, frontend } = met;
    const range = decidedRange(service.sources, frontend.kind, question.source);
    const way = this.#way(met, client);
    const refused =
      range?.admit === false ? "source_range" : way.members.length > 0 ? undefined : REFUSALS[way.otherwise];
    const chosen = refused === undefined ? drawn(way.members, this.#draw()) : undefined;
    const decision: Decision = {
      ...this.#undecided(client),
      verdict: chosen ? "dnat" : refused === "no_endpoints" ? "reject" : "drop",
      dropReason: refused ?? "none",
      service: {
        name: serviceName(service.key),
        endpoints: way.members.map(({ address, port }) => formatEndpoint(address, port)),
        scheduler: this.#scheduler(service),
        affinitySeconds: service.affinitySeconds,
      },
      kind: KINDS[frontend.kind],
      chosen: chosen ? formatEndpoint(chosen.address, chosen.port) : null,
      masquerade: chosen !== undefined && this.#isMasqueraded(question.source, met, client, chosen),
      policy: way.members === service.local ? "Local" : "Cluster",
      affinity: chosen && service.affinitySeconds > 0 ? "begun" : "none",
      sourceRange: range,
    };
    const entries = chosen ? ruleEntries(this.#mode, question, met, chosen) : [];
    return { answer: composeAnswer(question, entry, decision), entries };
  }

  #undecided(client: Client): Decision {
    return {
      verdict: "pass",
      client,
      detectLocalMode: this.#report.detectLocalMode,
      dropReason: "none",
      service: undefined,
      kind: "an address",
      chosen: null,
      masquerade: false,
      existing: false,
      policy: "Cluster",
      affinity: "none",
      sourceRange: undefined,
    };
  }

  /** A Service that has the address itself comes before a NodePort (row 27). */
  #met({ destination, destinationPort, protocol }: Question): MetRule | undefined {
    const family = familyOf(destination);
    const at = (address: Ip | undefined): MetRule | undefined => {
      for (const service of this.#report.services) {
        if (service.protocol !== protocol || service.family !== family) continue;
        const frontend = service.frontends.find((one) => one.address === address && one.port === destinationPort);
        if (frontend) return { service, frontend };
      }
      return undefined;
    };
    return at(destination) ?? (this.#servesNodePorts(destination) ? at(undefined) : undefined);
  }

  /** Of loopback addresses only iptables' rules serve any (row 29). */
  #servesNodePorts(address: Ip): boolean {
    const own = this.#report.around.nodeAddresses.find((one) => one.address === address);
    if (!own?.nodePort || own.elsewhere) return false;
    if (!own.loopback) return true;
    return this.#mode === "iptables" && this.#report.localhostNodePorts && familyOf(address) === 4;
  }

  /** IPVS does not ask who comes: where there are endpoints for clients from outside, all go there (row 34). */
  #way({ service, frontend }: MetRule, client: Client): Way {
    const { internal, pods, host, outside } = waysOf(service);
    if (!isExternal(frontend)) return internal;
    if (this.#mode === "ipvs" && outside.members.length > 0) return outside;
    return client === "pod" ? pods : client === "host" ? host : outside;
  }

  /** Rows 34 to 37, and 39. */
  #isMasqueraded(source: Ip, { service, frontend }: MetRule, client: Client, chosen: Member): boolean {
    if (client === "host" || chosen.address === source) return true;
    if (isExternal(frontend)) return !waysOf(service).keepsSource;
    return this.#report.masqueradeAll || client === "outside";
  }

  #scheduler({ scheduler }: CompiledService): string {
    if (this.#mode !== "ipvs") return "random choice";
    return `IPVS scheduler ${scheduler === "mh" ? scheduler : this.#report.ipvsScheduler}`;
  }

  #enter(source: Ip): { readonly entry: Entry; readonly client: Client } {
    const facts = {
      nodeAddresses: new Set(this.#report.around.nodeAddresses.map(({ address }) => address)),
      podRanges: [],
      localEndpoints: new Set(localEndpoints(this.#report.services)),
      routes: (this.#network?.routes ?? []).flatMap((route) => this.#sourceRoute(route)),
    };
    const { via, socket } = this.#options;
    const kind =
      via === undefined ? clientKind(source, facts) : this.#report.podDevices.includes(via) ? "pod" : "outside";
    const client = kind === "outside" && socket ? "pod" : kind;
    const device = via ?? this.#nameOf(podDevice(source, facts));
    const entry = { client, device: via ?? null, socket: false };
    return { entry, client: client === "host" ? client : this.#told(source, client, device) };
  }

  /** Row 38: whom the rules take it for. */
  #told(source: Ip, client: "pod" | "outside", device: string | undefined): Client {
    const { localClients } = this.#report.around;
    if (localClients.by === "otherDevice") return client;
    if (localClients.by === "source") return toldBySource(source, localClients.ranges);
    if (device === undefined) return client;
    const matches = (name: string) => (name.endsWith("*") ? device.startsWith(name.slice(0, -1)) : device === name);
    return localClients.names.some(matches) ? "pod" : "outside";
  }

  #sourceRoute(route: NetworkFacts["routes"][number]): readonly SourceRoute[] {
    if (!route.destination) return [];
    const toPods = this.#report.podDevices.includes(this.#nameOf(route.outputIfindex) ?? "");
    const destination = { address: ipFromBytes(route.destination), prefixLength: route.prefixLength };
    return [{ destination, podDevice: toPods ? route.outputIfindex : undefined }];
  }

  #nameOf(ifindex: number | undefined): string | undefined {
    return this.#network?.links.find((link) => link.ifindex === ifindex)?.name;
  }
}

const REFUSALS: Readonly<Record<Way["otherwise"], string>> = { reject: "no_endpoints", drop: "no_local_endpoints" };

/** Row 35: a family without a range knows no pods. */
function toldBySource(source: Ip, ranges: readonly Cidr[]): Client {
  const ofFamily = ranges.filter(({ address }) => familyOf(address) === familyOf(source));
  if (ofFamily.length === 0) return "untold";
  return ofFamily.some((range) => isInCidr(source, range)) ? "pod" : "outside";
}

function localEndpoints(services: readonly CompiledService[]): readonly Ip[] {
  const all = services.flatMap(({ cluster, local }) => [...cluster, ...local]);
  return all.filter(({ local }) => local).map(({ address }) => address);
}

/** By their weights, as rules draw; at: from 0 to 1. */
function drawn(members: readonly Member[], at: number): Member | undefined {
  let left = at * members.reduce((sum, { weight }) => sum + weight, 0);
  for (const member of members) {
    left -= member.weight;
    if (left < 0) return member;
  }
  return members.at(-1);
}
