// SPDX-License-Identifier: Apache-2.0
// `portolan doctor`: what is not as it should be on this node, and what to do about it. Exit status 1 if there is an error.

import { Command, Option } from "commander";
import { stringify } from "yaml";
import type { Finding } from "../inspect/doctor-types.ts";
import { columns } from "./format/columns.ts";
import { renderJson } from "./format/listing.ts";
import { addStateOptions, type StateOptions } from "./inspect-options.ts";
import { EXIT_NO } from "./run.ts";

interface DoctorOptions extends StateOptions {
  readonly output: "table" | "json" | "yaml";
}

const OTHER_NAMESPACE =
  "portolan: this is not the network namespace of the node: whether its devices have their hooks is not checked\n";

export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description("What is not as it should be on this node, and what to do about it.")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["table", "json", "yaml"]).default("table"));
  return addStateOptions(command).action(run);
}

async function run(options: DoctorOptions): Promise<void> {
  const [{ openInspection }, { CHECKS, examine, readNode }, { netnsCookie, openNetlink }] = await Promise.all([
    import("./inspect-state.ts"),
    import("../inspect/doctor.ts"),
    import("../libbpf/index.ts"),
  ]);
  using opened = openInspection(options);
  using netlink = openNetlink();
  const agent = opened.state.agent();
  // In another network namespace the same index is another device.
  const onNode = agent?.netnsCookie === netnsCookie();
  if (agent && !onNode) process.stderr.write(OTHER_NAMESPACE);
  const node = readNode(opened.state, opened.pins, options.stateDir, onNode ? () => netlink.links() : undefined);
  const findings = examine(node);
  const checked = CHECKS.map(({ name }) => name);
  process.stdout.write(renderFindings(findings, checked, options.output));
  if (findings.some(({ severity }) => severity === "error")) process.exitCode = EXIT_NO;
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
