// SPDX-License-Identifier: Apache-2.0
// An object as the API has it -> the model's, with what of it cannot be used. Wherever it comes from.

import type { ModelObject } from "../model/changes.ts";
import { type Intern, toEndpointSlice } from "./endpoint-slice.ts";
import { type Field, InvalidField } from "./field.ts";
import { toNode } from "./node.ts";
import { toNamespace, toPod } from "./pod.ts";
import { toService } from "./service.ts";
import { toServiceCidr } from "./service-cidr.ts";

type Reader = (object: Field, intern: Intern) => ModelObject;

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["v1 Service", toService],
  ["discovery.k8s.io/v1 EndpointSlice", toEndpointSlice],
  ["v1 Node", toNode],
  ["v1 Pod", toPod],
  ["v1 Namespace", toNamespace],
  ["networking.k8s.io/v1 ServiceCIDR", toServiceCidr],
]);

/** `apiVersion kind` of what can be read. */
export const TYPES: readonly string[] = [...READERS.keys()];

/** Kinds without a namespace. */
const CLUSTER_WIDE: ReadonlySet<string> = new Set(["Node", "Namespace", "ServiceCIDR"]);

export interface ReadObject {
  /** undefined: it cannot be used at all; failure says why. */
  readonly object: ModelObject | undefined;
  readonly failure: InvalidField | undefined;
  /** What it is read without, each thing once. */
  readonly leftOut: readonly InvalidField[];
}

/** type: one of TYPES. noted: where the field's onLeftOut puts what it is told. */
export function readObject(field: Field, type: string, noted: InvalidField[], intern: Intern): ReadObject {
  const read = READERS.get(type);
  if (!read) throw new Error(`${type} is none of ${TYPES.join(", ")}`);
  noted.length = 0;
  try {
    return { object: read(field, intern), failure: undefined, leftOut: distinct(noted) };
  } catch (error) {
    if (!(error instanceof InvalidField)) throw error;
    return { object: undefined, failure: error, leftOut: distinct(noted) };
  }
}

/** What several readers could not look into is told of once. */
function distinct(noted: readonly InvalidField[]): readonly InvalidField[] {
  return noted.length === 0 ? [] : [...new Map(noted.map((one) => [one.message, one])).values()];
}

/** As far as it can be said of an object that may be broken: `Service default/web`. */
export function nameOf(field: Field, type: string): string {
  const kind = kindOf(type);
  const name = field.peek("metadata", "name");
  const namespace = isNamespaced(kind) ? `${field.peek("metadata", "namespace") || "default"}/` : "";
  return name === "" ? kind : `${kind} ${namespace}${name}`;
}

export function kindOf(type: string): string {
  return type.slice(type.indexOf(" ") + 1);
}

export function isNamespaced(kind: string): boolean {
  return !CLUSTER_WIDE.has(kind);
}
