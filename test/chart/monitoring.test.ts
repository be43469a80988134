// SPDX-License-Identifier: Apache-2.0
// Alerts, dashboard and scrape configuration before Prometheus' own checker, and the alerts on made-up series.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { dashboardExpressions, MONITORING } from "../support/monitoring.ts";

const directory = mkdtempSync(join(tmpdir(), "pt-monitoring-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Throws with what it found. */
function promtool(...args: readonly string[]): string {
  return execFileSync("promtool", args, { encoding: "utf8", stdio: "pipe" });
}

test("the alerts are rules, and fire when they should and only then", () => {
  expect(promtool("check", "rules", "--lint=all", "--lint-fatal", `${MONITORING}/alerts.yaml`)).toContain("SUCCESS");
  expect(promtool("test", "rules", `${MONITORING}/alerts.test.yaml`)).toContain("SUCCESS");
});

test("every expression of the dashboard is one", () => {
  const rules = dashboardExpressions().map((expression, i) => ({
    record: `panel:${i}`,
    expr: expression.replaceAll("$__rate_interval", "5m").replaceAll("$instance", ".*"),
  }));
  const file = join(directory, "panels.yaml");
  writeFileSync(file, stringify({ groups: [{ name: "panels", rules }] }));
  expect(promtool("check", "rules", file)).toContain(`SUCCESS: ${rules.length} rules found`);
});

test("the scrape configuration is one; Debian's promtool does not know Kubernetes' discovery, which is left out", () => {
  const config = parse(readFileSync(`${MONITORING}/scrape.yaml`, "utf8")) as {
    scrape_configs: Record<string, unknown>[];
  };
  const scrapes = config.scrape_configs.map(({ kubernetes_sd_configs: discovery, ...rest }) => {
    expect(discovery).toEqual([{ role: "pod", namespaces: { names: ["kube-system"] } }]);
    return rest;
  });
  const file = join(directory, "scrape.yaml");
  writeFileSync(file, stringify({ ...config, scrape_configs: scrapes, rule_files: [] }));
  expect(promtool("check", "config", file)).toContain("SUCCESS");
});
