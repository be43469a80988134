// SPDX-License-Identifier: Apache-2.0
// v1 Node -> model.

import { type Cidr, parseCidr } from "../model/ip.ts";
import type { Node } from "../model/node.ts";
import type { Field } from "./field.ts";
import { dnsName } from "./metadata.ts";

/** Throws InvalidField. */
export function toNode(object: Field): Node {
  const addresses = object.at("status").at("addresses").items();
  const own = addresses.filter((entry) => ["InternalIP", "ExternalIP"].includes(entry.at("type").requiredString()));
  return {
    kind: "Node",
    name: dnsName(object.at("metadata").at("name"), 253),
    addresses: own.map((entry) => entry.at("address").ip() ?? entry.at("address").fail("is missing: set it")),
    podCidrs: podCidrs(object.at("spec")),
    zone: object.at("metadata").at("labels").at("topology.kubernetes.io/zone").string() || undefined,
  };
}

/** podCIDRs, or podCIDR in objects older than it. */
function podCidrs(spec: Field): readonly Cidr[] {
  const list = spec.at("podCIDRs").items();
  const fields = list.length > 0 ? list : [spec.at("podCIDR")];
  const cidrs: Cidr[] = [];
  for (const field of fields) {
    const text = field.string();
    if (!text) continue;
    cidrs.push(
      parseCidr(text) ?? field.fail(`${JSON.stringify(text)} is not an address range: use one such as 10.244.1.0/24`),
    );
  }
  return cidrs;
}
