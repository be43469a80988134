// SPDX-License-Identifier: Apache-2.0
// v1 Pod and v1 Namespace -> model.

import { type Family, familyOf, type Ip } from "../model/ip.ts";
import type { Namespace, Pod } from "../model/pod.ts";
import type { Intern } from "./endpoint-slice.ts";
import type { Field } from "./field.ts";
import { dnsName, namespacedName } from "./metadata.ts";

/** What cannot be used of it is left out. Throws InvalidField when it has no name. */
export function toPod(object: Field, intern: Intern): Pod {
  const spec = object.at("spec");
  return {
    kind: "Pod",
    ...namespacedName(object, 253),
    uid: object.orElse("", uidOf),
    nodeName: intern(spec.orElse("", (field) => field.at("nodeName").string() ?? "")),
    hostNetwork: spec.orElse(false, (field) => field.at("hostNetwork").boolean(false)),
    addresses: podIps(object.at("status")),
    socketBalancing: socketBalancing(object),
  };
}

/** The same of a Namespace. */
export function toNamespace(object: Field): Namespace {
  return {
    kind: "Namespace",
    name: dnsName(object.at("metadata").at("name"), 63),
    socketBalancing: socketBalancing(object),
  };
}

function socketBalancing(object: Field): boolean | undefined {
  return object.orElse(undefined, (whole) => {
    const field = whole.at("metadata").at("annotations").at("portolan.dev/socket-balancing");
    return field.present ? field.word(["true", "false"]) === "true" : undefined;
  });
}

/** Of a static pod the cgroups bear what kubelet called it, and the mirror Pod says that in an annotation. */
function uidOf(object: Field): string {
  const metadata = object.at("metadata");
  const mirror = metadata.at("annotations").at("kubernetes.io/config.mirror");
  const field = mirror.present ? mirror : metadata.at("uid");
  const text = field.string() ?? "";
  if (!/^[0-9a-f-]*$/i.test(text)) field.fail(`${JSON.stringify(text)} is no uid: leave out what the cluster assigns`);
  return text.toLowerCase();
}

function podIps(status: Field): readonly Ip[] {
  const families = new Set<Family>();
  return status
    .orElse([], (field) => field.at("podIPs").each((entry) => entry.at("ip").ip()))
    .filter((ip) => ip !== undefined)
    .filter((ip) => !families.has(familyOf(ip)) && families.add(familyOf(ip)));
}
