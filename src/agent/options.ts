// SPDX-License-Identifier: Apache-2.0
// What an agent is told: the flags of `portolan agent`, checked. Every location is one of them, so that several agents
// run on one machine.

import { hostname } from "node:os";
import { resolve } from "node:path";
import type { DetectLocalMode } from "../datapath/contract.ts";
import type { VariantChoice } from "../datapath/iptables/variant.ts";
import type { BindAddress } from "../health/route-server.ts";
import { type Cidr, parseCidr } from "../model/ip.ts";
import { parseBindAddress } from "./bind-address.ts";
import { UsageError } from "./errors.ts";
import { DEFAULT_CONNTRACK_MIN, type KernelSettings } from "./kernel-settings.ts";
import { type LocalDetector, localDetector } from "./local-detector.ts";
import type { PortRange } from "./port-range.ts";
import { type SourceFlags, type SourceOptions, sourceOptions } from "./source-options.ts";

export type LogFormat = "json" | "text";
export const LOG_FORMATS: readonly LogFormat[] = ["json", "text"];
/** native: in the drivers of uplinks that can run it; off: tc does its work. */
export type XdpMode = "off" | "native";
export const XDP_MODES: readonly XdpMode[] = ["off", "native"];
export const LOG_LEVELS: readonly string[] = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];
export const IPTABLES_VARIANTS: readonly VariantChoice[] = ["auto", "nft", "legacy"];
/** Of the kernel (net/netfilter/ipvs); each is a module of its own. */
export const IPVS_SCHEDULERS: readonly string[] = [
  ...["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh", "fo", "ovf", "twos"],
];
export const MODES: readonly string[] = ["auto", "ebpf", "nftables", "ipvs", "iptables"];

/** Bits of the packet mark that say "translated on the way in" and "on the way out"; nobody else may use them. */
export interface MarkBits {
  readonly inbound: number;
  readonly outbound: number;
}

/** What one bit of the packet mark may be. */
export const MARK_BIT: readonly [min: number, max: number] = [0, 31];

/** Sizes of the maps; taken from the pins instead where those exist already. */
export interface MapSizes {
  readonly maxServices: number;
  readonly maxBackends: number;
  readonly maxFlows: number;
}

/** What each of them may be. */
export const MAP_LIMITS: Readonly<Record<keyof MapSizes, readonly [min: number, max: number]>> = {
  maxServices: [16, 1_000_000],
  maxBackends: [16, 16_000_000],
  maxFlows: [1024, 64_000_000],
};

/** Of numbers that the kernel keeps in 32 bits. */
export const COUNT: readonly [min: number, max: number] = [0, 2 ** 31 - 1];
export const OOM_SCORE_ADJ: readonly [min: number, max: number] = [-1000, 1000];

