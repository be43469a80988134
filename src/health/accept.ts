// SPDX-License-Identifier: Apache-2.0
// Which form of an answer a client asks for, as Kubernetes' API servers negotiate it (k8s.io/apiserver
// pkg/endpoints/handlers/negotiation): the Accept header's media types, whose parameters g, v and as name a group,
// version and kind. Pure.

export interface MediaType {
  readonly type: "application/json" | "application/yaml" | "text/plain";
  /** undefined: no kind is named, as with plain text. */
  readonly as: { readonly group: string; readonly version: string; readonly kind: string } | undefined;
  /** JSON for people. */
  readonly pretty: boolean;
}

/** In the order in which a wildcard takes them. */
const TYPES = ["application/json", "application/yaml", "text/plain"] as const;

interface Clause {
  readonly range: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

/** The best of what the header accepts and allows() has; undefined: there is none. An empty header means text. */
export function negotiate(
  header: string,
  allows: (type: MediaType["type"], as: MediaType["as"]) => boolean,
): MediaType | undefined {
  if (header.trim() === "") return { type: "text/plain", as: undefined, pretty: false };
  const clauses = header.split(",").map(parseClause);
  clauses.sort((a, b) => b.quality - a.quality); // stable: the first of equals
  for (const { range, parameters } of clauses) {
    const as = kindIn(parameters);
    if (parameters.get("stream") || parameters.get("sv")) continue;
    for (const type of TYPES) {
      const fits = range === type || range === "*/*" || range === `${type.slice(0, type.indexOf("/"))}/*`;
      if (fits && allows(type, as)) return { type, as, pretty: parameters.get("pretty") === "1" };
    }
  }
  return undefined;
}

function kindIn(parameters: ReadonlyMap<string, string>): MediaType["as"] {
  const [group, version, kind] = ["g", "v", "as"].map((name) => parameters.get(name));
  if (group === undefined && version === undefined && kind === undefined) return undefined;
  return { group: group ?? "", version: version ?? "", kind: kind ?? "" };
}

/** `type/subtype; name=value; q=0.5` */
function parseClause(text: string): Clause {
  const [range = "", ...rest] = text.split(";").map((part) => part.trim());
  const parameters = new Map<string, string>();
  for (const part of rest) {
    const at = part.indexOf("=");
    if (at > 0) parameters.set(part.slice(0, at).trim(), part.slice(at + 1).trim());
  }
  const quality = Number(parameters.get("q") ?? 1);
  return { range, parameters, quality: Number.isNaN(quality) ? 1 : quality };
}
