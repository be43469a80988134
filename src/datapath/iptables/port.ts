// SPDX-License-Identifier: Apache-2.0
// A service port of one family as its rules are made: what is asked of it again and again, and its chains' names. Pure.

import type { CompiledService, Frontend } from "../../compile/state.ts";
import { isExternal, type Ways, waysOf } from "../rules/traffic.ts";
import type { Detector } from "./detector.ts";
import type { EndpointOptions } from "./endpoint-rules.ts";
import { serviceHash, servicePortName } from "./names.ts";
import { alone, type Rule } from "./rule.ts";

export interface PortOptions extends EndpointOptions {
  readonly detector: Detector | undefined;
  readonly masqueradeAll: boolean;
}

export interface Port {
  readonly service: CompiledService;
  readonly options: PortOptions;
  readonly ways: Ways;
  /** `default/web:http` */
  readonly name: string;
  readonly hash: string;
  /** Frontends other than the ClusterIP serve somebody. */
  readonly servesExternally: boolean;
}

export function portOf(service: CompiledService, options: PortOptions): Port {
  const ways = waysOf(service);
  const served = [ways.pods, ways.outside].some(({ members }) => members.length > 0);
  return {
    service,
    options,
    ways,
    name: servicePortName(service),
    hash: serviceHash(service),
    servesExternally: served && service.frontends.some(isExternal),
  };
}

/** Endpoints of policy Cluster, of policy Local. */
export function policyChain({ hash }: Port, policy: "cluster" | "local"): string {
  return `${policy === "cluster" ? "KUBE-SVC" : "KUBE-SVL"}-${hash}`;
}

/** Where the ClusterIP leads. */
export function internalChain(port: Port): string {
  return policyChain(port, port.service.internalLocal ? "local" : "cluster");
}

/** Where all other frontends lead. */
export function externalChain({ hash }: Port): string {
  return `KUBE-EXT-${hash}`;
}

/** In front of that, where a source range must hold the client. */
export function firewallChain({ hash }: Port): string {
  return `KUBE-FW-${hash}`;
}

/** Ours: in nat the same in front of the ClusterIP; in filter it tells who is refused from who hears nothing. */
export function ownFirewallChain({ hash }: Port): string {
  return `PORTOLAN-FW-${hash}`;
}

/** Whether source ranges hold for the frontend (row 44). */
export function isFiltered({ service }: Port, { kind }: Frontend): boolean {
  return service.sources?.kinds.includes(kind) === true;
}

/** What is sent to the frontend; to a NodePort at whatever address. */
export function toFrontend({ service }: Port, { address, port }: Frontend): Rule {
  const destination = address === undefined ? {} : { destination: `-d ${alone(address)}` };
  return { ...destination, protocol: service.protocol.toLowerCase(), port };
}
