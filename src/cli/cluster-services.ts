// SPDX-License-Identifier: Apache-2.0
// The Services of a cluster for commands that need more of them than the pinned maps hold: from manifests, or from an API
// server, read once.

import type { Command } from "commander";
import { NodeError } from "../agent/errors.ts";
import { type SourceFlags, type SourceOptions, sourceOptions } from "../agent/source-options.ts";
import { VERSION } from "../agent/version.ts";
import type { ModelChanges } from "../model/changes.ts";
import type { EndpointSlice } from "../model/endpoint-slice.ts";
import type { Service } from "../model/service.ts";
import type { SourceProblem } from "../source/source.ts";
import { parseList } from "./flags.ts";

export interface ClusterServices {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

export function addSourceOptions(command: Command): Command {
  return command
    .option("--manifests <dir>", "read the Services of these files, not of the pinned maps")
    .option("--kubeconfig <file>", "read the Services of this API server")
    .option("--api-server <urls>", "its addresses, in place of the kubeconfig's", parseList);
}

/** undefined: no source is named. What cannot be used is said on stderr. */
export async function readCluster(flags: SourceFlags): Promise<ClusterServices | undefined> {
  if (flags.manifests === undefined && flags.kubeconfig === undefined && flags.apiServer === undefined)
    return undefined;
  const source = sourceOptions(flags);
  const { services, endpointSlices } =
    source.kind === "manifests" ? await readFiles(source.directory) : await ask(source);
  return {
    services: services.flatMap(({ current }) => current ?? []),
    slices: endpointSlices.flatMap(({ current }) => current ?? []),
  };
}

async function readFiles(directory: string): Promise<ModelChanges> {
  const [{ ManifestSource }, { checkManifests }, { ChangeTracker }] = await Promise.all([
    import("../source/manifests.ts"),
    import("../agent/checks.ts"),
    import("../model/changes.ts"),
  ]);
  checkManifests(directory);
  await using source = new ManifestSource(directory);
  let read = new ChangeTracker().take(false);
  await source.start((changes) => {
    read = changes; // all that can be had comes at once
  }, tell);
  return read;
}

async function ask({ kubeconfig, servers }: SourceOptions & { readonly kind: "kubernetes" }): Promise<ModelChanges> {
  const { readOnce } = await import("../source/kubernetes/read-once.ts");
  try {
    return await readOnce({ kubeconfig, servers, userAgent: `portolan/${VERSION}`, onProblem: tell });
  } catch (cause) {
    throw new NodeError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function tell({ severity, place, message }: SourceProblem): void {
  if (severity !== "debug") process.stderr.write(`portolan: ${place}: ${message}\n`);
}