export interface AgentOptions {
  /** File that some of these are from. */
  readonly config: string | undefined;
  readonly source: SourceOptions;
  readonly nodeName: string;
  /** As asked for; the driver's own name is the mode in force. */
  readonly mode: string;
  /** Which of iptables' two places for rules mode iptables and mode ipvs write to. */
  readonly iptablesVariant: VariantChoice;
  /** Of virtual servers in mode ipvs, unless a Service asks for another. */
  readonly ipvsScheduler: string;
  readonly ipvsStrictArp: boolean;
  /** Glob patterns of device names that are uplinks, beside those found. */
  readonly devices: readonly string[];
  /** Glob patterns of device names that are host ends of pods, whatever they look like. */
  readonly podDevices: readonly string[];
  /** CIDRs, or the single word "primary"; empty: every local address. */
  readonly nodePortAddresses: readonly string[];
  /** NodePorts at 127.0.0.1 and ::1 too, for the node's own processes. */
  readonly localhostNodePorts: boolean;
  readonly localDetector: LocalDetector;
  /** undefined: the cgroup2 mount of /proc/mounts. */
  readonly cgroupRoot: string | undefined;
  /** Where kubelet keeps pods' cgroups; undefined: cgroupRoot, and the version 1 memory controller's mount. */
  readonly podCgroups: string | undefined;
  readonly bpffs: string;
  readonly stateDir: string;
  readonly sizes: MapSizes;
  readonly masqueradeAll: boolean;
  /** bind() to a NodePort is refused to processes of the host. */
  readonly protectNodePorts: boolean;
  /** VIPs answer ping. */
  readonly vipPing: boolean;
  readonly xdp: XdpMode;
  /** A kube-proxy's rules on this node go once ours serve. */
  readonly takeOver: boolean;
  /** Ranges that ClusterIPs come from, beside those of ServiceCIDR objects. */
  readonly serviceCidrs: readonly Cidr[];
  /** Where ports of masqueraded connections are drawn from, less nodePorts. */
  readonly snatPorts: PortRange;
  /** The cluster's --service-node-port-range. */
  readonly nodePorts: PortRange;
  readonly markBits: MarkBits;
  /** In modes of rules: says that a packet is to be masqueraded (row 40); undefined: markBits.outbound. */
  readonly masqueradeBit: number | undefined;
  readonly logFormat: LogFormat;
  readonly logLevel: string;
  /** Where node health is answered; undefined: nowhere. */
  readonly healthzBind: BindAddress | undefined;
  /** Where metrics are. */
  readonly metricsBind: BindAddress | undefined;
  /** Service ports with counters of their own among the metrics; undefined: none are counted there. */
  readonly serviceMetricsMax: number | undefined;
  /** What cannot be bound ends the agent. */
  readonly bindAddressHardFail: boolean;
  readonly kernel: KernelSettings;
}

/** What --service-metrics-max may be: so many series times four are read and sent with each scrape. */
export const SERVICE_METRICS_LIMITS: readonly [min: number, max: number] = [1, 100_000];

/** Ports of addresses that name none; kube-proxy's. */
const HEALTHZ_PORT = 10_256;
const METRICS_PORT = 10_249;

/** The flags as commander hands them over; every value is already of its own kind. */
export interface AgentFlags extends SourceFlags {
  readonly config?: string;
  readonly nodeName?: string;
  readonly mode: string;
  readonly iptablesVariant: VariantChoice;
  readonly ipvsScheduler: string;
  readonly ipvsStrictArp?: boolean;
  readonly devices?: readonly string[];
  readonly podDevices?: readonly string[];
  readonly nodeportAddresses?: readonly string[];
  readonly localhostNodeports?: boolean;
  readonly detectLocalMode?: DetectLocalMode;
  readonly clusterCidr?: readonly string[];
  readonly podBridgeInterface?: string;
  readonly podInterfaceNamePrefix?: string;
  readonly cgroupRoot?: string;
  readonly podCgroups?: string;
  readonly bpffs: string;
  readonly stateDir: string;
  readonly maxServices: number;
  readonly maxBackends: number;
  readonly maxFlows: number;
  readonly masqueradeAll?: boolean;
  readonly protectNodeports?: boolean;
  readonly vipPing?: boolean;
  readonly xdp: XdpMode;
  readonly takeOver?: boolean;
  readonly serviceCidr?: readonly string[];
  readonly snatPortRange: PortRange;
  readonly serviceNodePortRange: PortRange;
  readonly markBits: MarkBits;
  readonly masqueradeBit?: number;
  readonly conntrackMaxPerCore?: number;
  readonly conntrackMin?: number;
  /** Milliseconds, as all times. */
  readonly conntrackTcpTimeoutEstablished?: number;
  readonly conntrackTcpTimeoutCloseWait?: number;
  readonly conntrackTcpBeLiberal?: boolean;
  readonly conntrackUdpTimeout?: number;
  readonly conntrackUdpTimeoutStream?: number;
  readonly oomScoreAdj?: number;
  readonly logFormat: LogFormat;
  readonly logLevel: string;
  readonly healthzBindAddress: string;
  readonly metricsBindAddress: string;
  readonly bindAddressHardFail?: boolean;
  readonly serviceMetrics?: boolean;
  readonly serviceMetricsMax: number;
}

