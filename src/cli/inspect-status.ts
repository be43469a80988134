// SPDX-License-Identifier: Apache-2.0
// `portolan status`: is this node served, by whom, and how full is it. Exit status 3 until the first state is in the kernel.

import { Command, Option } from "commander";
import { stringify } from "yaml";
import type { AgentSettings } from "../inspect/settings.ts";
import type { DeviceStatus, Status } from "../inspect/status.ts";
import type { Features } from "../libbpf/types.ts";
import { columns, fields } from "./format/columns.ts";
import { renderJson } from "./format/listing.ts";
import { formatFill } from "./format/quantity.ts";
import { addStateOptions, printOrWatch, type StateOptions } from "./inspect-options.ts";
import { EXIT_NODE } from "./run.ts";

interface StatusOptions extends StateOptions {
  readonly output: "table" | "json" | "yaml";
  readonly watch?: boolean;
  readonly verbose?: boolean;
}

export function statusCommand(): Command {
  const command = new Command("status")
    .description("Is this node served, by whom, through which hooks; how full are the maps.")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["table", "json", "yaml"]).default("table"))
    .option("--watch", "print again whenever it changes, until interrupted")
    .option("--verbose", "also map fill and what this kernel can do");
  return addStateOptions(command).action(run);
}

async function run(options: StatusOptions): Promise<void> {
  const [
    { openInspection },
    { readStatus, ruleStatus },
    { netnsCookie, openNetlink, probeFeatures },
    { readServingMode },
    { readReport },
  ] = await Promise.all([
    import("./inspect-state.ts"),
    import("../inspect/status.ts"),
    import("../libbpf/index.ts"),
    import("../inspect/settings.ts"),
    import("../inspect/rule-report.ts"),
  ]);
  const serving = readServingMode(options.stateDir);
  if (serving && serving.mode !== "ebpf") {
    await printOrWatch(async () => {
      const status = ruleStatus(serving, await readReport(options.stateDir), options.stateDir);
      process.exitCode = status.synced ? 0 : EXIT_NODE;
      return renderStatus(status, options.verbose ? probeFeatures() : undefined, options.output);
    }, options.watch ?? false);
    return;
  }
  using opened = openInspection(options);
  using netlink = openNetlink();
  const features = options.verbose ? probeFeatures() : undefined;
  const read = (): string => {
    // In another network namespace the same index is another device.
    const onNode = opened.state.agent()?.netnsCookie === netnsCookie();
    const status = readStatus(opened.state, opened.pins, options.stateDir, onNode ? netlink.links() : []);
    process.exitCode = status.synced ? 0 : EXIT_NODE;
    return renderStatus(status, features, options.output);
  };
  await printOrWatch(read, options.watch ?? false);
}

function renderStatus(status: Status, features: Features | undefined, format: StatusOptions["output"]): string {
  const all = features ? { ...status, features } : status;
  if (format === "json") return renderJson(all);
  if (format === "yaml") return stringify(all);
  return statusText(status, features);
}

/** For people. */
export function statusText(status: Status, features?: Features): string {
  const { agent } = status;
  const parts = [
    fields([
      ["Mode", status.mode],
      ...status.reasons.map((reason, i) => [i === 0 ? "Why" : "", reason] as const),
      ["Node", status.node ?? "unknown"],
      ["Agent", agent ? agentState(agent) : "never started here"],
      ...settingsLines(agent?.settings),
      ["State", status.synced ? `in the kernel, last change ${status.lastSync ?? "unknown"}` : "not yet in the kernel"],
      ["Services", `${status.services} service ports, ${status.endpoints} endpoints`],
      ...problemLines(status.problems),
      ...(status.detectLocalMode ? [["Pods", `told by detectLocalMode ${status.detectLocalMode}`] as const] : []),
      ...(status.mode === "ebpf" ? hookLines(status) : []),
    ]),
    ...(status.mode === "ebpf" ? [columns(["DEVICE", "ROLES", "HOOKS"], status.devices.map(deviceCells))] : []),
  ];
  if (features) {
    parts.push(
      columns(
        ["MAP", "FILL"],
        status.maps.map(({ map, used, size }) => [map, formatFill(used, size)]),
      ),
      columns(
        ["KERNEL", "SUPPORTED", "WHY"],
        Object.entries(features).map(([name, probe]) => [name, probe.supported ? "yes" : "no", probe.reason]),
      ),
    );
  }
  return parts.join("\n");
}

function hookLines({ sockets, unbalancedPods, drops, pins }: Status): readonly (readonly [string, string])[] {
  return [
    ["Sockets", sockets.length > 0 ? sockets.join(" ") : "no hook attached"],
    ...unbalancedLines(unbalancedPods),
    ["Drops", `${drops} (portolan drops says why)`],
    ["Pins", pins],
  ];
}

function unbalancedLines(pods: Status["unbalancedPods"]): readonly (readonly [string, string])[] {
  return pods.map(({ pod, by }, i) => [
    i === 0 ? "Wire" : "",
    `${pod}, told by its ${by}: its sockets are not balanced`,
  ]);
}

function problemLines(problems: number): readonly (readonly [string, string])[] {
  if (problems === 0) return [];
  return [["Problems", `${problems} objects of which something cannot be used (the agent's log says what)`]];
}

function settingsLines(settings: AgentSettings | null | undefined): readonly (readonly [string, string])[] {
  if (!settings) return [];
  return [
    ["Source", settings.source],
    ["Cgroups", settings.cgroupRoot ?? "all, from the cgroup2 mount"],
    ...(settings.lacks.length > 0
      ? [["Lacks", `${settings.lacks.join(" ")} (portolan doctor says what for)`] as const]
      : []),
  ];
}

function agentState({ running, pid, version, started }: NonNullable<Status["agent"]>): string {
  const who = `version ${version}, started ${started}`;
  return running ? `running as process ${pid}, ${who}` : `stopped (${who}); the datapath works on without it`;
}

function deviceCells({ device, roles, hooks }: DeviceStatus): readonly string[] {
  return [device, roles.join(","), hooks.join(",")];
}
