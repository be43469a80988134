// SPDX-License-Identifier: Apache-2.0
// What is shipped for Kubernetes, as it stands in deploy/kustomize/base: the chart with its default values.
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "./manifests.ts";

const FILE = new URL("../../deploy/kustomize/base/portolan.yaml", import.meta.url);

/** Capabilities that every node is served with, whatever the values. */
export const SERVING_CAPABILITIES: readonly string[] = ["BPF", "NET_ADMIN", "PERFMON"];

export interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string; readonly host?: string };
}

export interface PodContainer {
  readonly name: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: {
    readonly privileged?: boolean;
    readonly runAsUser?: number;
    readonly readOnlyRootFilesystem?: boolean;
    readonly allowPrivilegeEscalation?: boolean;
    readonly appArmorProfile?: { readonly type: string };
    readonly capabilities: { readonly drop: readonly string[]; readonly add?: readonly string[] };
  };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

export interface PodSpec {
  readonly hostPID?: boolean;
  readonly initContainers?: readonly PodContainer[];
  readonly containers: readonly PodContainer[];
}

/** All objects, in the order of the file. */
export function shippedObjects(): readonly KubeObject[] {
  return parseAllDocuments(readFileSync(FILE, "utf8")).flatMap(
    (document) => (document.toJS() as KubeObject | null) ?? [],
  );
}

export function shippedObject(kind: string): KubeObject {
  const found = shippedObjects().find((object) => object.kind === kind);
  if (found === undefined) throw new Error(`${FILE.pathname} has no ${kind}`);
  return found;
}

export function shippedPod(): PodSpec {
  return podOf(shippedObject("DaemonSet"));
}

/** That a DaemonSet makes. */
export function podOf(daemonSet: KubeObject): PodSpec {
  const { template } = daemonSet.spec as { template: { spec: PodSpec } };
  return template.spec;
}

export function shippedContainer(name: string): PodContainer {
  const { containers, initContainers = [] } = shippedPod();
  const found = [...containers, ...initContainers].find((container) => container.name === name);
  if (found === undefined) throw new Error(`the DaemonSet has no container ${name}`);
  return found;
}

/** The text of the configuration file. */
export function shippedConfiguration(): string {
  const { data } = shippedObject("ConfigMap") as unknown as { data: Readonly<Record<string, string>> };
  return data["configuration.yaml"] ?? "";
}