/** What a configuration file says, as the flags that would say the same. */
export type FileFlags = Partial<AgentFlags>;

/** Throws UsageError for what cannot be, and for what is not there yet. */
export function agentOptions(flags: AgentFlags): AgentOptions {
  return {
    config: flags.config === undefined ? undefined : resolve(flags.config),
    source: sourceOptions(flags),
    nodeName: (flags.nodeName ?? hostname()).toLowerCase(), // as the kubelet names its Node
    mode: flags.mode,
    iptablesVariant: flags.iptablesVariant,
    ipvsScheduler: flags.ipvsScheduler,
    ipvsStrictArp: flags.ipvsStrictArp ?? false,
    devices: flags.devices ?? [],
    podDevices: flags.podDevices ?? [],
    nodePortAddresses: flags.nodeportAddresses ?? [],
    localhostNodePorts: flags.localhostNodeports ?? true,
    localDetector: localDetector({
      mode: flags.detectLocalMode,
      clusterCidrs: flags.clusterCidr ?? [],
      bridgeInterface: flags.podBridgeInterface,
      interfaceNamePrefix: flags.podInterfaceNamePrefix,
    }),
    cgroupRoot: flags.cgroupRoot === undefined ? undefined : resolve(flags.cgroupRoot),
    podCgroups: flags.podCgroups === undefined ? undefined : resolve(flags.podCgroups),
    bpffs: resolve(flags.bpffs),
    stateDir: resolve(flags.stateDir),
    sizes: { maxServices: flags.maxServices, maxBackends: flags.maxBackends, maxFlows: flags.maxFlows },
    masqueradeAll: flags.masqueradeAll ?? false,
    protectNodePorts: flags.protectNodeports ?? false,
    vipPing: flags.vipPing ?? false,
    xdp: flags.xdp,
    takeOver: flags.takeOver ?? false,
    serviceCidrs: (flags.serviceCidr ?? []).map(parseServiceCidr),
    snatPorts: flags.snatPortRange,
    nodePorts: flags.serviceNodePortRange,
    markBits: flags.markBits,
    masqueradeBit: masqueradeBit(flags),
    logFormat: flags.logFormat,
    logLevel: flags.logLevel,
    healthzBind: parseBindAddress("--healthz-bind-address", flags.healthzBindAddress, HEALTHZ_PORT),
    metricsBind: parseBindAddress("--metrics-bind-address", flags.metricsBindAddress, METRICS_PORT),
    serviceMetricsMax: flags.serviceMetrics ? flags.serviceMetricsMax : undefined,
    bindAddressHardFail: flags.bindAddressHardFail ?? false,
    kernel: kernelSettings(flags),
  };
}

function kernelSettings(flags: AgentFlags): KernelSettings {
  return {
    maxPerCore: flags.conntrackMaxPerCore,
    min: flags.conntrackMin ?? DEFAULT_CONNTRACK_MIN,
    tcpEstablishedMs: flags.conntrackTcpTimeoutEstablished,
    tcpCloseWaitMs: flags.conntrackTcpTimeoutCloseWait,
    tcpBeLiberal: flags.conntrackTcpBeLiberal ?? false,
    udpMs: flags.conntrackUdpTimeout,
    udpStreamMs: flags.conntrackUdpTimeoutStream,
    oomScoreAdj: flags.oomScoreAdj,
  };
}

function masqueradeBit({ masqueradeBit: bit, markBits: { inbound } }: AgentFlags): number | undefined {
  if (bit !== inbound) return bit;
  throw new UsageError(`--masquerade-bit ${bit} is the first of --mark-bits, which says something else: give another`);
}

function parseServiceCidr(text: string): Cidr {
  const cidr = parseCidr(text);
  if (!cidr) throw new UsageError(`--service-cidr: ${JSON.stringify(text)} is no CIDR; give one such as 10.96.0.0/12`);
  if (cidr.prefixLength > 0) return cidr;
  throw new UsageError(`--service-cidr: ${text} is every address there is: name a smaller range`);
}
