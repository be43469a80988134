// SPDX-License-Identifier: Apache-2.0
// A KubeProxyConfiguration as flags. Decoded strictly, then without the fields that nobody knows, which are named; so are
// those that have no effect here.

import type { Path } from "../../source/document.ts";
import { pathText } from "../../source/field.ts";
import { DEFAULT_CONNTRACK_MIN } from "../kernel-settings.ts";
import type { AgentFlags, FileFlags } from "../options.ts";
import { type ConfigDocument, decode, linesOf, refusal } from "./document.ts";
import { goDurationMs } from "./go-duration.ts";
import {
  type ConntrackSection,
  KUBE_PROXY_CONFIGURATION,
  type KubeProxyConfiguration,
  listOf,
} from "./kube-proxy-schema.ts";

/** Default of kube-proxy, when the field is 0 or absent. */
const SYNC_PERIOD_MS = 30_000;

/** What a KubeProxyConfiguration calls our flags. */
export const KUBE_PROXY_NAMES: Readonly<Partial<Record<keyof AgentFlags, string>>> = {
  kubeconfig: "clientConnection.kubeconfig",
  nodeName: "hostnameOverride",
  clusterCidr: "clusterCIDR",
  detectLocalMode: "detectLocalMode",
  podBridgeInterface: "detectLocal.bridgeInterface",
  podInterfaceNamePrefix: "detectLocal.interfaceNamePrefix",
  nodeportAddresses: "nodePortAddresses",
  masqueradeAll: "masqueradeAll",
  masqueradeBit: "iptables.masqueradeBit",
  localhostNodeports: "iptables.localhostNodePorts",
  ipvsScheduler: "ipvs.scheduler",
  ipvsStrictArp: "ipvs.strictARP",
  healthzBindAddress: "healthzBindAddress",
  metricsBindAddress: "metricsBindAddress",
  bindAddressHardFail: "bindAddressHardFail",
  conntrackMaxPerCore: "conntrack.maxPerCore",
  conntrackMin: "conntrack.min",
  conntrackTcpTimeoutEstablished: "conntrack.tcpEstablishedTimeout",
  conntrackTcpTimeoutCloseWait: "conntrack.tcpCloseWaitTimeout",
  conntrackTcpBeLiberal: "conntrack.tcpBeLiberal",
  conntrackUdpTimeout: "conntrack.udpTimeout",
  conntrackUdpTimeoutStream: "conntrack.udpStreamTimeout",
  oomScoreAdj: "oomScoreAdj",
  logFormat: "logging.format",
  logLevel: "logging.verbosity",
};

/** Throws UsageError with `FILE:LINE: field: problem`. */
export function kubeProxyFlags(
  file: string,
  document: ConfigDocument,
): { readonly flags: FileFlags; readonly warnings: readonly string[] } {
  const { config, wrong, unknown } = decode(KUBE_PROXY_CONFIGURATION, document);
  if (!config) throw refusal(document, wrong);
  const periods = periodProblem(config);
  if (periods) throw refusal(document, [{ path: periods, problem: "must not be longer than syncPeriod" }]);
  const warnings = [
    ...linesOf(
      document,
      unknown.map((path) => ({ path, problem: "unknown field, left out" })),
    ),
  ];
  if (config.mode) {
    warnings.push(`${document.at(["mode"])}${JSON.stringify(config.mode)} does not choose the driver: --mode does`);
  }
  const unused = unusedFields(config);
  if (unused.length > 0) warnings.push(`${file}: has no effect: ${unused.join(", ")}`);
  return { flags: flagsOf(config), warnings };
}

function periodProblem(config: KubeProxyConfiguration): Path | undefined {
  for (const section of ["iptables", "ipvs", "nftables"] as const) {
    const { syncPeriod, minSyncPeriod } = config[section] ?? {};
    const period = goDurationMs(syncPeriod ?? "0") || SYNC_PERIOD_MS;
    if ((goDurationMs(minSyncPeriod ?? "0") ?? 0) > period) return [section, "minSyncPeriod"];
  }
  return undefined;
}

