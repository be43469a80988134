// SPDX-License-Identifier: Apache-2.0
// What deploy/monitoring asks Prometheus for.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

export const MONITORING: string = fileURLToPath(new URL("../../deploy/monitoring", import.meta.url));

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[];
}

interface Dashboard {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
}

export function alertExpressions(): readonly string[] {
  const { groups } = parse(readFileSync(`${MONITORING}/alerts.yaml`, "utf8")) as RuleFile;
  return groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
}

/** Grafana's variables stand in them. */
export function dashboardExpressions(): readonly string[] {
  const { panels } = JSON.parse(readFileSync(`${MONITORING}/dashboard.json`, "utf8")) as Dashboard;
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
}
