// SPDX-License-Identifier: Apache-2.0
// Portolan's own configuration, kind PortolanConfiguration: each field beside the flag of `portolan agent` that says the
// same. The schema, the JSON schema and the table in docs/configuration.md are made from this.

import { clusterCidrProblem, DETECT_LOCAL_MODES } from "../local-detector.ts";
import {
  type AgentFlags,
  COUNT,
  IPTABLES_VARIANTS,
  IPVS_SCHEDULERS,
  LOG_FORMATS,
  LOG_LEVELS,
  MAP_LIMITS,
  MARK_BIT,
  MODES,
  OOM_SCORE_ADJ,
  SERVICE_METRICS_LIMITS,
  XDP_MODES,
} from "../options.ts";
import { apiServersProblem } from "../source-options.ts";
import {
  DURATION,
  FLAG,
  type Kind,
  list,
  MARK_BITS,
  PATH,
  PORT_RANGE,
  SERVER_ADDRESS,
  TEXT,
  whole,
  word,
} from "./kinds.ts";
import { cidrsProblem, nodePortAddressProblem } from "./values.ts";

export const API_VERSION = "portolan.dev/v1alpha1";
export const KIND = "PortolanConfiguration";

export interface ConfigField {
  /** With a dot where it is in a section: `logging.level`. */
  readonly path: string;
  readonly flag: keyof AgentFlags;
  readonly kind: Kind;
  /** An agent that runs takes up a change of it. */
  readonly live?: true;
}

export const FIELDS: readonly ConfigField[] = [
  { path: "nodeName", flag: "nodeName", kind: TEXT },
  { path: "manifests", flag: "manifests", kind: PATH },
  { path: "kubeconfig", flag: "kubeconfig", kind: PATH },
  { path: "inCluster", flag: "inCluster", kind: FLAG },
  { path: "apiServers", flag: "apiServer", kind: list(apiServersProblem) },
  { path: "mode", flag: "mode", kind: word(MODES) },
  { path: "iptables.variant", flag: "iptablesVariant", kind: word(IPTABLES_VARIANTS) },
  { path: "ipvs.scheduler", flag: "ipvsScheduler", kind: word(IPVS_SCHEDULERS) },
  { path: "ipvs.strictARP", flag: "ipvsStrictArp", kind: FLAG },
  { path: "devices", flag: "devices", kind: list(), live: true },
  { path: "podDevices", flag: "podDevices", kind: list(), live: true },
  { path: "nodePortAddresses", flag: "nodeportAddresses", kind: list(nodePortAddressProblem), live: true },
  { path: "localhostNodePorts", flag: "localhostNodeports", kind: FLAG, live: true },
  { path: "protectNodePorts", flag: "protectNodeports", kind: FLAG },
  { path: "serviceCIDRs", flag: "serviceCidr", kind: list(cidrsProblem), live: true },
  { path: "clusterCIDRs", flag: "clusterCidr", kind: list(clusterCidrProblem) },
  { path: "detectLocalMode", flag: "detectLocalMode", kind: word(DETECT_LOCAL_MODES) },
  { path: "detectLocal.bridgeInterface", flag: "podBridgeInterface", kind: TEXT },
  { path: "detectLocal.interfaceNamePrefix", flag: "podInterfaceNamePrefix", kind: TEXT },
  { path: "masqueradeAll", flag: "masqueradeAll", kind: FLAG },
  { path: "vipPing", flag: "vipPing", kind: FLAG },
  { path: "xdp", flag: "xdp", kind: word(XDP_MODES) },
  { path: "takeOver", flag: "takeOver", kind: FLAG },
  { path: "snatPortRange", flag: "snatPortRange", kind: PORT_RANGE },
  { path: "serviceNodePortRange", flag: "serviceNodePortRange", kind: PORT_RANGE },
  { path: "markBits", flag: "markBits", kind: MARK_BITS },
  { path: "masqueradeBit", flag: "masqueradeBit", kind: whole(MARK_BIT) },
  { path: "cgroupRoot", flag: "cgroupRoot", kind: PATH },
  { path: "podCgroups", flag: "podCgroups", kind: PATH },
  { path: "bpffs", flag: "bpffs", kind: PATH },
  { path: "stateDir", flag: "stateDir", kind: PATH },
  { path: "maps.maxServices", flag: "maxServices", kind: whole(MAP_LIMITS.maxServices) },
  { path: "maps.maxBackends", flag: "maxBackends", kind: whole(MAP_LIMITS.maxBackends) },
  { path: "maps.maxFlows", flag: "maxFlows", kind: whole(MAP_LIMITS.maxFlows) },
  { path: "healthzBindAddress", flag: "healthzBindAddress", kind: SERVER_ADDRESS },
  { path: "metricsBindAddress", flag: "metricsBindAddress", kind: SERVER_ADDRESS },
  { path: "bindAddressHardFail", flag: "bindAddressHardFail", kind: FLAG },
  { path: "serviceMetrics", flag: "serviceMetrics", kind: FLAG },
  { path: "serviceMetricsMax", flag: "serviceMetricsMax", kind: whole(SERVICE_METRICS_LIMITS) },
  { path: "conntrack.maxPerCore", flag: "conntrackMaxPerCore", kind: whole(COUNT), live: true },
  { path: "conntrack.min", flag: "conntrackMin", kind: whole(COUNT), live: true },
  { path: "conntrack.tcpEstablishedTimeout", flag: "conntrackTcpTimeoutEstablished", kind: DURATION, live: true },
  { path: "conntrack.tcpCloseWaitTimeout", flag: "conntrackTcpTimeoutCloseWait", kind: DURATION, live: true },
  { path: "conntrack.tcpBeLiberal", flag: "conntrackTcpBeLiberal", kind: FLAG, live: true },
  { path: "conntrack.udpTimeout", flag: "conntrackUdpTimeout", kind: DURATION, live: true },
  { path: "conntrack.udpStreamTimeout", flag: "conntrackUdpTimeoutStream", kind: DURATION, live: true },
  { path: "oomScoreAdj", flag: "oomScoreAdj", kind: whole(OOM_SCORE_ADJ), live: true },
  { path: "logging.format", flag: "logFormat", kind: word(LOG_FORMATS) },
  { path: "logging.level", flag: "logLevel", kind: word(LOG_LEVELS), live: true },
];
