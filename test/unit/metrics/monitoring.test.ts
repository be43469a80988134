// SPDX-License-Identifier: Apache-2.0
// The alerts and the dashboard in deploy/monitoring ask for metrics, labels and drop reasons that there are.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { dropReasonNames } from "../../../src/datapath/ebpf/abi.gen.ts";
import { alertExpressions, dashboardExpressions } from "../../support/monitoring.ts";
import { root } from "../house/source-files.ts";

const EXPRESSIONS = [...alertExpressions(), ...dashboardExpressions()];
/** What Prometheus itself adds to each series. */
const ADDED = ["instance", "job", "le"];

interface Documented {
  readonly type: string;
  readonly labels: readonly string[];
}

/** The rows of docs/metrics.md, by the names that they have in Prometheus. */
function documented(): ReadonlyMap<string, Documented> {
  const text = readFileSync(`${root}/docs/metrics.md`, "utf8");
  const found = new Map<string, Documented>([["up", { type: "gauge", labels: [] }]]);
  for (const [, name = "", type = "", cell = ""] of text.matchAll(/^\| `(\w+)` \| (\w+) \|([^|]*)\|/gm)) {
    const labels = [...cell.matchAll(/`(\w+)`/g)].flatMap(([, label]) => label ?? []);
    const names = type === "histogram" ? ["_bucket", "_sum", "_count"].map((suffix) => name + suffix) : [name];
    for (const one of names) found.set(one, { type, labels });
  }
  return found;
}

/** The metrics of an expression: names of ours, of kube-proxy, of the client and of the process. */
function metricsOf(expression: string): readonly string[] {
  return expression.match(/\b(portolan|kubeproxy|rest_client|process|kubernetes)_\w+|\bup\b/g) ?? [];
}

test("there are expressions, and each asks for a metric", () => {
  expect(alertExpressions().length).toBeGreaterThan(5);
  expect(dashboardExpressions().length).toBeGreaterThan(15);
  for (const expression of EXPRESSIONS) expect(metricsOf(expression), expression).not.toEqual([]);
});

test("every metric that is asked for is in docs/metrics.md", () => {
  const known = documented();
  expect(EXPRESSIONS.flatMap(metricsOf).filter((name) => !known.has(name))).toEqual([]);
});

test("every label that is asked for is one of the metric's", () => {
  const known = documented();
  for (const expression of EXPRESSIONS) {
    const labels = metricsOf(expression).flatMap((name) => known.get(name)?.labels ?? []);
    const matched = [...expression.matchAll(/\{([^}]*)\}/g)].flatMap(
      ([, inner = ""]) => inner.match(/\w+(?=[=!]~?")/g) ?? [],
    );
    const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, inner = ""]) => inner.split(/, */));
    expect(
      [...matched, ...grouped].filter((label) => ![...labels, ...ADDED].includes(label)),
      expression,
    ).toEqual([]);
  }
});

test("every drop reason that is asked for is one", () => {
  const asked = EXPRESSIONS.flatMap((expression) => [
    ...expression.matchAll(/portolan_drops_total\{reason=~"([^"]+)"/g),
  ]);
  const reasons = asked.flatMap(([, names = ""]) => names.split("|"));
  expect(reasons.length).toBeGreaterThan(0);
  expect(reasons.filter((name) => !Object.values(dropReasonNames).includes(name))).toEqual([]);
});
