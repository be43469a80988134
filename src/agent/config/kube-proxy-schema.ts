// SPDX-License-Identifier: Apache-2.0
// The schema of a KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1, with the checks that kube-proxy makes. Strict:
// an unknown field is an issue of its own kind. null counts as absent.

import * as v from "valibot";
import type { DetectLocalMode } from "../../datapath/contract.ts";
import { parseCidr, parseIp } from "../../model/ip.ts";
import { clusterCidrProblem } from "../local-detector.ts";
import { goDurationMs } from "./go-duration.ts";

export const API_VERSION = "kubeproxy.config.k8s.io/v1alpha1";
export const KIND = "KubeProxyConfiguration";
const OBJECT = "must be an object with named fields";
const TEXT = "must be text: put it in quotes";
const MAX_INT32 = 2 ** 31 - 1;

const text = v.nullish(v.string(TEXT));
const flag = v.nullish(v.boolean("must be true or false"));
const number = v.nullish(v.number("must be a number"));
const count = wholeNumber(0, MAX_INT32);
const masqueradeBit = wholeNumber(0, 31);
const duration = checkedText((value) =>
  goDurationMs(value) === undefined ? `${quoted(value)} is no duration: use one such as 30s or 1m30s` : undefined,
);
const bindAddress = checkedText((value) =>
  value === "" || parseIp(value) ? undefined : `${quoted(value)} is no IP address`,
);
const serverAddress = checkedText((value) =>
  value === "" || isServerAddress(value) ? undefined : `${quoted(value)} is no address: use one such as 0.0.0.0:10256`,
);
const syncPeriods = { syncPeriod: duration, minSyncPeriod: duration };

const ENTRIES = {
  apiVersion: v.literal(API_VERSION),
  kind: v.literal(KIND),
  featureGates: v.nullish(v.record(v.string(), v.boolean("must be true or false"), OBJECT)),
  clientConnection: v.nullish(
    v.strictObject(
      { kubeconfig: text, acceptContentTypes: text, contentType: text, qps: number, burst: wholeNumber(-1, MAX_INT32) },
      OBJECT,
    ),
  ),
  logging: v.nullish(v.looseObject({}, OBJECT)),
  hostnameOverride: text,
  bindAddress,
  healthzBindAddress: serverAddress,
  metricsBindAddress: serverAddress,
  bindAddressHardFail: flag,
  enableProfiling: flag,
  showHiddenMetricsForVersion: text,
  mode: text,
  iptables: v.nullish(
    v.strictObject({ ...syncPeriods, masqueradeBit, masqueradeAll: flag, localhostNodePorts: flag }, OBJECT),
  ),
  ipvs: v.nullish(
    v.strictObject(
      {
        ...syncPeriods,
        scheduler: text,
        excludeCIDRs: checkedList((items) => items.flatMap((item) => cidrProblem(item) ?? [])[0]),
        strictARP: flag,
        tcpTimeout: duration,
        tcpFinTimeout: duration,
        udpTimeout: duration,
      },
      OBJECT,
    ),
  ),
  nftables: v.nullish(v.strictObject({ ...syncPeriods, masqueradeBit, masqueradeAll: flag }, OBJECT)),
  winkernel: v.nullish(v.looseObject({}, OBJECT)),
  detectLocalMode: v.nullish(
    v.picklist(
      ["", "ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix"],
      "must be ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix",
    ),
  ),
  detectLocal: v.nullish(v.strictObject({ bridgeInterface: text, interfaceNamePrefix: text }, OBJECT)),
  clusterCIDR: checkedText((value) => clusterCidrProblem(listOf(value))),
  nodePortAddresses: checkedList(nodePortAddressProblem),
  oomScoreAdj: wholeNumber(-1000, 1000),
  conntrack: v.nullish(
    v.strictObject(
      {
        maxPerCore: count,
        min: count,
        tcpEstablishedTimeout: duration,
        tcpCloseWaitTimeout: duration,
        tcpBeLiberal: flag,
        udpTimeout: duration,
        udpStreamTimeout: duration,
      },
      OBJECT,
    ),
  ),
  configSyncPeriod: duration,
  portRange: text,
  windowsRunAsService: flag,
} as const;

/** The fields that have an effect here. Absent, null and empty are the same. */
export interface KubeProxyConfiguration {
  readonly mode?: Nullish<string>;
  readonly hostnameOverride?: Nullish<string>;
  readonly clusterCIDR?: Nullish<string>;
  readonly detectLocalMode?: Nullish<"" | Exclude<DetectLocalMode, "Device">>;
  readonly detectLocal?: Nullish<{
    readonly bridgeInterface?: Nullish<string>;
    readonly interfaceNamePrefix?: Nullish<string>;
  }>;
  readonly nodePortAddresses?: Nullish<readonly string[]>;
  readonly iptables?: Nullish<ProxierSection & { readonly localhostNodePorts?: Nullish<boolean> }>;
  readonly ipvs?: Nullish<ProxierSection>;
  readonly nftables?: Nullish<ProxierSection>;
}

interface ProxierSection {
  readonly masqueradeAll?: Nullish<boolean>;
  /** Go durations. */
  readonly syncPeriod?: Nullish<string>;
  readonly minSyncPeriod?: Nullish<string>;
}
type Nullish<T> = T | null | undefined;

export const KUBE_PROXY_CONFIGURATION: v.GenericSchema<unknown, KubeProxyConfiguration> = v.strictObject(
  ENTRIES,
  OBJECT,
);

/** The items of a text with commas between them; none in an empty one. */
export function listOf(value: string): readonly string[] {
  return value.trim() === "" ? [] : value.split(",").map((item) => item.trim());
}

function wholeNumber(min: number, max: number) {
  const problem = `must be a whole number from ${min} to ${max}`;
  return v.nullish(v.pipe(v.number(problem), v.integer(problem), v.minValue(min, problem), v.maxValue(max, problem)));
}

/** problemOf: what is wrong with a value, undefined if nothing is. */
function checkedText(problemOf: (value: string) => string | undefined) {
  const check = v.check(
    (value: string) => problemOf(value) === undefined,
    ({ input }) => problemOf(input) ?? "",
  );
  return v.nullish(v.pipe(v.string(TEXT), check));
}

function checkedList(problemOf: (items: readonly string[]) => string | undefined) {
  const check = v.check(
    (items: string[]) => problemOf(items) === undefined,
    ({ input }) => problemOf(input) ?? "",
  );
  return v.nullish(v.pipe(v.array(v.string(TEXT), "must be a list"), check));
}

/** `ADDRESS` or `ADDRESS:PORT`, IPv6 with a port in brackets. */
function isServerAddress(value: string): boolean {
  if (parseIp(value)) return true;
  const [, v6, v4 = "", port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value) ?? [];
  return parseIp(v6 ?? v4) !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

function nodePortAddressProblem(items: readonly string[]): string | undefined {
  if (items.length === 1 && items[0] === "primary") return undefined;
  if (items.includes("primary")) return '"primary" must stand alone';
  return items.flatMap((item) => cidrProblem(item) ?? [])[0];
}

function cidrProblem(item: string): string | undefined {
  return parseCidr(item) ? undefined : `${quoted(item)} is no CIDR: use one such as 192.0.2.0/24`;
}

function quoted(value: string): string {
  return JSON.stringify(value);
}
