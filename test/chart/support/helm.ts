// SPDX-License-Identifier: Apache-2.0
// The chart, rendered by Helm.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments, stringify } from "yaml";
import type { KubeObject } from "../../support/manifests.ts";
import { type PodSpec, podOf } from "../../support/shipped.ts";

export const CHART: string = fileURLToPath(new URL("../../../deploy/helm/portolan", import.meta.url));
const API_SERVERS = ["https://192.0.2.10:6443"];

/** Runs helm; throws an Error with what it said. */
export function helm(...args: readonly string[]): string {
  try {
    return execFileSync(process.env.HELM ?? "helm", args, { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    if (error instanceof Error && "stderr" in error) throw new Error(String(error.stderr), { cause: error });
    throw error;
  }
}

/** With these values beside one API server's address. */
export function render(values: object = {}): readonly KubeObject[] {
  const directory = mkdtempSync(join(tmpdir(), "pt-chart-"));
  try {
    const file = join(directory, "values.yaml");
    writeFileSync(file, stringify({ apiServers: API_SERVERS, ...values }));
    const text = helm("template", "portolan", CHART, "-n", "kube-system", "--kube-version", "1.37.1", "-f", file);
    return parseAllDocuments(text).flatMap((document) => (document.toJS() as KubeObject | null) ?? []);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export function renderObject(kind: string, values: object = {}): KubeObject {
  const found = render(values).find((object) => object.kind === kind);
  if (found === undefined) throw new Error(`the chart renders no ${kind} with ${JSON.stringify(values)}`);
  return found;
}

export function renderPod(values: object = {}): PodSpec {
  return podOf(renderObject("DaemonSet", values));
}
