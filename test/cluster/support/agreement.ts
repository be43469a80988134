// SPDX-License-Identifier: Apache-2.0
// Whether a node serves what the API server has: `portolan services` and `portolan backends` beside Services and slices; and
// what `portolan diff` says.
import { expect } from "vitest";
import type { NodeHost } from "../../../src/demo/lab/plan.ts";
import { portolan } from "../../../src/demo/portolan.ts";
import type { KubeObject } from "../../support/manifests.ts";
import { until } from "../../support/until.ts";
import type { ControlPlane } from "./control-plane.ts";

interface ServicePort {
  readonly name?: string;
  readonly protocol: string;
  readonly port: number;
}

interface Endpoint {
  readonly addresses: readonly string[];
  readonly conditions: { readonly ready?: boolean };
}

/** Resolves once they agree; rejects with what is missing and what is too much. Nothing may change meanwhile. */
export async function agreed(plane: ControlPlane, node: NodeHost, timeoutMs = 90_000): Promise<void> {
  const wanted = await wantedLines(plane);
  let difference = "";
  const agrees = async () => {
    const served = new Set(await servedLines(node));
    const missing = [...wanted].filter((line) => !served.has(line));
    const extra = [...served].filter((line) => !wanted.has(line));
    difference = [...missing.map((line) => `missing: ${line}`), ...extra.map((line) => `too much: ${line}`)]
      .slice(0, 10)
      .join("\n");
    return difference === "";
  };
  await until(`${node.name} serves what the API server has`, agrees, timeoutMs).catch((cause: unknown) => {
    throw new Error(`${node.name} does not serve what the API server has:\n${difference}`, { cause });
  });
}

/** Rejects with what `portolan diff` finds there, by the source of the node's agent. Nothing may change meanwhile. */
export async function nothingDiffers(node: NodeHost): Promise<void> {
  expect(await portolan(node, ["diff"])).toBe("");
}

/** "test/web:http TCP 10.96.0.1:80" for each ClusterIP of a port, "... -> 10.9.1.1:8080" for each ready endpoint. */
async function wantedLines(plane: ControlPlane): Promise<ReadonlySet<string>> {
  const [services, slices] = await Promise.all(
    ["/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices"].map((path) => plane.api.list(path)),
  );
  const lines = new Set<string>();
  const ports = new Map<string, ReadonlySet<string>>();
  for (const { metadata, spec } of services ?? []) {
    const { clusterIPs = [], ports: own } = spec as { clusterIPs?: readonly string[]; ports: readonly ServicePort[] };
    const key = `${metadata.namespace}/${metadata.name}`;
    ports.set(key, new Set(own.map(portName)));
    for (const port of own)
      for (const address of clusterIPs) lines.add(`${key}${portName(port)} ${endpoint(address, port.port)}`);
  }
  for (const slice of slices ?? []) {
    const key = `${slice.metadata.namespace}/${slice.metadata.labels?.["kubernetes.io/service-name"]}`;
    for (const port of slice.ports as readonly ServicePort[]) {
      if (!ports.get(key)?.has(portName(port))) continue;
      for (const address of readyAddresses(slice))
        lines.add(`${key}${portName(port)} -> ${endpoint(address, port.port)}`);
    }
  }
  return lines;
}

async function servedLines(node: NodeHost): Promise<readonly string[]> {
  const rows = async <Row>(listing: string) =>
    JSON.parse(await portolan(node, [listing, "-o", "json"])) as readonly Row[];
  const services = await rows<{ service: string; protocol: string; frontends: readonly string[] }>("services");
  const backends = await rows<{ service: string; protocol: string; endpoint: string }>("backends");
  return [
    ...services.flatMap(({ service, protocol, frontends }) => frontends.map((one) => `${service} ${protocol} ${one}`)),
    ...backends.map((backend) => `${backend.service} ${backend.protocol} -> ${backend.endpoint}`),
  ];
}

function readyAddresses(slice: KubeObject): readonly string[] {
  const endpoints = (slice.endpoints ?? []) as readonly Endpoint[];
  return endpoints
    .filter(({ conditions }) => conditions.ready !== false)
    .flatMap(({ addresses }) => addresses.slice(0, 1));
}

function portName({ name, protocol }: ServicePort): string {
  return `${name ? `:${name}` : ""} ${protocol}`;
}

function endpoint(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
