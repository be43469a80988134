// SPDX-License-Identifier: Apache-2.0
// Rules for commands to check: those that the drivers would write for a few Services which between them take all that rules are
// made of. Pure.

import type { CompiledService, Member, ServiceKey } from "../../compile/state.ts";
import { type Cidr, type Family, type Ip, parseCidr, parseIp } from "../../model/ip.ts";
import { FamilyRules, TABLES } from "../iptables/family-rules.ts";
import { nodePart } from "../nftables/node-part.ts";
import { TABLE } from "../nftables/part.ts";
import { Ruleset } from "../nftables/ruleset.ts";
import { servicePart } from "../nftables/service-part.ts";
import type { RuleSettings, Wanted } from "../rules/writer.ts";

/** Of documentation (RFC 5737, RFC 3849). */
const ADDRESSES = {
  4: { range: "192.0.2.0/28", service: "192.0.2.1", outside: "192.0.2.2", endpoints: ["192.0.2.3", "192.0.2.4"] },
  6: {
    range: "2001:db8::/124",
    service: "2001:db8::1",
    outside: "2001:db8::2",
    endpoints: ["2001:db8::3", "2001:db8::4"],
  },
} as const;
/** None that exists: what the check meets is the kernel's, never what is served. */
const PROBE_TABLE = "inet portolan-probe";

/** For `nft -c -f -`. */
export function nftRules(families: readonly Family[]): string {
  const settings = settingsFor(families);
  const { services, surroundings } = sample(families);
  const parts = [nodePart(surroundings, settings), ...[...services.values()].map((one) => servicePart(one, settings))];
  const { lines } = new Ruleset(families, undefined, []).replace(parts, 0);
  return `${lines.map((line) => line.replace(TABLE, PROBE_TABLE)).join("\n")}\n`;
}

/** For `iptables-restore --test --noflush`. */
export function iptablesRules(family: Family): string {
  const rules = new FamilyRules(family, { ...settingsFor([family]), liberal: false });
  rules.want(sample([family]), "recent");
  return TABLES.map((table) => [`*${table}`, ...rules.tables[table].change().lines, "COMMIT\n"].join("\n")).join("");
}

function settingsFor(families: readonly Family[]): RuleSettings {
  return { families, masqueradeAll: false, masqueradeMark: 0x4000, forwardMark: 0x8000, localhostNodePorts: false };
}

function sample(families: readonly Family[]): Wanted {
  const all = families.flatMap((family) =>
    (["TCP", "UDP"] as const).map((protocol) => sampleService(family, protocol)),
  );
  const ranges = families.map((family) => cidr(ADDRESSES[family].range));
  return {
    services: new Map(all.map((service) => [service.key, service])),
    surroundings: {
      nodeAddresses: families.map((family) => ({
        address: ip(ADDRESSES[family].endpoints[0]),
        loopback: false,
        nodePort: true,
      })),
      serviceRanges: ranges,
      localClients: { by: "source", ranges },
      foreign: new Set(),
      partial: false,
    },
    changed: new Set(),
    surroundingsChanged: true,
    whole: true,
  };
}

/** Of every kind of frontend, with a local endpoint and another, and ranges; TCP with session affinity. */
function sampleService(family: Family, protocol: "TCP" | "UDP"): CompiledService {
  const { range, service, outside, endpoints } = ADDRESSES[family];
  const cluster = endpoints.map((address, index) => memberAt(ip(address), index === 0));
  return {
    key: `portolan/probe:/${protocol}/IPv${family}` as ServiceKey,
    namespace: "portolan",
    name: "probe",
    portName: "",
    protocol,
    family,
    type: "LoadBalancer",
    frontends: [
      { kind: "ClusterIP", address: ip(service), port: 80 },
      { kind: "LoadBalancer", address: ip(outside), port: 80 },
      { kind: "NodePort", address: undefined, port: 30_000 },
    ],
    cluster,
    local: cluster.slice(0, 1),
    serving: [],
    internalLocal: false,
    externalLocal: true,
    hasAnyEndpoints: true,
    scheduler: "default",
    affinitySeconds: protocol === "TCP" ? 10_800 : 0,
    endsConnections: false,
    sources: { kinds: ["LoadBalancer"], rules: [{ range: cidr(range), admit: true }] },
  };
}

function memberAt(address: Ip, local: boolean): Member {
  return { address, port: 8080, nodeName: undefined, zone: undefined, local, terminating: false, weight: 1 };
}

function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Error(`${text} is no range`);
  return parsed;
}
