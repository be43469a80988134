// SPDX-License-Identifier: Apache-2.0
// The schema of a KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1, with the checks that kube-proxy makes. Strict:
// an unknown field is an issue of its own kind. null counts as absent.

import * as v from "valibot";
import type { DetectLocalMode } from "../../datapath/contract.ts";
import { parseIp } from "../../model/ip.ts";
import { clusterCidrProblem } from "../local-detector.ts";
import { COUNT, IPVS_SCHEDULERS, type LogFormat, MARK_BIT, OOM_SCORE_ADJ } from "../options.ts";
import {
  checkedList,
  checkedText,
  cidrsProblem,
  durationProblem,
  featureGates,
  flag,
  type Nullish,
  nodePortAddressProblem,
  number,
  OBJECT,
  quoted,
  serverAddressProblem,
  text,
  wholeNumber,
} from "./values.ts";

export const API_VERSION = "kubeproxy.config.k8s.io/v1alpha1";
export const KIND = "KubeProxyConfiguration";

const count = wholeNumber(...COUNT);
const masqueradeBit = wholeNumber(...MARK_BIT);
const duration = checkedText(durationProblem);
const bindAddress = checkedText((value) =>
  value === "" || parseIp(value) ? undefined : `${quoted(value)} is no IP address`,
);
const serverAddress = checkedText((value) => (value === "" ? undefined : serverAddressProblem(value)));
const logFormat = v.nullish(v.picklist(["", "text", "json"], "must be text or json"));
const scheduler = v.nullish(v.picklist(["", ...IPVS_SCHEDULERS], `must be one of ${IPVS_SCHEDULERS.join(", ")}`));
const syncPeriods = { syncPeriod: duration, minSyncPeriod: duration };

const ENTRIES = {
  apiVersion: v.literal(API_VERSION),
  kind: v.literal(KIND),
  featureGates,
  clientConnection: v.nullish(
    v.strictObject(
      { kubeconfig: text, acceptContentTypes: text, contentType: text, qps: number, burst: wholeNumber(-1, COUNT[1]) },
      OBJECT,
    ),
  ),
  logging: v.nullish(v.looseObject({ format: logFormat, verbosity: count }, OBJECT)),
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
        scheduler,
        excludeCIDRs: checkedList(cidrsProblem),
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
  oomScoreAdj: wholeNumber(...OOM_SCORE_ADJ),
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
  readonly healthzBindAddress?: Nullish<string>;
  readonly metricsBindAddress?: Nullish<string>;
  readonly bindAddressHardFail?: Nullish<boolean>;
  readonly iptables?: Nullish<ProxierSection & { readonly localhostNodePorts?: Nullish<boolean> }>;
  readonly ipvs?: Nullish<
    ProxierSection & { readonly scheduler?: Nullish<string>; readonly strictARP?: Nullish<boolean> }
  >;
  readonly nftables?: Nullish<ProxierSection>;
  readonly clientConnection?: Nullish<{ readonly kubeconfig?: Nullish<string> }>;
  readonly logging?: Nullish<{ readonly format?: Nullish<"" | LogFormat>; readonly verbosity?: Nullish<number> }>;
  readonly oomScoreAdj?: Nullish<number>;
  readonly conntrack?: Nullish<ConntrackSection>;
}

/** Timeouts are Go durations. */
export interface ConntrackSection {
  readonly maxPerCore?: Nullish<number>;
  readonly min?: Nullish<number>;
  readonly tcpEstablishedTimeout?: Nullish<string>;
  readonly tcpCloseWaitTimeout?: Nullish<string>;
  readonly tcpBeLiberal?: Nullish<boolean>;
  readonly udpTimeout?: Nullish<string>;
  readonly udpStreamTimeout?: Nullish<string>;
}

interface ProxierSection {
  readonly masqueradeBit?: Nullish<number>;
  readonly masqueradeAll?: Nullish<boolean>;
  /** Go durations. */
  readonly syncPeriod?: Nullish<string>;
  readonly minSyncPeriod?: Nullish<string>;
}

export const KUBE_PROXY_CONFIGURATION: v.GenericSchema<unknown, KubeProxyConfiguration> = v.strictObject(
  ENTRIES,
  OBJECT,
);

/** The items of a text with commas between them; none in an empty one. */
export function listOf(value: string): readonly string[] {
  return value.trim() === "" ? [] : value.split(",").map((item) => item.trim());
}
