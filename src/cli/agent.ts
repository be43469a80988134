// SPDX-License-Identifier: Apache-2.0
// `portolan agent`: the flags. What they do is in src/agent.

import { resolve } from "node:path";
import { Command, Option } from "commander";
import type { ConfigFile } from "../agent/config/config-follower.ts";
import { DETECT_LOCAL_MODES } from "../agent/local-detector.ts";
import {
  type AgentFlags,
  agentOptions,
  COUNT,
  type FileFlags,
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
} from "../agent/options.ts";
import type { PortRange } from "../agent/port-range.ts";
import {
  bpffsOption,
  parseCount,
  parseDuration,
  parseList,
  parseMarkBits,
  parsePortRange,
  stateDirOption,
} from "./flags.ts";

const MARK_BITS = { inbound: 29, outbound: 30 };
const SNAT_PORTS = { min: 1024, max: 65_535 };
/** Default of kube-apiserver. */
const NODE_PORTS = { min: 30_000, max: 32_767 };

interface OpenConfig {
  readonly file: ConfigFile;
  readonly warnings: readonly string[];
}

export function agentCommand(): Command {
  return new Command("agent")
    .description("Serve this node: read Services and keep the datapath in step with them.")
    .option("--manifests <dir>", "directory of Service, EndpointSlice, Node, Pod and Namespace files, watched")
    .option("--kubeconfig <file>", "read from the API server that its current context names, as the user that it names")
    .option("--in-cluster", "read from an API server as the service account of this pod")
    .option(
      "--api-server <urls>",
      "API servers' own addresses, tried in turn in place of the kubeconfig's: never a ClusterIP, which is served here",
      parseList,
    )
    .option("--config <file>", "a PortolanConfiguration or a KubeProxyConfiguration, YAML or JSON; a flag beats it")
    .option("--node-name <name>", "this node's name in the cluster (default: the host's name)")
    .addOption(new Option("--mode <mode>", "driver of the datapath").choices(MODES).default("auto"))
    .addOption(
      new Option(
        "--iptables-variant <variant>",
        "where modes iptables and ipvs write: auto is where the node's rules are",
      )
        .choices(IPTABLES_VARIANTS)
        .default("auto"),
    )
    .addOption(
      new Option("--ipvs-scheduler <scheduler>", "of virtual servers in mode ipvs")
        .choices(IPVS_SCHEDULERS)
        .default("rr"),
    )
    .option("--ipvs-strict-arp", "in mode ipvs the node leaves ARP for VIPs to others, such as MetalLB")
    .option("--no-ipvs-strict-arp", "it answers (default)")
    .option("--devices <patterns>", "devices that are uplinks, beside those found (eth*,bond0)", parseList)
    .option("--pod-devices <patterns>", "devices that lead to pods, whatever they look like (tap*)", parseList)
    .option(
      "--nodeport-addresses <cidrs>",
      'node addresses that serve NodePorts, or "primary" (default: all)',
      parseList,
    )
    .option("--localhost-nodeports", "serve NodePorts at 127.0.0.1 and ::1 too, to the node's own processes (default)")
    .option("--no-localhost-nodeports", "serve none there")
    .addOption(
      new Option("--detect-local-mode <mode>", "how local pods are told from other clients on the wire").choices(
        DETECT_LOCAL_MODES,
      ),
    )
    .option(
      "--cluster-cidr <cidrs>",
      "the cluster's pod range, one a family: local pods in mode ClusterCIDR",
      parseList,
    )
    .option("--pod-bridge-interface <name>", "the pods' bridge, in mode BridgeInterface")
    .option("--pod-interface-name-prefix <prefix>", "how pods' devices begin, in mode InterfaceNamePrefix")
    .option("--cgroup-root <dir>", "cgroup2 directory whose sockets are balanced (default: where cgroup2 is mounted)")
    .option(
      "--pod-cgroups <dir>",
      "cgroup directory, of either version, in which kubelet has kubepods or kubepods.slice",
    )
    .addOption(bpffsOption())
    .addOption(stateDirOption())
    .option("--max-services <n>", "service ports, per family", parseCount(...MAP_LIMITS.maxServices), 65_536)
    .option("--max-backends <n>", "distinct endpoints", parseCount(...MAP_LIMITS.maxBackends), 262_144)
    .option("--max-flows <n>", "records of flows on the wire", parseCount(...MAP_LIMITS.maxFlows), 1_048_576)
    .addOption(portRange("--snat-port-range <min-max>", "ports for masqueraded connections", SNAT_PORTS))
    .addOption(portRange("--service-node-port-range <min-max>", "the API server's, kept free of SNAT", NODE_PORTS))
    .addOption(
      new Option("--mark-bits <in,out>", "bits of the packet mark that nobody else uses")
        .argParser(parseMarkBits)
        .default(MARK_BITS, "29,30"),
    )
    .option(
      "--masquerade-bit <bit>",
      "in modes of rules, the bit of what is to be masqueraded (default: the second of --mark-bits)",
      parseCount(...MARK_BIT),
    )
    .option("--masquerade-all", "backends see a node address for every connection to a cluster IP")
    .option("--no-masquerade-all", "only where they must (default)")
    .option("--protect-nodeports", "refuse bind() to a NodePort, which no socket holds, to processes of the host")
    .option("--no-protect-nodeports", "leave bind() alone (default)")
    .option("--vip-ping", "addresses of Services answer ping")
    .option("--no-vip-ping", "they do not (default)")
    .addOption(
      new Option("--xdp <mode>", "native: before the stack, on uplinks whose drivers can")
        .choices(XDP_MODES)
        .default("off"),
    )
    .option("--take-over", "take the rules of a kube-proxy on this node away once ours serve")
    .option("--no-take-over", "refuse to begin where it has any (default)")
    .option("--service-cidr <cidrs>", "where ClusterIPs come from, beside ServiceCIDR objects", parseList)
    .option("--healthz-bind-address <address>", 'where /healthz is answered; "" is nowhere', "0.0.0.0:10256")
    .option("--metrics-bind-address <address>", 'where /metrics is; "" is nowhere', "127.0.0.1:10249")
    .option("--service-metrics", "counters of each Service among the metrics, four series a service port")
    .option(
      "--service-metrics-max <n>",
      "service ports with counters of their own, the rest are summed as _other",
      parseCount(...SERVICE_METRICS_LIMITS),
      1000,
    )
    .option("--bind-address-hard-fail", "end the agent where one of these cannot be bound")
    .option(
      "--conntrack-max-per-core <n>",
      "netfilter's nf_conntrack_max for each CPU; 0: as it is",
      parseCount(...COUNT),
    )
    .option(
      "--conntrack-min <n>",
      "least nf_conntrack_max, where it is set by the CPUs (default: 131072)",
      parseCount(...COUNT),
    )
    .option(
      "--conntrack-tcp-timeout-established <t>",
      "netfilter's, of idle TCP connections; 0: as it is",
      parseDuration,
    )
    .option(
      "--conntrack-tcp-timeout-close-wait <t>",
      "netfilter's, of TCP connections that one end has closed",
      parseDuration,
    )
    .option("--conntrack-tcp-be-liberal", "netfilter takes no TCP segment for invalid by its window")
    .option("--no-conntrack-tcp-be-liberal", "leave that as it is (default)")
    .option("--conntrack-udp-timeout <t>", "netfilter's, of UDP without an answer", parseDuration)
    .option("--conntrack-udp-timeout-stream <t>", "netfilter's, of UDP with answers", parseDuration)
    .option(
      "--oom-score-adj <n>",
      "the agent's, for the out-of-memory killer: -1000 (never) to 1000",
      parseCount(...OOM_SCORE_ADJ),
    )
    .addOption(new Option("--log-format <format>", "format of the log on stderr").choices(LOG_FORMATS).default("text"))
    .addOption(new Option("--log-level <level>", "least level logged").choices(LOG_LEVELS).default("info"))
    .action(run);
}

