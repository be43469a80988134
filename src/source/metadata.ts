// SPDX-License-Identifier: Apache-2.0
// metadata of a Kubernetes object: names as the API server admits them, labels and annotations.

import type { Field } from "./field.ts";

export interface Name {
  readonly namespace: string;
  readonly name: string;
}

/** A manifest without a namespace means "default". maxLength: 63 for a label, 253 for a subdomain (RFC 1123). */
export function namespacedName(object: Field, maxLength: number): Name {
  const metadata = object.at("metadata");
  const namespace = metadata.at("namespace");
  return {
    namespace: namespace.string() ? dnsName(namespace, 63) : "default",
    name: dnsName(metadata.at("name"), maxLength),
  };
}

export function dnsName(field: Field, maxLength: number): string {
  const text = field.requiredString();
  if (text.length > maxLength) field.fail(`has ${text.length} characters: at most ${maxLength} are allowed`);
  const valid = maxLength === 63 ? /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/ : /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/;
  if (valid.test(text)) return text;
  const dots = maxLength === 63 ? "" : ", dots";
  return field.fail(`${JSON.stringify(text)} is not a name: use lower-case letters, digits${dots} and - inside`);
}

/** Whether the label is set, to whatever value. */
export function hasLabel(object: Field, label: string): boolean {
  return object.at("metadata").at("labels").at(label).present;
}
