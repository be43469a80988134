// SPDX-License-Identifier: Apache-2.0
// What `explain` is asked, from the command line or from one JSON line of --batch. Pure; every refusal says what it wants.

import { familyOf, type Ip, parseIp } from "../model/ip.ts";
import { PROTOCOLS, type Protocol } from "../model/service.ts";
import { parseEndpoint } from "./endpoint.ts";

/** The first packet of a connection. */
export interface Question {
  readonly source: Ip;
  readonly sourcePort: number;
  readonly destination: Ip;
  readonly destinationPort: number;
  readonly protocol: Protocol;
}

/** The question cannot be understood: exit status 2. */
export class QuestionError extends Error {
  override readonly name = "QuestionError";
  readonly code = "PORTOLAN_USAGE";
  readonly exitStatus = 2;
}

/** Where a client without a port of its own starts; any ephemeral port would do. */
const DEFAULT_SOURCE_PORT = 40_000;

/** `SRC[:PORT]` and `DST:PORT[/PROTO]`. */
export function parseQuestion(source: string, destination: string): Question {
  const [target = "", protocol = "TCP", ...rest] = destination.split("/");
  const to = parseEndpoint(target);
  if (!to || rest.length > 0) {
    throw new QuestionError(`"${destination}" is no destination: write ADDRESS:PORT[/PROTO], IPv6 as [ADDRESS]:PORT`);
  }
  const address = parseIp(source);
  const from = address === undefined ? parseEndpoint(source) : { address, port: DEFAULT_SOURCE_PORT };
  if (!from) throw new QuestionError(`"${source}" is no source: write ADDRESS or ADDRESS:PORT, IPv6 as [ADDRESS]:PORT`);
  return checked(from.address, from.port, to.address, to.port, protocol);
}

/** One line of --batch: `{"src":"203.0.113.2","sport":40000,"dst":"172.30.0.41","dport":80,"proto":"TCP"}`. */
export function parseBatchLine(line: string): Question {
  const object = parseObject(line);
  const { src, sport = DEFAULT_SOURCE_PORT, dst, dport, proto = "TCP" } = object;
  return checked(addressOf("src", src), portOf("sport", sport), addressOf("dst", dst), portOf("dport", dport), proto);
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch (error) {
    throw new QuestionError(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new QuestionError('not an object: write {"src":"…","sport":40000,"dst":"…","dport":80,"proto":"TCP"}');
}

function addressOf(key: string, value: unknown): Ip {
  const address = typeof value === "string" ? parseIp(value) : undefined;
  if (address === undefined) throw new QuestionError(`"${key}" is ${JSON.stringify(value)}: must be an IP address`);
  return address;
}

function portOf(key: string, value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65535) return value;
  throw new QuestionError(`"${key}" is ${JSON.stringify(value)}: must be a port, 1 to 65535`);
}

function checked(source: Ip, sourcePort: number, destination: Ip, destinationPort: number, proto: unknown): Question {
  const protocol = PROTOCOLS.find((known) => typeof proto === "string" && known === proto.toUpperCase());
  if (protocol === undefined) {
    throw new QuestionError(`protocol ${JSON.stringify(proto)}: must be TCP, UDP or SCTP`);
  }
  if (familyOf(source) !== familyOf(destination)) {
    throw new QuestionError(
      `${source} and ${destination} are of different families: no packet goes from one to the other`,
    );
  }
  return { source, sourcePort, destination, destinationPort, protocol };
}
