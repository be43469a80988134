// SPDX-License-Identifier: Apache-2.0
// v1 Node -> model.

import type { Cidr } from "../model/ip.ts";
import type { Node } from "../model/node.ts";
import type { Field } from "./field.ts";
import { dnsName } from "./metadata.ts";

/** What cannot be used of it is left out. Throws InvalidField when it has no name. */
export function toNode(object: Field): Node {
  const addresses = object
    .at("status")
    .at("addresses")
    .each((entry) => {
      const rank = ["InternalIP", "ExternalIP"].indexOf(entry.at("type").requiredString());
      if (rank < 0) return undefined;
      return { rank, address: entry.at("address").ip() ?? entry.at("address").fail("is missing: set it") };
    })
    .filter((own) => own !== undefined);
  return {
    kind: "Node",
    name: dnsName(object.at("metadata").at("name"), 253),
    addresses: [...addresses].sort((a, b) => a.rank - b.rank).map(({ address }) => address),
    podCidrs: podCidrs(object.at("spec")),
    zone: object.orElse(undefined, zoneOf),
    leaving: object.at("metadata").at("deletionTimestamp").present || object.orElse(false, isToBeDeleted),
  };
}

function zoneOf(object: Field): string | undefined {
  return object.at("metadata").at("labels").at("topology.kubernetes.io/zone").string() || undefined;
}

/** The cluster autoscaler is about to take it away. */
function isToBeDeleted(object: Field): boolean {
  const taints = object.at("spec").at("taints").items();
  return taints.some((taint) => taint.at("key").string() === "ToBeDeletedByClusterAutoscaler");
}

/** podCIDRs, or podCIDR in objects older than it. */
function podCidrs(spec: Field): readonly Cidr[] {
  const list = spec.at("podCIDRs");
  const cidrs = list.present ? list.each(podCidr) : [spec.at("podCIDR").orElse(undefined, podCidr)];
  return cidrs.filter((cidr) => cidr !== undefined);
}

function podCidr(field: Field): Cidr | undefined {
  if (!field.string()) return undefined;
  const cidr = field.cidr();
  if (cidr.prefixLength > 0) return cidr;
  return field.fail(`${field.string()} would make a pod of everything: name the range of this node's pods`);
}
