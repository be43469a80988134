// SPDX-License-Identifier: Apache-2.0
// Command line and file together: a flag that was given beats the file, the file beats a flag's default.

import type { AgentFlags, FileFlags } from "../options.ts";

/** Whether the command line says it, be it the default. */
export type IsGiven = (flag: keyof AgentFlags) => boolean;

/** Where Services come from: who names one of these on the command line means no other. */
const SOURCES: readonly string[] = ["manifests", "kubeconfig", "inCluster"] satisfies (keyof AgentFlags)[];

export function mergeFlags(flags: AgentFlags, isGiven: IsGiven, file: FileFlags): AgentFlags {
  const sourceGiven = (SOURCES as readonly (keyof AgentFlags)[]).some(isGiven);
  const counts = Object.entries(file).filter(
    ([flag]) => !isGiven(flag as keyof AgentFlags) && !(sourceGiven && SOURCES.includes(flag)),
  );
  return { ...flags, ...Object.fromEntries(counts) };
}
