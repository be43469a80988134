// SPDX-License-Identifier: Apache-2.0
// The reference model's source ranges: rows 44 and 45, and the annotations beside them (docs/annotations.md).

import { type Address, addressOf, type Family, holds, rangeOf } from "./address.ts";
import { nodeOf } from "./clients.ts";
import type { Frontend } from "./services.ts";
import type { ServiceManifest, World } from "./world.ts";

const KINDS = ["LoadBalancer", "NodePort", "ExternalIP", "ClusterIP"];

/** Whether ranges bind it at all, of whatever family. */
export function hasRanges(service: ServiceManifest): boolean {
  return entriesOf(service).length > 0 || deniedBy(service).length > 0;
}

/** Whom a frontend serves by address; undefined: everybody. */
export function sourceFilter(world: World, frontend: Frontend): ((source: Address) => boolean) | undefined {
  const { manifest, family, kind, balancers } = frontend;
  if (!appliesTo(manifest).has(kind)) return undefined;
  const entries = entriesOf(manifest);
  const ranges = entries.map(rangeOf);
  const allowed = ranges.filter((range) => range?.family === family).filter((range) => range !== undefined);
  const denied = deniedBy(manifest).filter((range) => range.family === family);
  const strict = annotation(manifest, "source-ranges-policy") === "strict" || ranges.includes(undefined);
  const none = allowed.length === 0 && !(strict && entries.length > 0); // row 45
  const open = none || allowed.some(({ length }) => length === 0);
  if (open && denied.length === 0) return undefined;
  const serves = (source: Address): boolean => {
    if (denied.some((range) => holds(range, source))) return false;
    return open || allowed.some((range) => holds(range, source));
  };
  const node = nodeAddress(world, family);
  const nodeServed = node === undefined ? open : serves(node);
  const vips = new Set(nodeServed ? balancers.map(({ text }) => text) : []);
  // row 44: a node that is served may come from the VIP itself
  return (source) => serves(source) || (vips.has(source.text) && !denied.some((range) => holds(range, source)));
}

/** As its processes are known: internal before external. */
function nodeAddress(world: World, family: Family): Address | undefined {
  const listed = nodeOf(world)?.status?.addresses ?? [];
  return (["InternalIP", "ExternalIP"] as const)
    .flatMap((type) => listed.filter((one) => one.type === type).map(({ address }) => addressOf(address)))
    .find((address) => address.family === family);
}

function entriesOf({ spec }: ServiceManifest): readonly string[] {
  return spec.loadBalancerSourceRanges ?? [];
}

function deniedBy(service: ServiceManifest) {
  return words(service, "denied-source-ranges")
    .map(rangeOf)
    .filter((range) => range !== undefined);
}

/** LoadBalancer addresses always (row 44), others by annotation. */
function appliesTo(service: ServiceManifest): ReadonlySet<string> {
  const named = words(service, "source-ranges-apply");
  return new Set(["LoadBalancer", ...(named.includes("all") ? KINDS : named)]);
}

function words(service: ServiceManifest, name: string): readonly string[] {
  const text = annotation(service, name) ?? "";
  return text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

function annotation({ metadata }: ServiceManifest, name: string): string | undefined {
  return metadata.annotations?.[`portolan.dev/${name}`];
}
