// SPDX-License-Identifier: Apache-2.0
// Compiled services for datapath tests, from as few words as a test needs.

import type { CompiledService, FrontendKind, Member, ServiceKey } from "../../src/compile/state.ts";
import type { RuleSettings } from "../../src/datapath/rules/writer.ts";
import { type Cidr, familyOf, type Ip, parseCidr, parseIp } from "../../src/model/ip.ts";

/** Of drivers that write rules. */
export const RULE_SETTINGS: RuleSettings = {
  families: [4, 6],
  masqueradeAll: false,
  masqueradeMark: 0x4000,
  forwardMark: 0x8000,
  localhostNodePorts: true,
};

export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`${text} is no IP address`);
  return parsed;
}

export function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Error(`${text} is no address range`);
  return parsed;
}

export function member(address: string, port: number, more: Partial<Member> = {}): Member {
  return {
    address: ip(address),
    port,
    nodeName: undefined,
    zone: undefined,
    local: true,
    terminating: false,
    weight: 1,
    ...more,
  };
}

export interface ServiceOptions extends Partial<Omit<CompiledService, "key" | "frontends">> {
  readonly name: string;
  /** `address`, or undefined for a NodePort. */
  readonly at: string | undefined;
  readonly port: number;
  /** Default ClusterIP; NodePort without an address. */
  readonly kind?: FrontendKind;
}

/** `test/NAME:/TCP/IPv4` unless the options say otherwise; hasAnyEndpoints as the cluster set has any. */
export function service(options: ServiceOptions): CompiledService {
  const { name, at, port, kind = at === undefined ? "NodePort" : "ClusterIP", ...more } = options;
  const protocol = more.protocol ?? "TCP";
  const family = more.family ?? (at === undefined ? 4 : familyOf(ip(at)));
  const cluster = more.cluster ?? [];
  return {
    key: `test/${name}:/${protocol}/IPv${family}` as ServiceKey,
    namespace: "test",
    name,
    portName: "",
    protocol,
    family,
    type: "ClusterIP",
    frontends: [{ kind, address: at === undefined ? undefined : ip(at), port }],
    cluster,
    local: [],
    serving: [],
    internalLocal: false,
    externalLocal: false,
    hasAnyEndpoints: cluster.length > 0,
    scheduler: "default",
    affinitySeconds: 0,
    endsConnections: false,
    sources: undefined,
    ...more,
  };
}
