// SPDX-License-Identifier: Apache-2.0
// Kubernetes objects in short, and compiled services as lines of text, for tables of cases.

import { Compiler } from "../../../src/compile/compiler.ts";
import type { CompiledService, Member } from "../../../src/compile/state.ts";
import { ChangeTracker, type ModelChanges, type ModelObject, objectKey } from "../../../src/model/changes.ts";
import { readDocument } from "../../../src/source/manifest-document.ts";

export type Json = Record<string, unknown>;

/** Service default/web: 10.96.0.10, port http 80. spec is merged; other fields replace. */
export function service(spec: Json = {}, other: Json = {}): Json {
  const ports = [{ name: "http", port: 80 }];
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web" },
    ...other,
    spec: { clusterIP: "10.96.0.10", ports, ...spec },
  };
}

/** EndpointSlice default/web-1 of Service web: IPv4, port http 8080. */
export function slice(endpoints: readonly Json[], other: Json = {}): Json {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080 }],
    endpoints,
    ...other,
  };
}

/** `here` and `there` are node names; conditions as they are written in Kubernetes. */
export function endpoint(address: string, nodeName?: string, conditions: Json = {}): Json {
  return { addresses: [address], conditions, ...(nodeName === undefined ? {} : { nodeName }) };
}

/** As a source would hand it on; throws what it would report. */
export function toModel(object: Json): ModelObject {
  const { objects, findings } = readDocument(JSON.stringify(object), "json", (text) => text);
  const [model] = objects;
  if (!model) throw new Error(findings.map(({ message }) => message).join("; "));
  return model;
}

/** Objects appear. */
export function appear(...objects: readonly Json[]): ModelChanges {
  return changes(objects.map((object) => [undefined, object]));
}

export function changes(steps: readonly (readonly [Json | undefined, Json | undefined])[]): ModelChanges {
  const tracker = new ChangeTracker();
  for (const [before, after] of steps) {
    const [previous, current] = [before && toModel(before), after && toModel(after)];
    const some = current ?? previous;
    if (some) tracker.record(objectKey(some), previous, current);
  }
  return tracker.take(true);
}

/** What an agent on node `here` compiles from these objects. */
export function compile(...objects: readonly Json[]): readonly CompiledService[] {
  return new Compiler("here").update(appear(...objects)).delta.upsert;
}

/** `ClusterIP 10.96.0.10:80/TCP`, or `NodePort *:30080/TCP` */
export function frontendLines(services: readonly CompiledService[]): readonly string[] {
  return services.flatMap(({ frontends, protocol }) =>
    frontends.map(({ kind, address, port }) => `${kind} ${address ?? "*"}:${port}/${protocol}`),
  );
}

/** `10.244.0.2:8080`, with ` local` and ` terminating` behind it. */
export function memberLines(members: readonly Member[]): readonly string[] {
  return members.map(
    ({ address, port, local, terminating }) =>
      `${address}:${port}${local ? " local" : ""}${terminating ? " terminating" : ""}`,
  );
}
