// SPDX-License-Identifier: Apache-2.0
// From what a dry run decided to what people and scripts read: the JSON of `explain` and its sentence of reasons. Pure.

import type { DetectLocalMode } from "../datapath/contract.ts";
import { familyOf } from "../model/ip.ts";
import { DROP_EXPLANATIONS } from "./drop-reasons.ts";
import { formatEndpoint } from "./endpoint.ts";
import type { ClientKind } from "./entry.ts";
import type { Question } from "./question.ts";

export type VerdictName = "pass" | "dnat" | "reject" | "drop";

/** The stable JSON of `explain`, one line of --batch. */
export interface Answer {
  readonly verdict: VerdictName;
  /** All candidates in compiled order. */
  readonly endpoints: readonly string[];
  readonly chosen: string | null;
  /** Whether the backend will see a node address. */
  readonly masquerade: boolean;
  readonly service: string | null;
  readonly reason: string;
}

/** Where the connection begins; device is the name of the device its first packet enters by. */
export interface Entry {
  readonly client: ClientKind;
  readonly device: string | null;
  /** Answered for a connect() of a local process instead of a packet on the wire. */
  readonly socket: boolean;
  /** Why the socket leaves it to its packets, for which the answer then is; absent: it does not. */
  readonly onWire?: string;
}

/** What the programs decided, names instead of ids. */
export interface Decision {
  readonly verdict: VerdictName;
  /** Whom the programs took the client for; "untold": nothing tells pods from others in its family. */
  readonly client: ClientKind | "untold";
  readonly detectLocalMode: DetectLocalMode;
  /** Name of enum drop_reason; "none" unless the verdict is reject or drop. */
  readonly dropReason: string;
  /** Undefined with pass. */
  readonly service: DecidedService | undefined;
  /** With its article: "a ClusterIP". */
  readonly kind: string;
  readonly chosen: string | null;
  readonly masquerade: boolean;
  /** An established flow answered, not the frontend. */
  readonly existing: boolean;
  readonly policy: "Cluster" | "Local";
  /** Session affinity: begun by the choice, or the reason of it. */
  readonly affinity: "none" | "begun" | "kept";
  /** What decided on the client's address; undefined when nothing was asked. */
  readonly sourceRange: { readonly range: string; readonly admit: boolean } | undefined;
}

export interface DecidedService {
  readonly name: string;
  /** Of the policy in force. */
  readonly endpoints: readonly string[];
  /** "random choice", "Maglev", or the name of IPVS' own. */
  readonly scheduler: string;
  /** 0: no session affinity */
  readonly affinitySeconds: number;
}

export function composeAnswer(question: Question, entry: Entry, decision: Decision): Answer {
  const service = decision.verdict === "pass" ? undefined : decision.service;
  return {
    verdict: decision.verdict,
    endpoints: service?.endpoints ?? [],
    chosen: decision.chosen,
    masquerade: decision.masquerade,
    service: service?.name ?? null,
    reason: [
      entryClause(question, entry, decision),
      verdictClause(question, entry, decision),
      ...natClauses(entry, decision),
    ].join("; "),
  };
}

function entryClause(question: Question, entry: Entry, decision: Decision): string {
  if (entry.client === "host") {
    if (!entry.socket) return "the source is this node";
    return "the source is this node: its packets pass no tc ingress, so its sockets' path answers";
  }
  const socket = "connect() of a pod of this node";
  if (entry.socket) return entry.onWire === undefined ? socket : `${socket}, ${entry.onWire}`;
  const client = clientClause(question, decision);
  return entry.device === null ? client : `${client}, by ${entry.device}`;
}

function clientClause({ source }: Question, { client, detectLocalMode }: Decision): string {
  if (detectLocalMode === "Device") return client === "pod" ? "a pod of this node" : "a client from outside";
  if (client === "pod") return `a local pod to detectLocalMode ${detectLocalMode}`;
  if (client === "outside") return `no local pod to detectLocalMode ${detectLocalMode}`;
  return `detectLocalMode ${detectLocalMode} knows no range of IPv${familyOf(source)} pods, so this may be one or not`;
}

function verdictClause(question: Question, entry: Entry, decision: Decision): string {
  const target = `${formatEndpoint(question.destination, question.destinationPort)}/${question.protocol}`;
  if (entry.socket && question.protocol === "SCTP")
    return "the kernel runs no program for SCTP sockets: only their packets are served, where tc meets them";
  if (decision.verdict === "pass" && decision.service)
    return `${target} is ${decision.service.name}, but an address of this node too: left to the socket that listens there`;
  if (decision.verdict === "pass") return `${target} is no Service's address: left to the kernel`;
  const why = DROP_EXPLANATIONS[decision.dropReason] ?? decision.dropReason;
  if (decision.verdict !== "dnat" && !decision.service) return `${target}: ${why}`;
  const service = `${target} is ${decision.kind} of ${decision.service?.name ?? "an unknown Service"}`;
  const frontend = service + sourceClause(decision);
  if (decision.verdict !== "dnat") return `${frontend}; ${why}`;
  if (decision.existing) return `${frontend}; the connection exists already and keeps its endpoint`;
  return `${frontend}; ${choiceClause(decision)}, traffic policy ${decision.policy}`;
}

function choiceClause({ service, affinity }: Decision): string {
  const count = service?.endpoints.length ?? 0;
  if (affinity === "kept") return `of ${count} endpoints the one this client has by session affinity`;
  const how = count === 1 ? "the only endpoint" : `chosen from ${count} endpoints by ${service?.scheduler}`;
  return affinity === "none" ? how : `${how}, to be kept by session affinity for ${service?.affinitySeconds} s`;
}

function sourceClause({ sourceRange }: Decision): string {
  if (!sourceRange) return "";
  if (sourceRange.range === "none") return "; no source range holds the client";
  return `; source range ${sourceRange.range} ${sourceRange.admit ? "admits" : "denies"} the client`;
}

function natClauses(entry: Entry, decision: Decision): readonly string[] {
  if (decision.verdict !== "dnat") return [];
  if (entry.client === "host") return ["the backend sees this node's address anyway"];
  return [
    decision.masquerade ? "masqueraded: the backend sees a node address" : "the backend sees the client's address",
  ];
}
