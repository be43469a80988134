// SPDX-License-Identifier: Apache-2.0
// The agent, from top to bottom: source, mode, first state; then every change of Services and of the node goes into the kernel
// until it is told to stop. It leaves the datapath working.

import { once } from "node:events";
import type { Mode } from "../datapath/contract.ts";
import { Network } from "../datapath/network.ts";
import { netnsCookie, openNetlink } from "../libbpf/index.ts";
import type { ClusterEvent, OnEvent } from "../model/cluster-event.ts";
import type { Source } from "../source/source.ts";
import { type Choice, chooseMode, reconsiderOnHangup } from "./choose-mode.ts";
import { type ConfigFile, ConfigFollower } from "./config/config-follower.ts";
import { serveEbpf } from "./ebpf-serving.ts";
import { ModeError } from "./errors.ts";
import { startSource } from "./followers.ts";
import { HealthFollower } from "./health-follower.ts";
import { collectGarbage } from "./heap.ts";
import { applyKernelSettings } from "./kernel-files.ts";
import type { Log } from "./log.ts";
import { nodePortWarnings, parseNodePortRule } from "./node-addresses.ts";
import { NodeFollower } from "./node-follower.ts";
import { beginReading, openSource } from "./open-source.ts";
import { OptOutFollower } from "./opt-out-follower.ts";
import type { AgentOptions } from "./options.ts";
import { identifyPod } from "./pod-identity.ts";
import { RangeFollower } from "./range-follower.ts";
import { serveByRules } from "./rule-serving.ts";
import { ServiceFollower } from "./service-follower.ts";
import type { Serving, SocketBalancing } from "./serving.ts";
import { StatusServers } from "./status-servers.ts";
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
  parseNodePortRule(options.nodePortAddresses); // what cannot be is said before anything is touched
  let now = options;
  const renewed = (later: AgentOptions): void => {
    now = later;
  };
  const unable = new Map<Mode, string>();
  while (!stop.aborted) {
    try {
      await serveOnce(now, unable, { log, stop, configFile, renewed });
    } catch (error) {
      if (!(error instanceof ModeError)) throw error;
      if (now.mode !== "auto") throw error.cause;
      log.error({ err: error }, `mode ${error.mode} could not begin, the next one is tried`);
      unable.set(error.mode, error.message);
    }
  }
}

interface Life {
  readonly log: Log;
  readonly stop: AbortSignal;
  readonly configFile: ConfigFile | undefined;
  /** Told of options that are in force from now on. */
  readonly renewed: (options: AgentOptions) => void;
}

/** Until stop, or until another mode is to serve: the next one then finds what this one has left at work. */
async function serveOnce(
  options: AgentOptions,
  unable: ReadonlyMap<Mode, string>,
  { log, stop, configFile, renewed }: Life,
): Promise<void> {
  await using source: Source = await openSource(options);
  const onEvent = (event: ClusterEvent): void => source.record(event);
  const read = (): void => beginReading(source, log);
  const choice = await chooseMode(options, unable);
  using reconsidered = reconsiderOnHangup(options, choice, log);
  const end = AbortSignal.any([stop, reconsidered.signal]);
  const following = { options, choice, log, stop: end, configFile, source, onEvent, renewed };
  const serve = choice.mode === "ebpf" ? serveEbpf : serveByRules(choice.mode);
  await serve({ options, choice, log, onEvent, read }, (serving) => follow(serving, following));
}

interface Following {
  readonly options: AgentOptions;
  readonly choice: Choice;
  readonly log: Log;
  readonly stop: AbortSignal;
  readonly configFile: ConfigFile | undefined;
  readonly source: Source;
  readonly onEvent: OnEvent;
  readonly renewed: Life["renewed"];
}

/** From the first state to the last, as long as this mode serves. */
async function follow(serving: Serving, following: Following): Promise<void> {
  const { options, choice, log, stop, configFile, source, onEvent, renewed } = following;
  const { datapath, adopted, servedBefore, sockets } = serving;
  deferHelpers(log);
  applyKernelSettings(options.kernel, log);
  const nodePortRule = parseNodePortRule(options.nodePortAddresses);
  for (const warning of nodePortWarnings(nodePortRule)) log.warn(warning);
  using network = new Network(openNetlink(), (error) => log.error({ err: error }, "the network could not be listed"));
  await using status: StatusServers = new StatusServers(
    options,
    {
      mode: datapath.mode,
      reasons: choice.reasons,
      adopted: servedBefore,
      nodeExpected: options.source.kind === "kubernetes", // a directory need not have one
      keepsUp: (family) => services.keepsUp(family),
      begun: () => services.begun,
      onEvent,
      api: source.activity?.bind(source),
      counters: serving.counters,
      unserved: () => datapath.unserved.size,
      problems: () => datapath.problems,
    },
    log,
  );
  const earlier = { any: servedBefore, keys: adopted.map(({ key }) => key) };
  using services = new ServiceFollower(options.nodeName, datapath, earlier, log, status.observer);
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
    adopted: datapath.serviceRanges,
    slices: () => services.slices,
  };
  using ranges = new RangeFollower(surroundings, datapath, log);
  using node = new NodeFollower(options, nodePortRule, network, { driver: datapath, services, ranges, health }, log);
  using optOuts = sockets && followOptOuts(options.nodeName, sockets, log);
  await using _telling = source; // it tells nothing to those above once they are disposed of
  const followers = { node, services, ranges, health, optOuts, driver: datapath };
  const told = startSource(source, followers, !servedBefore);
  await Promise.race([told, aborted(stop)]);
  if (stop.aborted) return;
  onEvent(starting(datapath.mode));

  const beginning = serving.begin({
    published: services.published,
    unread: !services.told,
    attach: () => node.attach(),
  });
  await Promise.race([beginning, aborted(stop)]);
  if (stop.aborted) return;
  status.attached();
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
    serving.reconfigure(now);
    renewed(now);
  };
  using _config = configFile && new ConfigFollower(configFile, reconfigure, log);
  collectGarbage();
  const end = AbortSignal.any([stop, status.failed]);
  if (!end.aborted) await once(end, "abort");
  status.failed.throwIfAborted();
  log.info({ signal: stop.reason }, "stopping; the datapath goes on working");
}

function followOptOuts(nodeName: string, { optedOut, podCgroups }: SocketBalancing, log: Log): OptOutFollower {
  const identify = (directories: readonly string[]) => identifyPod(directories, netnsCookie());
  return new OptOutFollower({ nodeName, podCgroups, identify, table: optedOut, log });
}

async function aborted(stop: AbortSignal): Promise<void> {
  if (!stop.aborted) await once(stop, "abort");
}

function starting(mode: string): ClusterEvent {
  const note = `Portolan ${VERSION} serves this node, mode ${mode}`;
  return { regarding: "this node", type: "Normal", reason: "Starting", action: "StartPortolan", note };
}