/** kube-proxy's nftables mode has a section and a default of its own. */
function flagsOf(config: KubeProxyConfiguration): FileFlags {
  const { iptables, ipvs, nftables, detectLocal, nodePortAddresses, logging } = config;
  const ofMode = config.mode === "nftables" ? nftables : iptables;
  const ownAddresses = config.mode === "nftables" ? ["primary"] : undefined;
  return withoutAbsent({
    kubeconfig: config.clientConnection?.kubeconfig || undefined,
    ipvsScheduler: ipvs?.scheduler || undefined,
    ipvsStrictArp: ipvs?.strictARP ?? undefined,
    nodeName: config.hostnameOverride?.trim().toLowerCase() || undefined,
    clusterCidr: config.clusterCIDR?.trim() ? listOf(config.clusterCIDR) : undefined,
    detectLocalMode: config.detectLocalMode || undefined,
    podBridgeInterface: detectLocal?.bridgeInterface || undefined,
    podInterfaceNamePrefix: detectLocal?.interfaceNamePrefix || undefined,
    nodeportAddresses: nodePortAddresses && nodePortAddresses.length > 0 ? nodePortAddresses : ownAddresses,
    masqueradeAll: ofMode?.masqueradeAll ?? undefined,
    masqueradeBit: ofMode?.masqueradeBit ?? undefined,
    localhostNodeports: iptables?.localhostNodePorts ?? undefined,
    healthzBindAddress: config.healthzBindAddress || undefined,
    metricsBindAddress: config.metricsBindAddress || undefined,
    bindAddressHardFail: config.bindAddressHardFail || undefined,
    ...conntrackFlags(config.conntrack ?? {}),
    oomScoreAdj: config.oomScoreAdj ?? undefined,
    logFormat: logging?.format || undefined,
    logLevel: logLevelOf(logging?.verbosity ?? 0),
  });
}

/** kube-proxy's defaults, where the file is kube-proxy's: it is to change nothing that kube-proxy has set. */
function conntrackFlags(section: ConntrackSection) {
  return {
    conntrackMaxPerCore: section.maxPerCore ?? 32_768,
    conntrackMin: section.min ?? DEFAULT_CONNTRACK_MIN,
    conntrackTcpTimeoutEstablished: goDurationMs(section.tcpEstablishedTimeout ?? "24h"),
    conntrackTcpTimeoutCloseWait: goDurationMs(section.tcpCloseWaitTimeout ?? "1h"),
    conntrackTcpBeLiberal: section.tcpBeLiberal ?? undefined,
    conntrackUdpTimeout: goDurationMs(section.udpTimeout ?? "0"),
    conntrackUdpTimeoutStream: goDurationMs(section.udpStreamTimeout ?? "0"),
  };
}

/** klog's verbosity: 4 is for who looks for a fault, 6 and more for who follows each step. 0 says nothing. */
function logLevelOf(verbosity: number): string | undefined {
  if (verbosity === 0) return undefined;
  if (verbosity < 4) return "info";
  return verbosity < 6 ? "debug" : "trace";
}

function withoutAbsent<T extends object>(flags: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** What flagsOf() reads, and what is none of anybody's setting. */
function hasEffect(path: string, mode: string): boolean {
  if (/^iptables\.masquerade(?:All|Bit)$/.test(path)) return mode !== "nftables";
  if (/^nftables\.masquerade(?:All|Bit)$/.test(path)) return mode === "nftables";
  return EFFECTIVE.some((field) => path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`));
}
const EFFECTIVE: readonly string[] = [
  "apiVersion",
  "kind",
  "clientConnection.kubeconfig",
  "mode",
  "hostnameOverride",
  "clusterCIDR",
  "detectLocalMode",
  "detectLocal",
  "nodePortAddresses",
  "iptables.localhostNodePorts",
  "ipvs.scheduler",
  "ipvs.strictARP",
  "healthzBindAddress",
  "metricsBindAddress",
  "bindAddressHardFail",
  "conntrack",
  "oomScoreAdj",
  "logging.format",
  "logging.verbosity",
];

/** Fields that say something and change nothing; kubeadm writes every field, most of them empty. */
function unusedFields(config: KubeProxyConfiguration): readonly string[] {
  const found: string[] = [];
  const visit = (value: unknown, path: Path): void => {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      for (const [key, member] of Object.entries(value)) visit(member, [...path, key]);
    } else if (!isEmpty(value) && !hasEffect(pathText(path), config.mode ?? "")) found.push(pathText(path));
  };
  visit(config, []);
  return found;
}

function isEmpty(value: unknown): boolean {
  return !value || value === "0" || value === "0s" || (Array.isArray(value) && value.length === 0);
}
