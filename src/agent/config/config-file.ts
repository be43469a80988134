// SPDX-License-Identifier: Apache-2.0
// The file of --config: Portolan's own, or a KubeProxyConfiguration as the ConfigMap of kube-proxy holds it. Either says
// what flags would say; a flag that is given beats it.

import { UsageError } from "../errors.ts";
import type { AgentFlags, FileFlags } from "../options.ts";
import { parseConfig } from "./document.ts";
import { API_VERSION, FIELDS, KIND } from "./fields.ts";
import { KUBE_PROXY_NAMES, kubeProxyFlags } from "./kube-proxy-config.ts";
import { API_VERSION as KUBE_PROXY_API_VERSION, KIND as KUBE_PROXY_KIND } from "./kube-proxy-schema.ts";
import { portolanFlags } from "./portolan-config.ts";

export interface ReadConfig {
  readonly flags: FileFlags;
  /** What the user should know of the file; one line each. */
  readonly warnings: readonly string[];
  /** What this kind of file calls a flag. */
  readonly nameOf: (flag: keyof AgentFlags) => string;
}

/**
 * Throws UsageError with `FILE:LINE: field: problem`. file: its name in messages, where paths begin; ends with .json if it is
 * JSON.
 */
export function readConfig(file: string, text: string): ReadConfig {
  const document = parseConfig(file, text);
  const { apiVersion, kind } = document;
  if (apiVersion === API_VERSION && kind === KIND) {
    return { flags: portolanFlags(file, document), warnings: [], nameOf: portolanName };
  }
  if (apiVersion === KUBE_PROXY_API_VERSION && kind === KUBE_PROXY_KIND) {
    return { ...kubeProxyFlags(file, document), nameOf: (flag) => KUBE_PROXY_NAMES[flag] ?? flag };
  }
  const wanted = [`${API_VERSION}, kind ${KIND}`, `${KUBE_PROXY_API_VERSION}, kind ${KUBE_PROXY_KIND}`].join(", or ");
  const found = `${apiVersion ?? "no apiVersion"}, ${kind ?? "no kind"}`;
  const hint = kind === "ConfigMap" ? "; give what its data has under config.conf" : "";
  throw new UsageError(`${document.at([])}must be apiVersion ${wanted}, not ${found}${hint}`);
}

function portolanName(flag: keyof AgentFlags): string {
  return FIELDS.find((field) => field.flag === flag)?.path ?? flag;
}
