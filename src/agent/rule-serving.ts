// SPDX-License-Identifier: Apache-2.0
// The modes that serve by rules of netfilter: checks, then the driver; with the first state written, what other modes and a
// kube-proxy have left goes.

import { readFileSync } from "node:fs";
import { capabilityLack, missingCapabilities } from "../datapath/capabilities.ts";
import { LeavingEbpf } from "../datapath/ebpf/leaving.ts";
import { pinsUnder, serves } from "../datapath/ebpf/pins.ts";
import { datagramTimes } from "../datapath/netfilter/conntrack-times.ts";
import { findFilterTables } from "../datapath/netfilter/iptables.ts";
import { RuleDriver } from "../datapath/rules/driver.ts";
import { forgetStaleDatagrams, forgetUntranslated } from "../datapath/rules/stale-datagrams.ts";
import { openWriter, otherWriters, type RuleMode } from "../datapath/rules/writers.ts";
import type { RuleReport } from "../inspect/rule-report.ts";
import { netnsCookie, probeFeatures } from "../libbpf/index.ts";
import { NodeError } from "./errors.ts";
import { ForwardKeeper } from "./forward-keeper.ts";
import { lockNode } from "./lock.ts";
import type { AgentOptions } from "./options.ts";
import { OtherModes } from "./other-modes.ts";
import { findOthersByRules, keepKubeProxy, refuseOthers } from "./other-proxies.ts";
import { RuleReporter } from "./rule-report.ts";
import { ruleSettings, writerOptions } from "./rule-settings.ts";
import type { Serve } from "./serving.ts";
import { writeStateFile } from "./state-file.ts";
import { VERSION } from "./version.ts";

/** Throws NodeError where another one who serves the node does not let it begin. */
export function serveByRules(mode: RuleMode): Serve {
  return async ({ options, choice, log, onEvent, read }, run) => {
    using _lock = lockNode(options);
    read();
    const settings = ruleSettings(options);
    const ofWriters = writerOptions(options, log);
    const writer = openWriter(mode, settings, ofWriters);
    const pins = pinsUnder(options.bpffs);
    using leaving = new LeavingEbpf(pins, datagramTimes);
    if (serves(pins)) refuseUnableToLeave();
    await using others = await OtherModes.find([leaving, ...otherWriters(mode, settings, ofWriters)], log);
    const servedBefore = await writer.present();
    const proxies = await findOthersByRules(options.bpffs, (reason) =>
      log.warn({ reason }, "whether programs of others serve this node cannot be seen"),
    );
    if (!servedBefore && others.modes.length === 0) refuseOthers(proxies, options.takeOver);
    log.info({ version: VERSION, node: options.nodeName, servedBefore }, `starting, mode ${mode}`);
    for (const reason of choice.reasons) log.info(reason);
    const features = probeFeatures();
    writeStateFile({ options, choice, features }, log);

    await using driver = new RuleDriver({
      writer,
      local: options.localDetector,
      servedBefore,
      onError: (error) => log.error({ err: error }, "rules could not be written, it is tried again"),
      onHealing: () => log.warn("rules of ours were gone, they are written anew"),
      forgetDatagrams: forgetStaleDatagrams,
      forgetUntranslated,
    });
    using _reporter = new RuleReporter(
      options.stateDir,
      () => ruleReport(driver, options),
      () => driver.faults(),
      log,
    );
    using forward = new ForwardKeeper(options.markBits.inbound, findFilterTables, log);
    await using kubeProxyKeeper = keepKubeProxy(options.takeOver, undefined, onEvent, log);
    await run({
      datapath: driver,
      servedBefore,
      adopted: [],
      counters: undefined,
      sockets: undefined,
      begin: async ({ published, unread, attach }) => {
        if (mode !== "ipvs") await forward.begin(); // whose own rules accept
        attach();
        // What else serves may not go before ours does.
        if (others.modes.length > 0 || options.takeOver || !(servedBefore || unread)) await published;
        if (mode !== "ipvs") void forward.keep();
        await others.leave();
        kubeProxyKeeper.keep();
      },
      reconfigure: (now) => writeStateFile({ options: now, choice, features }, log),
    });
  };
}

function ruleReport(driver: RuleDriver, options: AgentOptions): RuleReport {
  const { lastWritten, problems, inForce, surroundings, podDevices } = driver;
  const { localDetector, masqueradeAll, localhostNodePorts, ipvsScheduler } = options;
  return {
    lastSync: lastWritten?.toISOString() ?? null,
    problems,
    services: [...inForce],
    around: { ...surroundings, foreign: [...surroundings.foreign] },
    podDevices,
    detectLocalMode: localDetector.mode,
    ...{ masqueradeAll, localhostNodePorts, ipvsScheduler },
    netnsCookie: String(netnsCookie()),
  };
}

/** Programs come before rules: those that nobody may take away would serve what they knew last, for ever. */
function refuseUnableToLeave(): void {
  const lack = capabilityLack(missingCapabilities(readFileSync("/proc/self/status", "utf8")));
  if (lack === undefined) return;
  throw new NodeError(`programs of mode ebpf serve this node, and rules count only once they are gone: ${lack}`);
}
