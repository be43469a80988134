// SPDX-License-Identifier: Apache-2.0
// The options that are in force, as the flags that would say them: for /flagz (behaviour row 70). Pure.

import { formatBindAddress } from "../health/route-server.ts";
import type { Cidr } from "../model/ip.ts";
import { goDuration } from "./config/go-duration.ts";
import type { AgentFlags, AgentOptions } from "./options.ts";
import type { PortRange } from "./port-range.ts";

type TextOf = (options: AgentOptions) => string | number | boolean | undefined;

/** undefined: nothing is set, or another flag leaves it without effect. */
const TEXTS: Readonly<Record<keyof AgentFlags, TextOf>> = {
  config: ({ config }) => config,
  manifests: ({ source }) => (source.kind === "manifests" ? source.directory : undefined),
  kubeconfig: ({ source }) => (source.kind === "kubernetes" ? source.kubeconfig : undefined),
  inCluster: ({ source }) => source.kind === "kubernetes" && source.kubeconfig === undefined,
  apiServer: ({ source }) => (source.kind === "kubernetes" ? source.servers.map(withoutUser).join() : undefined),
  nodeName: ({ nodeName }) => nodeName,
  mode: ({ mode }) => mode,
  iptablesVariant: ({ iptablesVariant }) => iptablesVariant,
  ipvsScheduler: ({ ipvsScheduler }) => ipvsScheduler,
  ipvsStrictArp: ({ ipvsStrictArp }) => ipvsStrictArp,
  devices: ({ devices }) => devices.join(),
  podDevices: ({ podDevices }) => podDevices.join(),
  nodeportAddresses: ({ nodePortAddresses }) => nodePortAddresses.join(),
  localhostNodeports: ({ localhostNodePorts }) => localhostNodePorts,
  detectLocalMode: ({ localDetector }) => localDetector.mode,
  clusterCidr: ({ localDetector }) => (localDetector.mode === "ClusterCIDR" ? cidrs(localDetector.cidrs) : undefined),
  podBridgeInterface: ({ localDetector }) =>
    localDetector.mode === "BridgeInterface" ? localDetector.interface : undefined,
  podInterfaceNamePrefix: ({ localDetector }) =>
    localDetector.mode === "InterfaceNamePrefix" ? localDetector.interface : undefined,
  cgroupRoot: ({ cgroupRoot }) => cgroupRoot,
  podCgroups: ({ podCgroups }) => podCgroups,
  bpffs: ({ bpffs }) => bpffs,
  stateDir: ({ stateDir }) => stateDir,
  maxServices: ({ sizes }) => sizes.maxServices,
  maxBackends: ({ sizes }) => sizes.maxBackends,
  maxFlows: ({ sizes }) => sizes.maxFlows,
  masqueradeAll: ({ masqueradeAll }) => masqueradeAll,
  protectNodeports: ({ protectNodePorts }) => protectNodePorts,
  vipPing: ({ vipPing }) => vipPing,
  xdp: ({ xdp }) => xdp,
  takeOver: ({ takeOver }) => takeOver,
  serviceCidr: ({ serviceCidrs }) => cidrs(serviceCidrs),
  snatPortRange: ({ snatPorts }) => ports(snatPorts),
  serviceNodePortRange: ({ nodePorts }) => ports(nodePorts),
  markBits: ({ markBits }) => `${markBits.inbound},${markBits.outbound}`,
  masqueradeBit: ({ masqueradeBit }) => masqueradeBit,
  conntrackMaxPerCore: ({ kernel }) => kernel.maxPerCore,
  conntrackMin: ({ kernel }) => kernel.min,
  conntrackTcpTimeoutEstablished: ({ kernel }) => duration(kernel.tcpEstablishedMs),
  conntrackTcpTimeoutCloseWait: ({ kernel }) => duration(kernel.tcpCloseWaitMs),
  conntrackTcpBeLiberal: ({ kernel }) => kernel.tcpBeLiberal,
  conntrackUdpTimeout: ({ kernel }) => duration(kernel.udpMs),
  conntrackUdpTimeoutStream: ({ kernel }) => duration(kernel.udpStreamMs),
  oomScoreAdj: ({ kernel }) => kernel.oomScoreAdj,
  logFormat: ({ logFormat }) => logFormat,
  logLevel: ({ logLevel }) => logLevel,
  healthzBindAddress: ({ healthzBind }) => healthzBind && formatBindAddress(healthzBind),
  metricsBindAddress: ({ metricsBind }) => metricsBind && formatBindAddress(metricsBind),
  bindAddressHardFail: ({ bindAddressHardFail }) => bindAddressHardFail,
  serviceMetrics: ({ serviceMetricsMax }) => serviceMetricsMax !== undefined,
  serviceMetricsMax: ({ serviceMetricsMax }) => serviceMetricsMax,
};

/** By name without its dashes; "" where nothing is set. */
export function flagTexts(options: AgentOptions): ReadonlyMap<string, string> {
  const rows = Object.entries(TEXTS).map(([flag, textOf]) => [flagName(flag), String(textOf(options) ?? "")] as const);
  return new Map(rows);
}

/** `masqueradeAll` -> `masquerade-all` */
function flagName(flag: string): string {
  return flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** A URL may hold a password, and anybody on the node may ask. */
export function withoutUser(server: string): string {
  const url = new URL(server);
  if (!url.username && !url.password) return server;
  [url.username, url.password] = ["CLASSIFIED", ""];
  return url.href;
}

function cidrs(ranges: readonly Cidr[]): string {
  return ranges.map(({ address, prefixLength }) => `${address}/${prefixLength}`).join();
}

function ports({ min, max }: PortRange): string {
  return `${min}-${max}`;
}

function duration(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : goDuration(ms);
}
