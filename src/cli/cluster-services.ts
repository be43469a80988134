// SPDX-License-Identifier: Apache-2.0
// What a cluster says, for commands that need more of it than the pinned maps hold: from manifests, or from an API server,
// read once.

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
    .option("--manifests <dir>", "read Services from these files")
    .option("--kubeconfig <file>", "read them from this API server")
    .option("--in-cluster", "read them from an API server as the service account of this pod")
    .option("--api-server <urls>", "its addresses, in place of the kubeconfig's", parseList);
}

export function namesSource({ manifests, kubeconfig, inCluster, apiServer }: SourceFlags): boolean {
  return manifests !== undefined || kubeconfig !== undefined || inCluster === true || apiServer !== undefined;
}

/** undefined: no source is named. What cannot be used is said on stderr. */
export async function readCluster(flags: SourceFlags): Promise<ClusterServices | undefined> {
  if (!namesSource(flags)) return undefined;
  const { services, endpointSlices } = await readModel(sourceOptions(flags));
  return {
    services: services.flatMap(({ current }) => current ?? []),
    slices: endpointSlices.flatMap(({ current }) => current ?? []),
  };
}

/**
 * All that there is, as changes from nothing. servedOn: of an API server only what the agent of this node serves, and
 * its Node; else all Services and slices. Rejects with NodeError where an API server does not tell.
 */
export function readModel(source: SourceOptions, servedOn?: string): Promise<ModelChanges> {
  return source.kind === "manifests" ? readFiles(source.directory) : ask(source, servedOn);
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
  source.begin(tell);
  await source.start((changes) => {
    read = changes; // all that can be had comes at once
  });
  return read;
}

async function ask(
  { kubeconfig, servers }: SourceOptions & { readonly kind: "kubernetes" },
  servedOn: string | undefined,
): Promise<ModelChanges> {
  const [{ readOnce }, { ALL_SERVICES, servedBy }] = await Promise.all([
    import("../source/kubernetes/read-once.ts"),
    import("../source/kubernetes/resources.ts"),
  ]);
  const resources = servedOn === undefined ? ALL_SERVICES : servedBy(servedOn);
  try {
    return await readOnce({ kubeconfig, servers, resources, userAgent: `portolan/${VERSION}`, onProblem: tell });
  } catch (cause) {
    throw new NodeError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function tell({ severity, place, message }: SourceProblem): void {
  if (severity !== "debug") process.stderr.write(`portolan: ${place}: ${message}\n`);
}
