// SPDX-License-Identifier: Apache-2.0
// Command line and file together: a flag that was given beats the file, the file beats a flag's default.

import type { AgentFlags, FileFlags } from "../options.ts";

/** Whether the command line says it, be it the default. */
export type IsGiven = (flag: keyof AgentFlags) => boolean;

/** Where Services come from: who names one of these on the command line means nothing of what the file says of it. */
const SOURCES: readonly (keyof AgentFlags)[] = ["manifests", "kubeconfig", "inCluster"];
const OF_SOURCES: readonly string[] = [...SOURCES, "apiServer"];

export function mergeFlags(flags: AgentFlags, isGiven: IsGiven, file: FileFlags): AgentFlags {
  const sourceGiven = SOURCES.some(isGiven);
  const counts = Object.entries(file).filter(
    ([flag]) => !isGiven(flag as keyof AgentFlags) && !(sourceGiven && OF_SOURCES.includes(flag)),
  );
  return { ...flags, ...Object.fromEntries(counts) };
}
