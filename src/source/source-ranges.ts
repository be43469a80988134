// SPDX-License-Identifier: Apache-2.0
// From where a Service may be used: spec.loadBalancerSourceRanges and the annotations beside it. What cannot be read is
// left out, and never opens what the rest closes.

import { type Cidr, parseCidr } from "../model/ip.ts";
import type { FrontendKind, SourceRanges } from "../model/service.ts";
import type { Field } from "./field.ts";

const POLICIES = ["default", "strict"] as const;
const KINDS: readonly FrontendKind[] = ["LoadBalancer", "NodePort", "ExternalIP", "ClusterIP"];

/** undefined: everybody may use it. */
export function readSourceRanges(object: Field): SourceRanges | undefined {
  const annotation = <T>(key: string, instead: T, read: (field: Field) => T): T =>
    object.orElse(instead, (whole) => read(whole.at("metadata").at("annotations").at(key)));
  const entries = entriesOf(object.at("spec").at("loadBalancerSourceRanges"));
  const allowed = entries.filter((entry) => entry !== undefined);
  const ranges = (field: Field) => words(field, (text) => [rangeOf(field, text)]);
  const denied = annotation("portolan.dev/denied-source-ranges", [], ranges);
  const policy = annotation("portolan.dev/source-ranges-policy", "default", (field) => field.word(POLICIES, "default"));
  const kindWords = (field: Field) => words(field, (text) => kindsOf(field, text));
  const named = annotation("portolan.dev/source-ranges-apply", [], kindWords);
  if (entries.length === 0 && denied.length === 0) return undefined;
  // Row 45, but for a range that nobody can read: it may have been its family's only one.
  const strict = entries.length > 0 && (policy === "strict" || allowed.length < entries.length);
  const kinds = KINDS.filter((kind) => kind === "LoadBalancer" || named.includes(kind));
  return { allowed, denied, strict, kinds };
}

/** undefined for what cannot be read. */
function entriesOf(list: Field): readonly (Cidr | undefined)[] {
  const fields = list.orElse<readonly Field[] | undefined>(undefined, (field) => field.items());
  if (!fields) return [undefined];
  return fields.map((entry) => entry.orElse(undefined, (field) => rangeOf(field, field.string() ?? "")));
}

/** What read makes of the words of a comma-separated annotation, less those that cannot be used. */
function words<T>(field: Field, read: (text: string) => readonly T[]): readonly T[] {
  const texts = (field.string() ?? "").split(",").map((text) => text.trim());
  return texts.filter((text) => text !== "").flatMap((text) => field.orElse<readonly T[]>([], () => read(text)));
}

function rangeOf(field: Field, text: string): Cidr {
  return (
    parseCidr(text) ?? field.fail(`${JSON.stringify(text)} is not an address range: use one such as 203.0.113.0/24`)
  );
}

function kindsOf(field: Field, text: string): readonly FrontendKind[] {
  const kinds = text === "all" ? KINDS : KINDS.filter((kind) => kind === text);
  if (kinds.length > 0) return kinds;
  return field.fail(`${JSON.stringify(text)} is not known: use ${KINDS.join(", ")}, all`);
}