function portRange(flag: string, description: string, initial: PortRange): Option {
  return new Option(flag, description).argParser(parsePortRange).default(initial, `${initial.min}-${initial.max}`);
}

async function run(given: AgentFlags, command: Command): Promise<void> {
  const config = given.config === undefined ? undefined : await openConfig(given.config, given, command);
  const flags = config?.file.flags ?? given;
  const options = agentOptions(flags);
  const [{ runAgent }, { openAgentLog }] = await Promise.all([import("../agent/agent.ts"), import("../agent/log.ts")]);
  const { log, ended } = openAgentLog(options);
  process.on("uncaughtExceptionMonitor", ended);
  for (const warning of config?.warnings ?? []) log.warn(warning);
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort("SIGTERM"));
  process.once("SIGINT", () => stop.abort("SIGINT"));
  process.on("SIGHUP", () => undefined);
  try {
    await runAgent(options, log, stop.signal, config?.file);
  } catch (error) {
    ended(error);
    throw error;
  }
}

async function openConfig(name: string, given: AgentFlags, command: Command): Promise<OpenConfig> {
  const [{ readText }, { readConfig }, { mergeFlags }] = await Promise.all([
    import("../agent/config/document.ts"),
    import("../agent/config/config-file.ts"),
    import("../agent/config/merge.ts"),
  ]);
  const path = resolve(name);
  const text = readText(path);
  const { flags, warnings } = readConfig(path, text);
  const isGiven = (flag: string) => command.getOptionValueSource(flag) === "cli";
  const merge = (file: FileFlags) => mergeFlags(given, isGiven, file);
  return { file: { path, text, flags: merge(flags), merge }, warnings };
}
