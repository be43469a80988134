// SPDX-License-Identifier: Apache-2.0
// `doctor` on a node that rules serve: the checks. Pure.

import type { Others } from "../datapath/others.ts";
import { byPrograms } from "./doctor-proxies.ts";
import { trappedRanges } from "./doctor-sources.ts";
import type { Finding } from "./doctor-types.ts";
import type { RuleReport } from "./rule-report.ts";
import { ruleServices } from "./rule-state.ts";
import type { AgentSettings, ServingMode } from "./settings.ts";

/** A node as its agent tells. */
export interface RuleNode {
  readonly serving: ServingMode;
  readonly settings: AgentSettings | null;
  /** undefined: no agent answers. */
  readonly report: RuleReport | undefined;
  /** What of the rules is not as it was written. */
  readonly faults: readonly string[];
  /** Pods' bridges, each with a sysctl that keeps its packets from netfilter; none in another network namespace. */
  readonly unseenBridges: readonly UnseenBridge[];
  /** undefined: this is another network namespace. */
  readonly others: Others | undefined;
}

export interface UnseenBridge {
  readonly bridge: string;
  /** net.bridge.bridge-nf-call-iptables */
  readonly sysctl: string;
  /** Without: it is there and off. */
  readonly missing: boolean;
}

interface RuleCheck {
  readonly name: string;
  readonly look: (node: RuleNode) => readonly Omit<Finding, "check">[];
}

/** So many faults are named. */
const NAMED_FAULTS = 5;

const MODE: RuleCheck = {
  name: "mode",
  look: ({ serving: { mode, reasons } }) => {
    const why = reasons.length > 0 ? reasons.join("; ") : "why is not on record";
    const chosen = reasons.includes(`--mode ${mode}`);
    const advice = chosen
      ? "if that is meant, nothing; else start the agent without it"
      : "mend that and send the agent SIGHUP, which makes it ask the node again; or, if that cannot be, nothing";
    return [{ severity: "warning", what: `this node is served in mode ${mode}, not ebpf: ${why}`, do: advice }];
  },
};

const AGENT: RuleCheck = {
  name: "agent",
  look: ({ report, serving: { pid, started } }) => {
    if (report) return [];
    const what = `the agent, process ${pid} since ${started}, does not answer: what its rules knew is served on`;
    const advice = "start it: until then no change of a Service or an endpoint counts, and flushed rules stay away";
    return [{ severity: "warning", what, do: advice }];
  },
};

const STATE: RuleCheck = {
  name: "state",
  look: ({ report }) => {
    if (!report || report.lastSync !== null) return [];
    const advice = "if the agent is just starting, ask again; else its log says what is in its way";
    return [{ severity: "error", what: "the Services are not yet in the kernel", do: advice }];
  },
};

const OBJECTS: RuleCheck = {
  name: "objects",
  look: ({ report, settings }) => {
    const problems = report?.problems ?? 0;
    if (problems === 0) return [];
    const place = settings ? ` of ${settings.source}` : "";
    const what = `${problems} ${problems === 1 ? "object" : "objects"}${place}, of which something cannot be used or is missing`;
    return [{ severity: "warning", what, do: "the agent's log names each, with its place and field" }];
  },
};

const RULES: RuleCheck = {
  name: "rules",
  look: ({ faults }) => {
    if (faults.length === 0) return [];
    const more = faults.length > NAMED_FAULTS ? `, and ${faults.length - NAMED_FAULTS} more` : "";
    const what = `rules are not as the agent wrote them: ${faults.slice(0, NAMED_FAULTS).join(", ")}${more}`;
    const advice = "find out who changes them; the agent writes anew what it misses, and starting it writes all of it";
    return [{ severity: "error", what, do: `${advice} (\`portolan diff\` names each)` }];
  },
};

const BRIDGES: RuleCheck = {
  name: "bridges",
  look: ({ unseenBridges }) =>
    unseenBridges.map(({ bridge, sysctl, missing }) => ({
      severity: "warning",
      what: `pods are on bridge ${bridge} and ${sysctl} is ${missing ? "not there" : "0"}: what one pod of it answers another through a Service goes past the rules, and is lost`,
      do: `${missing ? "modprobe br_netfilter, then " : ""}sysctl -w ${sysctl}=1`,
    })),
};

const PROXIES: RuleCheck = {
  name: "service-proxies",
  look: ({ others }) => {
    if (!others) return [];
    const places = others.kubeProxy.rules.map(({ mode, places: of }) => `mode ${mode}: ${of.join(", ")}`).join("; ");
    if (places === "") return byPrograms(others);
    const what = `a kube-proxy's rules are at work beside ours (${places}): of two the first that a packet meets decides`;
    const advice = "stop kube-proxy; an agent with --take-over removes its rules";
    return [{ severity: "error", what, do: advice }, ...byPrograms(others)];
  },
};

const SOURCE_RANGES: RuleCheck = {
  name: "source-ranges",
  look: ({ report }) => trappedRanges(ruleServices(report?.services ?? [])),
};

/** In the order of their findings. */
export const RULE_CHECKS: readonly RuleCheck[] = [
  ...[MODE, STATE, AGENT, OBJECTS, RULES, BRIDGES, PROXIES, SOURCE_RANGES],
];

export function examineRules(node: RuleNode): readonly Finding[] {
  return RULE_CHECKS.flatMap(({ name, look }) => look(node).map((found) => ({ check: name, ...found })));
}
