// SPDX-License-Identifier: Apache-2.0
// Where Services come from, as the options say. What only an API server needs is loaded only for one.

import { join } from "node:path";
import { ManifestSource } from "../source/manifests.ts";
import type { Source, SourceProblem } from "../source/source.ts";
import { checkManifests } from "./checks.ts";
import { UsageError } from "./errors.ts";
import type { Log } from "./log.ts";
import type { AgentOptions } from "./options.ts";
import { VERSION } from "./version.ts";

type Options = Pick<AgentOptions, "source" | "nodeName" | "stateDir">;

/** Throws UsageError for a directory or a kubeconfig that cannot be read. */
export async function openSource({ source, nodeName, stateDir }: Options): Promise<Source> {
  if (source.kind === "manifests") {
    checkManifests(source.directory);
    return new ManifestSource(source.directory);
  }
  const { KubernetesSource } = await import("../source/kubernetes/kubernetes-source.ts");
  const { kubeconfig, servers } = source;
  try {
    const checkpoint = join(stateDir, "checkpoint");
    return new KubernetesSource({ nodeName, userAgent: `portolan/${VERSION}`, checkpoint, kubeconfig, servers });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`--kubeconfig ${reason}: name a kubeconfig whose current context is a cluster's`, { cause });
  }
}

/** It reads from now on, and what is wrong with what it reads is logged. */
export function beginReading(source: Source, log: Log): void {
  source.begin(({ severity, place, message }: SourceProblem) => {
    const level = severity === "warning" ? "warn" : severity;
    log[level](`${place}: ${message}`);
  });
}
