// SPDX-License-Identifier: Apache-2.0
// `portolan doctor`: what is not as it should be on this node, and what to do about it. Exit status 1 if there is an error.

import { Command, Option } from "commander";
import { stringify } from "yaml";
import type { RuleNode } from "../inspect/doctor-rules.ts";
import type { Finding } from "../inspect/doctor-types.ts";
import type { ServingMode } from "../inspect/settings.ts";
import { columns } from "./format/columns.ts";
import { renderJson } from "./format/listing.ts";
import { addStateOptions, type StateOptions } from "./inspect-options.ts";
import type { OpenedState } from "./inspect-state.ts";
import { EXIT_NO } from "./run.ts";

interface DoctorOptions extends StateOptions {
  readonly output: "table" | "json" | "yaml";
}

const OTHER_NAMESPACE =
  "portolan: this is not the network namespace of the node: whether its devices have their hooks is not checked\n";

const OTHER_NAMESPACE_RULES =
  "portolan: this is not the network namespace of the node: its bridges and other proxies are not checked\n";

export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description("What is not as it should be on this node, and what to do about it.")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["table", "json", "yaml"]).default("table"));
  return addStateOptions(command).action(run);
}

async function run(options: DoctorOptions): Promise<void> {
  const [{ readServingMode }, { RULE_CHECKS, examineRules }] = await Promise.all([
    import("../inspect/settings.ts"),
    import("../inspect/doctor-rules.ts"),
  ]);
  const serving = readServingMode(options.stateDir);
  if (!serving || serving.mode === "ebpf") await examinePrograms(options);
  else print(examineRules(await readRuleNode(serving, options)), RULE_CHECKS, options);
}

function print(
  findings: readonly Finding[],
  checks: readonly { readonly name: string }[],
  { output }: DoctorOptions,
): void {
  const checked = checks.map(({ name }) => name);
  process.stdout.write(renderFindings(findings, checked, output));
  if (findings.some(({ severity }) => severity === "error")) process.exitCode = EXIT_NO;
}

async function readRuleNode(serving: ServingMode, { stateDir, bpffs }: DoctorOptions): Promise<RuleNode> {
  const [
    { readFaults, readReport },
    { unseenBridges },
    { readSettings },
    { findOthersByRules },
    { netnsCookie, openNetlink },
  ] = await Promise.all([
    import("../inspect/rule-report.ts"),
    import("../inspect/unseen-bridges.ts"),
    import("../inspect/settings.ts"),
    import("../agent/other-proxies.ts"),
    import("../libbpf/index.ts"),
  ]);
  const [report, faults = []] = await Promise.all([readReport(stateDir), readFaults(stateDir)]);
  const onNode = report?.netnsCookie === String(netnsCookie());
  if (report && !onNode) process.stderr.write(OTHER_NAMESPACE_RULES);
  using netlink = openNetlink();
  return {
    serving,
    settings: readSettings(stateDir, serving.pid),
    report,
    faults,
    unseenBridges: report && onNode ? unseenBridges(report.podDevices, netlink.links()) : [],
    others: onNode ? await findOthersByRules(bpffs, (why) => process.stderr.write(`portolan: ${why}\n`)) : undefined,
  };
}

async function examinePrograms(options: DoctorOptions): Promise<void> {
  const [{ CHECKS, examine, readNode }, { netnsCookie, openNetlink }, { findOthers }] = await Promise.all([
    import("../inspect/doctor.ts"),
    import("../libbpf/index.ts"),
    import("../datapath/others.ts"),
  ]);
  using opened = await openOrTell(options);
  using netlink = openNetlink();
  const agent = opened.state.agent();
  // In another network namespace the same index is another device.
  const onNode = agent?.netnsCookie === netnsCookie();
  if (agent && !onNode) process.stderr.write(OTHER_NAMESPACE);
  const others = agent && !onNode ? undefined : await findOthers(options.bpffs);
  const node = readNode(
    opened.state,
    opened.pins,
    options.stateDir,
    onNode ? () => netlink.links() : undefined,
    others,
  );
  print(examine(node), CHECKS, options);
}

/** Where there is no state yet, what would be in an agent's way comes first; the error says what is missing. */
async function openOrTell(options: DoctorOptions): Promise<OpenedState> {
  const [{ openInspection }, { examineOthers }, { findOthers }] = await Promise.all([
    import("./inspect-state.ts"),
    import("../inspect/doctor.ts"),
    import("../datapath/others.ts"),
  ]);
  try {
    return openInspection(options);
  } catch (error) {
    const findings = examineOthers(await findOthers(options.bpffs));
    if (findings.length > 0) process.stdout.write(renderFindings(findings, [], options.output));
    throw error;
  }
}

/** checked: the names of the checks, for people who are told that none found anything. */
export function renderFindings(
  findings: readonly Finding[],
  checked: readonly string[],
  format: DoctorOptions["output"],
): string {
  if (format === "json") return renderJson(findings);
  if (format === "yaml") return stringify(findings);
  if (findings.length === 0) return `nothing found; checked: ${checked.join(", ")}\n`;
  return columns(
    ["SEVERITY", "CHECK", "FINDING"],
    findings.map(({ severity, check, what, do: advice }) => [severity, check, `${what}: ${advice}`]),
  );
}
