// SPDX-License-Identifier: Apache-2.0
// networking.k8s.io/v1 ServiceCIDR -> model.

import type { Cidr } from "../model/ip.ts";
import type { ServiceCidr } from "../model/service-cidr.ts";
import type { Field } from "./field.ts";
import { dnsName } from "./metadata.ts";

/** Ranges that cannot be used are left out. Throws InvalidField when it has no name. */
export function toServiceCidr(object: Field): ServiceCidr {
  return {
    kind: "ServiceCIDR",
    name: dnsName(object.at("metadata").at("name"), 253),
    cidrs: object.at("spec").at("cidrs").each(toRange),
  };
}

/** Everything would be in it, and what is in it and no Service's is dropped. */
function toRange(field: Field): Cidr {
  const range = field.cidr();
  return range.prefixLength > 0
    ? range
    : field.fail(`${field.string()} is every address there is: name a smaller range`);
}
