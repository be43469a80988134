// SPDX-License-Identifier: Apache-2.0
// Mode ebpf, from top to bottom: checks, load, adopt; then, with the first state in the maps, hooks on devices and cgroups.

import { EbpfDriver } from "../datapath/ebpf/driver.ts";
import { type Pins, pinsUnder, serves } from "../datapath/ebpf/pins.ts";
import { findFilterTables } from "../datapath/netfilter/iptables.ts";
import { keepTranslating } from "../datapath/netfilter/kube-proxy.ts";
import { findOthers } from "../datapath/others.ts";
import { otherWriters } from "../datapath/rules/writers.ts";
import { BpfError, type Features, netnsCookie, probeFeatures } from "../libbpf/index.ts";
import { checkNode } from "./checks.ts";
import { ModeError } from "./errors.ts";
import { ForwardKeeper } from "./forward-keeper.ts";
import { keepHooks } from "./hook-keeper.ts";
import { lockPins } from "./lock.ts";
import type { Log } from "./log.ts";
import { mapSizeTable } from "./map-sizes.ts";
import type { AgentOptions } from "./options.ts";
import { OtherModes } from "./other-modes.ts";
import { keepKubeProxy, refuseOthers } from "./other-proxies.ts";
import { ruleSettings, writerOptions } from "./rule-settings.ts";
import type { FirstState, Serve } from "./serving.ts";
import { socketLog } from "./socket-log.ts";
import { writeStateFile } from "./state-file.ts";
import { startSweeper } from "./sweeper.ts";
import { TakeOver } from "./take-over.ts";
import { VERSION } from "./version.ts";

/** Throws NodeError where the node, or another one who serves it, does not let it begin. */
export const serveEbpf: Serve = async ({ options, choice, log, onEvent, read }, run) => {
  const { cgroupRoot, podCgroups, warnings } = checkNode(options);
  const pins = pinsUnder(options.bpffs);
  using _lock = lockPins(pins);
  read(); // while others are looked for and the kernel checks the programs
  const proxies = await findOthers(options.bpffs, cgroupRoot);
  const { kubeProxy } = proxies;
  await using others = await OtherModes.find(
    otherWriters("ebpf", ruleSettings(options), writerOptions(options, log)),
    log,
  );
  if (!serves(pins) && others.modes.length === 0) refuseOthers(proxies, options.takeOver);
  for (const reason of kubeProxy.unseen)
    log.warn({ reason }, "whether a kube-proxy serves this node cannot be seen whole");
  const features = probeFeatures();
  log.info({ version: VERSION, node: options.nodeName, pins: pins.version, cgroupRoot }, "starting, mode ebpf");
  for (const [feature, { supported, reason }] of Object.entries(features)) {
    if (!supported) log.info({ feature, reason }, "this kernel lacks a feature, done without");
  }
  for (const warning of warnings) log.warn(warning);
  writeStateFile({ options, choice, features }, log);

  using driver = await openDriver(options, pins, features, log).catch((error: unknown) => {
    // Where programs of ours serve already, no other mode may begin beside them.
    if (!(error instanceof BpfError) || serves(pins)) throw error;
    throw new ModeError("ebpf", `its programs could not be loaded: ${error.message}`, { cause: error });
  });
  const adopted = driver.adopt();
  for (const warning of driver.warnings) log.warn(warning);
  log.info({ services: adopted.length }, "adopted");
  using forward = new ForwardKeeper(options.markBits.inbound, findFilterTables, log);
  const accepting = forward.begin(); // iptables takes its time: meanwhile the source is read
  await using takeOver = new TakeOver(driver, log);
  await using kubeProxyKeeper = keepKubeProxy(options.takeOver, driver.optedOut, onEvent, log);
  using _sweeper = startSweeper(driver, log);
  using _hooks = keepHooks(driver, log);
  await run({
    datapath: driver,
    servedBefore: adopted.length > 0,
    adopted,
    counters: driver.counters,
    sockets: { optedOut: driver.optedOut, podCgroups },
    begin: async ({ published, unread, attach }: FirstState) => {
      await accepting;
      const byNetfilter = others.modes.length > 0 || (options.takeOver && kubeProxy.rules.length > 0);
      // On a first start nothing may meet the programs before their state is there; without one it meets nobody's.
      if (adopted.length === 0 && (byNetfilter || !unread)) await published;
      attach();
      await takeOver.attempt();
      if (byNetfilter || driver.optedOut.datagramsOnWire) kubeProxyKeeper.leaveDatagrams();
      kubeProxyKeeper.leaveSockets();
      driver.attachSockets(cgroupRoot, options);
      void forward.keep();
      if (others.modes.length > 0) await keepTranslating();
      await others.leave();
      kubeProxyKeeper.keep();
    },
    reconfigure: (now) => writeStateFile({ options: now, choice, features }, log),
  });
};

async function openDriver(options: AgentOptions, pins: Pins, features: Features, log: Log): Promise<EbpfDriver> {
  const driver = await EbpfDriver.load({
    pins,
    sizes: mapSizeTable(options.sizes),
    config: {
      hostNetnsCookie: netnsCookie(),
      masqueradeAll: options.masqueradeAll,
      detectLocalMode: options.localDetector.mode,
      vipPing: options.vipPing,
      xdp: options.xdp === "native",
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
