// SPDX-License-Identifier: Apache-2.0
// The agent, from top to bottom: lock, checks, load, adopt, first state, attach; then every change of Services and of
// the node goes into the kernel until it is told to stop. It leaves the datapath working.

import { once } from "node:events";
import { EbpfDriver } from "../datapath/ebpf/driver.ts";
import { type Pins, pinsUnder, serves } from "../datapath/ebpf/pins.ts";
import { findFilterTables } from "../datapath/netfilter/iptables.ts";
import { Network } from "../datapath/network.ts";
import { findOthers } from "../datapath/others.ts";
import { type Features, netnsCookie, openNetlink, probeFeatures } from "../libbpf/index.ts";
import type { ClusterEvent } from "../model/cluster-event.ts";
import type { Source } from "../source/source.ts";
import { checkNode } from "./checks.ts";
import { type ConfigFile, ConfigFollower } from "./config/config-follower.ts";
import { startSource } from "./followers.ts";
import { ForwardKeeper } from "./forward-keeper.ts";
import { HealthFollower } from "./health-follower.ts";
import { collectGarbage } from "./heap.ts";
import { applyKernelSettings } from "./kernel-files.ts";
import { lockPins } from "./lock.ts";
import type { Log } from "./log.ts";
import { mapSizeTable } from "./map-sizes.ts";
import { nodePortWarnings, parseNodePortRule } from "./node-addresses.ts";
import { NodeFollower } from "./node-follower.ts";
import { beginReading, openSource } from "./open-source.ts";
import { OptOutFollower } from "./opt-out-follower.ts";
import type { AgentOptions } from "./options.ts";
import { keepKubeProxy, refuseOthers } from "./other-proxies.ts";
import { identifyPod } from "./pod-identity.ts";
import { RangeFollower } from "./range-follower.ts";
import { ServiceFollower } from "./service-follower.ts";
import { socketLog } from "./socket-log.ts";
import { writeStateFile } from "./state-file.ts";
import { StatusServers } from "./status-servers.ts";
import { startSweeper } from "./sweeper.ts";
import { TakeOver } from "./take-over.ts";
import { deferHelpers } from "./threads.ts";
import { VERSION } from "./version.ts";

/**
 * Runs until stop is aborted. configFile: where the options come from, followed. Throws UsageError or NodeError when it cannot
 * begin; after that nothing ends it.
 */
