// SPDX-License-Identifier: Apache-2.0
// discovery.k8s.io/v1 EndpointSlice -> model, with the API server's defaults.

import type { Endpoint, EndpointSlice, Hints, SlicePort } from "../model/endpoint-slice.ts";
import { type Family, familyOf } from "../model/ip.ts";
import { PROTOCOLS } from "../model/service.ts";
import { withoutSpare } from "../model/without-spare.ts";
import type { Field } from "./field.ts";
import { hasLabel, namespacedName } from "./metadata.ts";

const FAMILIES: Readonly<Record<string, Family | undefined>> = { IPv4: 4, IPv6: 6, FQDN: undefined };

/** Replaces a string by an equal one that is shared: node and zone names stand in every endpoint. */
export type Intern = (text: string) => string;

/** What cannot be used of it is left out. Throws InvalidField when nothing is left. */
export function toEndpointSlice(object: Field, intern: Intern): EndpointSlice {
  const family = FAMILIES[object.at("addressType").word(["IPv4", "IPv6", "FQDN"])];
  const endpoints = family === undefined ? [] : endpointsOf(object.at("endpoints"), family, intern);
  const { namespace, name } = namespacedName(object, 253);
  return {
    kind: "EndpointSlice",
    namespace,
    name,
    serviceName: object.at("metadata").at("labels").at("kubernetes.io/service-name").string() || undefined,
    headless: hasLabel(object, "service.kubernetes.io/headless"),
    family,
    ports: portsOf(object.at("ports")),
    endpoints,
    ...changeTriggered(object),
  };
}

/** Written by the control plane, RFC 3339. What cannot be read is left out without a word: nothing but a metric asks. */
function changeTriggered(object: Field): Pick<EndpointSlice, "changeTriggeredMs"> {
  const time = object.peek("metadata", "annotations", "endpoints.kubernetes.io/last-change-trigger-time");
  const changeTriggeredMs = Date.parse(time);
  return Number.isNaN(changeTriggeredMs) ? {} : { changeTriggeredMs };
}

/** Row 9: a port without a number means "all ports", which no proxy serves; it is left out. */
function portsOf(list: Field): readonly SlicePort[] {
  const ports = list.some((field): SlicePort | undefined => {
    const name = field.at("name").string() ?? "";
    const protocol = field.at("protocol").word(PROTOCOLS, "TCP");
    const port = field.at("port").port();
    return port === undefined ? undefined : { name, protocol, port };
  });
  return withoutSpare(ports.filter((port) => port !== undefined));
}

function endpointsOf(list: Field, family: Family, intern: Intern): readonly Endpoint[] {
  return withoutSpare(list.some((endpoint) => toEndpoint(endpoint, family, intern)));
}

/** Only the first address counts (row 9), of no scope that the API refuses; absent conditions are those of row 10. */
function toEndpoint(endpoint: Field, family: Family, intern: Intern): Endpoint {
  const [first] = endpoint.at("addresses").items();
  const address = first?.ip(["loopback", "link-local"]) ?? endpoint.at("addresses").fail("is empty: name one address");
  if (familyOf(address) !== family) first?.fail(`${address} is not IPv${family}, which addressType says`);
  const conditions = endpoint.at("conditions");
  const nodeName = endpoint.at("nodeName").string();
  const hostname = endpoint.at("hostname").orElse(undefined, (field) => field.string());
  const zone = endpoint.at("zone").orElse(undefined, (field) => field.string());
  return {
    address,
    hostname: hostname || undefined,
    nodeName: nodeName ? intern(nodeName) : undefined,
    zone: zone ? intern(zone) : undefined,
    hints: endpoint.at("hints").orElse(undefined, (hints) => toHints(hints, intern)),
    ready: conditions.at("ready").boolean(true),
    serving: conditions.at("serving").boolean(true),
    terminating: conditions.at("terminating").boolean(false),
  };
}

function toHints(hints: Field, intern: Intern): Hints | undefined {
  if (!hints.present) return undefined; // as a rule, and there are as many as endpoints
  const forNodes = namesOf(hints.at("forNodes"), intern);
  const forZones = namesOf(hints.at("forZones"), intern);
  return forNodes.length + forZones.length > 0 ? { forNodes, forZones } : undefined;
}

function namesOf(list: Field, intern: Intern): readonly string[] {
  return list.items().map((item) => intern(item.at("name").requiredString()));
}
