// SPDX-License-Identifier: Apache-2.0
// Reads the file of --config: a KubeProxyConfiguration, YAML or JSON, as the ConfigMap of kube-proxy holds it. Decoded
// strictly, then without the fields that nobody knows, which are named; so are those that have no effect here.

import { readFileSync } from "node:fs";
import * as v from "valibot";
import { type Parsed, type Path, parseJson, parseYaml, SyntaxProblem } from "../../source/document.ts";
import { pathText } from "../../source/field.ts";
import { UsageError } from "../errors.ts";
import type { FileSettings } from "../options.ts";
import { goDurationMs } from "./go-duration.ts";
import {
  API_VERSION,
  KIND,
  KUBE_PROXY_CONFIGURATION,
  type KubeProxyConfiguration,
  listOf,
} from "./kube-proxy-schema.ts";

export interface ReadConfig {
  readonly settings: FileSettings;
  /** What the user should know of the file; one line each. */
  readonly warnings: readonly string[];
}

/** Default of kube-proxy, when the field is 0 or absent. */
const SYNC_PERIOD_MS = 30_000;

/** Throws UsageError with `FILE:LINE: field: problem`. */
export function readConfigFile(file: string): ReadConfig {
  return readConfig(file, readText(file));
}

/** The same of a text. file: its name in messages; ends with .json if it is JSON. */
export function readConfig(file: string, text: string): ReadConfig {
  const parsed = parse(file, text);
  const at = (path: Path): string => `${file}:${parsed.lineOf(path)}: ${path.length > 0 ? `${pathText(path)}: ` : ""}`;
  checkKind(parsed.value, at);
  const { config, unknown } = decode(parsed.value, at);
  const periods = periodProblem(config);
  if (periods) throw new UsageError(`${at(periods)}must not be longer than syncPeriod`);
  const inOrder = [...unknown].sort((a, b) => parsed.lineOf(a) - parsed.lineOf(b));
  const warnings = inOrder.map((path) => `${at(path)}unknown field, left out`);
  if (config.mode) {
    warnings.push(`${at(["mode"])}${JSON.stringify(config.mode)} does not choose the driver: --mode does`);
  }
  const unused = unusedFields(config);
  if (unused.length > 0) warnings.push(`${file}: has no effect: ${unused.join(", ")}`);
  return { settings: settingsOf(config), warnings };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`--config ${file} cannot be read: ${reason}`, { cause });
  }
}

function parse(file: string, text: string): Parsed {
  try {
    return file.endsWith(".json") ? parseJson(text) : parseYaml(text);
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    throw new UsageError(`${file}:${error.line}: ${error.message}`, { cause: error });
  }
}

function checkKind(value: unknown, at: (path: Path) => string): void {
  const { apiVersion, kind } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (apiVersion === API_VERSION && kind === KIND) return;
  const found = `${apiVersion ?? "no apiVersion"}, ${kind ?? "no kind"}`;
  const hint = kind === "ConfigMap" ? "; give what its data has under config.conf" : "";
  throw new UsageError(`${at([])}must be apiVersion ${API_VERSION}, kind ${KIND}, not ${found}${hint}`);
}

/** Takes unknown fields away one after the other, for the schema names one an object at a time. */
function decode(
  given: unknown,
  at: (path: Path) => string,
): { readonly config: KubeProxyConfiguration; readonly unknown: readonly Path[] } {
  const value: unknown = structuredClone(given);
  const unknown: Path[] = [];
  for (;;) {
    const result = v.safeParse(KUBE_PROXY_CONFIGURATION, value);
    if (result.success) return { config: result.output, unknown };
    const strange = result.issues.filter((issue) => issue.type === "strict_object" && issue.expected === "never");
    const [wrong] = result.issues.filter((issue) => !strange.includes(issue));
    if (wrong) throw new UsageError(`${at(pathOf(wrong))}${wrong.message}`);
    for (const path of strange.map(pathOf)) {
      remove(value, path);
      unknown.push(path);
    }
  }
}

function pathOf(issue: v.BaseIssue<unknown>): Path {
  return (issue.path ?? []).map(({ key }) => (typeof key === "number" ? key : String(key)));
}

function remove(value: unknown, path: Path): void {
  let holder = value as Record<string, unknown>;
  for (const key of path.slice(0, -1)) holder = holder[key] as Record<string, unknown>;
  delete holder[path.at(-1) ?? ""];
}

function periodProblem(config: KubeProxyConfiguration): Path | undefined {
  for (const section of ["iptables", "ipvs", "nftables"] as const) {
    const { syncPeriod, minSyncPeriod } = config[section] ?? {};
    const period = goDurationMs(syncPeriod ?? "0") || SYNC_PERIOD_MS;
    if ((goDurationMs(minSyncPeriod ?? "0") ?? 0) > period) return [section, "minSyncPeriod"];
  }
  return undefined;
}

/** kube-proxy's nftables mode has a section and a default of its own. */
function settingsOf(config: KubeProxyConfiguration): FileSettings {
  const { iptables, nftables, detectLocal, nodePortAddresses } = config;
  const ownAddresses = config.mode === "nftables" ? ["primary"] : [];
  return {
    nodeName: config.hostnameOverride?.trim().toLowerCase() || undefined,
    clusterCidrs: listOf(config.clusterCIDR ?? ""),
    detectLocalMode: config.detectLocalMode || undefined,
    bridgeInterface: detectLocal?.bridgeInterface || undefined,
    interfaceNamePrefix: detectLocal?.interfaceNamePrefix || undefined,
    nodePortAddresses: nodePortAddresses && nodePortAddresses.length > 0 ? nodePortAddresses : ownAddresses,
    masqueradeAll: (config.mode === "nftables" ? nftables : iptables)?.masqueradeAll ?? false,
    localhostNodePorts: iptables?.localhostNodePorts ?? true,
  };
}

/** What settingsOf() reads, and what is none of anybody's setting. */
function hasEffect(path: string, mode: string): boolean {
  if (path === "iptables.masqueradeAll") return mode !== "nftables";
  if (path === "nftables.masqueradeAll") return mode === "nftables";
  return EFFECTIVE.some((field) => path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`));
}
const EFFECTIVE: readonly string[] = [
  "apiVersion",
  "kind",
  "mode",
  "hostnameOverride",
  "clusterCIDR",
  "detectLocalMode",
  "detectLocal",
  "nodePortAddresses",
  "iptables.localhostNodePorts",
];

/** Fields that say something and change nothing; kubeadm writes every field, most of them empty. */
function unusedFields(config: KubeProxyConfiguration): readonly string[] {
  const found: string[] = [];
  const visit = (value: unknown, path: Path): void => {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      for (const [key, member] of Object.entries(value)) visit(member, [...path, key]);
    } else if (!isEmpty(value) && !hasEffect(pathText(path), config.mode ?? "")) found.push(pathText(path));
  };
  visit(config, []);
  return found;
}

function isEmpty(value: unknown): boolean {
  return !value || value === "0" || value === "0s" || (Array.isArray(value) && value.length === 0);
}