export async function runAgent(
  options: AgentOptions,
  log: Log,
  stop: AbortSignal,
  configFile?: ConfigFile,
): Promise<void> {
  const nodePortRule = parseNodePortRule(options.nodePortAddresses);
  await using source: Source = await openSource(options);
  const onEvent = (event: ClusterEvent): void => source.record(event);
  const { cgroupRoot, podCgroups, warnings } = checkNode(options);
  const pins = pinsUnder(options.bpffs);
  using _lock = lockPins(pins);
  deferHelpers(log);
  beginReading(source, log); // it reads while others are looked for and the kernel checks the programs
  const others = await findOthers(options.bpffs, cgroupRoot);
  const { kubeProxy } = others;
  if (!serves(pins)) refuseOthers(others, options.takeOver);
  for (const reason of kubeProxy.unseen)
    log.warn({ reason }, "whether a kube-proxy serves this node cannot be seen whole");
  const features = probeFeatures();
  log.info({ version: VERSION, node: options.nodeName, pins: pins.version, cgroupRoot }, "starting, mode ebpf");
  for (const [feature, { supported, reason }] of Object.entries(features)) {
    if (!supported) log.info({ feature, reason }, "this kernel lacks a feature, done without");
  }
  for (const warning of [...warnings, ...nodePortWarnings(nodePortRule)]) log.warn(warning);
  writeStateFile(options, features, log);
  applyKernelSettings(options.kernel, log);

  using driver = await openDriver(options, pins, features, log);
  const adopted = driver.adopt();
  for (const warning of driver.warnings) log.warn(warning);
  log.info({ services: adopted.length }, "adopted");

  using forward = new ForwardKeeper(options.markBits.inbound, findFilterTables, log);
  const accepting = forward.begin(); // iptables takes its time: meanwhile the source is read
  using network = new Network(openNetlink(), (error) => log.error({ err: error }, "the network could not be listed"));
  await using status: StatusServers = new StatusServers(
    options,
    {
      mode: driver.mode,
      adopted: adopted.length > 0,
      nodeExpected: options.source.kind === "kubernetes", // a directory need not have one
      keepsUp: (family) => services.keepsUp(family),
      begun: () => services.begun,
      onEvent,
      api: source.activity?.bind(source),
      counters: driver.counters,
      unserved: () => driver.unserved.size,
      problems: () => driver.problems,
    },
    log,
  );
  using services = new ServiceFollower(
    options.nodeName,
    driver,
    adopted.map(({ key }) => key),
    log,
    status.observer,
  );
  await using health = new HealthFollower(options.nodeName, nodePortRule, adopted, {
    isServed: (namespace, name) => services.isServed(namespace, name),
    log,
    onEvent,
  });
  const { localDetector, serviceCidrs } = options;
  const clusterCidrs = localDetector.mode === "ClusterCIDR" ? localDetector.cidrs : [];
  const surroundings = {
    flagged: serviceCidrs,
    clusterCidrs,
    view: () => network.view(),
    adopted: driver.serviceRanges,
    slices: () => services.slices,
  };
  using ranges = new RangeFollower(surroundings, driver, log);
  using node = new NodeFollower(options, nodePortRule, network, { driver, services, ranges, health }, log);
  using optOuts = new OptOutFollower({
    nodeName: options.nodeName,
    podCgroups,
    identify: (directories) => identifyPod(directories, netnsCookie()),
    table: driver.optedOut,
    log,
  });
  await using _telling = source; // it tells nothing to those above once they are disposed of
  const told = startSource(source, { node, services, ranges, health, optOuts, driver }, adopted.length === 0);
  await Promise.race([told, aborted(stop)]);
  if (stop.aborted) return;
  onEvent(starting(driver.mode));

  await accepting;
  // On a first start nothing may meet the programs before their state is there.
  node.attach();
  await using takeOver = new TakeOver(driver, log);
  await takeOver.attempt();
  await using kubeProxyKeeper = keepKubeProxy(options.takeOver, driver.optedOut, onEvent, log);
  if (options.takeOver) kubeProxyKeeper.begin(kubeProxy, driver.optedOut.datagramsOnWire);
  driver.attachSockets(cgroupRoot, options);
  status.attached();
  void forward.keep();
  kubeProxyKeeper.keep();
  using _sweeper = startSweeper(driver, log);
  health.serve();
  log.info("ready");
  const reconfigure = (now: AgentOptions): void => {
    log.level = now.logLevel;
    applyKernelSettings(now.kernel, log);
    const rule = parseNodePortRule(now.nodePortAddresses);
    for (const warning of nodePortWarnings(rule)) log.warn(warning);
    health.setRule(rule);
    ranges.setFlagged(now.serviceCidrs);
    node.reconfigure(now, rule);
    status.reconfigure(now);
    writeStateFile(now, features, log);
  };
  using _config = configFile && new ConfigFollower(configFile, reconfigure, log);
  collectGarbage();
  const end = AbortSignal.any([stop, status.failed]);
  if (!end.aborted) await once(end, "abort");
  status.failed.throwIfAborted();
  log.info({ signal: stop.reason }, "stopping; the datapath goes on working");
}

async function aborted(stop: AbortSignal): Promise<void> {
  if (!stop.aborted) await once(stop, "abort");
}

function starting(mode: string): ClusterEvent {
  const note = `Portolan ${VERSION} serves this node, mode ${mode}`;
  return { regarding: "this node", type: "Normal", reason: "Starting", action: "StartPortolan", note };
}

async function openDriver(options: AgentOptions, pins: Pins, features: Features, log: Log): Promise<EbpfDriver> {
  const driver = await EbpfDriver.load({
    pins,
    sizes: mapSizeTable(options.sizes),
    config: {
      hostNetnsCookie: netnsCookie(),
      masqueradeAll: options.masqueradeAll,
      detectLocalMode: options.localDetector.mode,
      vipPing: options.vipPing,
      snatPorts: options.snatPorts,
      nodePorts: options.nodePorts,
      markBits: options.markBits,
      features,
    },
    tcAttachment: features.tcx.supported ? "tcx" : "clsact",
    nodeName: options.nodeName,
    version: VERSION,
    onError: (error) => log.error({ err: error }, "freeing old state failed, it is tried again"),
    staleSockets: socketLog(log),
  });
  for (const { map, wanted, pinned } of driver.sizeConflicts) {
    log.warn({ map, wanted, pinned }, "the pinned map keeps its size; portolan cleanup makes room for another");
  }
  return driver;
}
