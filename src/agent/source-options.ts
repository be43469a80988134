// SPDX-License-Identifier: Apache-2.0
// Which source of Services the flags name: exactly one.

import { resolve } from "node:path";
import { UsageError } from "./errors.ts";

/** Where Services come from. */
export type SourceOptions =
  /** directory: of manifests, absolute. */
  | { readonly kind: "manifests"; readonly directory: string }
  /** kubeconfig: absolute; undefined: what a pod is given. servers: URLs in place of the kubeconfig's. */
  | { readonly kind: "kubernetes"; readonly kubeconfig: string | undefined; readonly servers: readonly string[] };

export interface SourceFlags {
  readonly manifests?: string;
  readonly kubeconfig?: string;
  readonly inCluster?: boolean;
  readonly apiServer?: readonly string[];
}

/** Throws UsageError unless exactly one source is named. */
export function sourceOptions({ manifests, kubeconfig, inCluster, apiServer = [] }: SourceFlags): SourceOptions {
  const named = [manifests !== undefined, kubeconfig !== undefined, inCluster === true].filter((one) => one).length;
  if (named !== 1) {
    const problem = named === 0 ? "no source of Services is named" : "several sources of Services are named";
    throw new UsageError(`${problem}: give one of --kubeconfig FILE, --in-cluster and --manifests DIR`);
  }
  if (manifests !== undefined) {
    if (apiServer.length > 0) throw new UsageError("--api-server: --manifests DIR asks no API server; leave one out");
    return { kind: "manifests", directory: resolve(manifests) };
  }
  const problem = apiServersProblem(apiServer);
  if (problem !== undefined) throw new UsageError(`--api-server: ${problem}`);
  if (kubeconfig !== undefined) return { kind: "kubernetes", kubeconfig: resolve(kubeconfig), servers: apiServer };
  if (apiServer.length > 0) return { kind: "kubernetes", kubeconfig: undefined, servers: apiServer };
  const why = "a pod knows the API server by its ClusterIP, which this agent is to serve first";
  throw new UsageError(`--in-cluster: --api-server URL is missing: ${why}; name the API server's own address`);
}

/** Of the first that is no URL. */
export function apiServersProblem(servers: readonly string[]): string | undefined {
  const wrong = servers.find((server) => !/^https?:$/.test(URL.canParse(server) ? new URL(server).protocol : ""));
  return wrong && `${JSON.stringify(wrong)} is no URL; give one such as https://192.0.2.1:6443`;
}
