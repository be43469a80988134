// SPDX-License-Identifier: Apache-2.0
// Which map entries led to a decision, as `map key -> value` in the order a packet meets them. Pure.

import type { Explanation } from "../datapath/ebpf/abi.gen.ts";
import type { ServiceState } from "../datapath/ebpf/state-types.ts";
import { type Ip, ipFromBytes } from "../model/ip.ts";
import type { Decision } from "./answer.ts";
import { formatEndpoint } from "./endpoint.ts";
import type { Question } from "./question.ts";
import { serviceName } from "./service-rows.ts";

/** Empty when no entry was met. service: the one that `said` names. */
export function usedEntries(
  question: Question,
  said: Pick<Explanation, "backend" | "backendAddr" | "backendPort">,
  decision: Decision,
  service: ServiceState | undefined,
): readonly string[] {
  const { source, sourcePort, destination, destinationPort } = question;
  const backend =
    decision.verdict === "dnat" ? `-> ${formatEndpoint(ipFromBytes(said.backendAddr), said.backendPort)}` : undefined;
  if (decision.existing) {
    const tuple = `${formatEndpoint(source, sourcePort)} -> ${formatEndpoint(destination, destinationPort)}`;
    return [`flows ${tuple} ${backend ?? ""}`];
  }
  if (!service || decision.verdict === "pass") return [];
  const entries = [...frontendEntries(question, service), `services ${service.id} -> ${serviceName(service.key)}`];
  if (decision.sourceRange) {
    const { range, admit } = decision.sourceRange;
    entries.push(`source_ranges ${range} -> ${admit ? "admit" : "deny"}`);
  }
  if (backend === undefined) return entries;
  if (decision.affinity === "kept") entries.push(`affinity ${source} ${serviceName(service.key)} ${backend}`);
  else if (decision.service?.scheduler === "Maglev") entries.push(`tables -> ${service.tableSize} slots`);
  return [...entries, `backends ${said.backend} ${backend}`];
}

/** A NodePort is met by way of the node's own addresses. */
function frontendEntries({ destination, destinationPort }: Question, service: ServiceState): readonly string[] {
  const own = service.frontends.find(({ address, port }) => address === destination && port === destinationPort);
  if (own) return [frontendEntry(destination, destinationPort, service)];
  const nodePort = service.frontends.find(({ kind, port }) => kind === "NodePort" && port === destinationPort);
  if (!nodePort) return [];
  return [`addresses ${destination}`, frontendEntry(nodePort.address, nodePort.port, service)];
}

function frontendEntry(address: Ip, port: number, service: ServiceState): string {
  return `frontends ${formatEndpoint(address, port)}/${service.protocol} -> service ${service.id}`;
}
