// SPDX-License-Identifier: Apache-2.0
// What a real packet or socket met, held against the reference model's verdict: whom it reached, and that nothing else
// of it changed or showed.

import { addressOf, endpointOf, type Family } from "../model/address.ts";
import type { Packet, Verdict } from "../model/world.ts";
import type { Heard } from "./dial.ts";
import type { Ran } from "./real-client.ts";

/** What is wrong, or the endpoint that it met; neither where it met none, rightly. */
export type Met = { readonly problem: string } | { readonly endpoint?: string };

const TC_NEXT = -1;
const TC_DROP = 2;
const TC_REDIRECT = 7;

/** Where things are in a frame without options. */
interface Layout {
  readonly family: Family;
  readonly protocol: number;
  readonly source: readonly [number, number];
  readonly destination: readonly [number, number];
  readonly transport: number;
}

const LAYOUTS: Readonly<Record<Family, Layout>> = {
  4: { family: 4, protocol: 23, source: [26, 30], destination: [30, 34], transport: 34 },
  6: { family: 6, protocol: 20, source: [22, 38], destination: [38, 54], transport: 54 },
};
/** Port unreachable of RFC 792 and RFC 4443: protocol, type and code. */
const UNREACHABLE = { 4: [1, 3, 3], 6: [58, 1, 4] } as const;

/** Of a packet that came in by tc ingress. */
export function metOnWire(packet: Packet, verdict: Verdict, sent: Uint8Array, { verdict: said, data }: Ran): Met {
  const same = Buffer.compare(sent, data) === 0;
  const layout = LAYOUTS[addressOf(packet.destination).family];
  switch (verdict.verdict) {
    case "pass":
      return said === TC_NEXT && same ? {} : { problem: `tc ${said}, ${same ? "unchanged" : "changed"}` };
    case "drop":
      return said === TC_DROP ? {} : { problem: `tc ${said} instead of silence` };
    case "reject":
      return said === TC_REDIRECT && isUnreachable(layout, sent, data) ? {} : { problem: `tc ${said}, no rejection` };
    case "dnat": {
      if (said !== TC_NEXT) return { problem: `tc ${said} instead of going on` };
      const came = endsOf(layout, sent);
      const goes = endsOf(layout, data);
      if (goes.source !== came.source) return { problem: `the source is ${goes.source}` };
      return reached(verdict, goes.destination);
    }
  }
}

/** Of a socket; a verdict that packets decide is none to it. */
export function metBySocket(packet: Packet, decided: Verdict, heard: Heard): Met {
  const verdict = decided.hook === packet.hook ? decided.verdict : "pass";
  if ("error" in heard) {
    const silent = decided.bySource ? "EACCES" : "EHOSTUNREACH";
    const right = { pass: "no error", dnat: "no error", reject: "ECONNREFUSED", drop: silent }[verdict];
    return heard.error === right ? {} : { problem: `${heard.error} instead of ${right}` };
  }
  const there = endpointOf(heard.reached);
  const asked = reachable(packet);
  if (verdict === "pass") return asked.includes(there) ? {} : { problem: `reached ${there} instead of ${asked}` };
  if (verdict !== "dnat") return { problem: `reached ${there} instead of ${verdict}` };
  const shown = endpointOf(heard.shown);
  if (shown !== endpointOf(`[${packet.destination}]:${packet.port}`)) return { problem: `is shown ${shown}` };
  return reached(decided, there);
}

/**
 * Where a socket gets without translation. The unspecified address is loopback to it, or of IPv4 what it is bound to
 * (RFC 1122 3.2.1.3 and Linux).
 */
export function reachable({ source, destination, port }: Packet): readonly string[] {
  const { text } = addressOf(destination);
  const at = (address: string) => endpointOf(`[${address}]:${port}`);
  if (text === "0.0.0.0") return [at("127.0.0.1"), at(source)];
  return text === addressOf("::").text ? [at("::1")] : [at(text)];
}

function reached({ backends }: Verdict, endpoint: string): Met {
  const known = backends.some((backend) => backend.endpoint === endpoint);
  return known ? { endpoint } : { problem: `reached ${endpoint}, which is none of the backends` };
}

function endsOf(layout: Layout, frame: Uint8Array): { readonly source: string; readonly destination: string } {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const end = ([from, to]: readonly [number, number], port: number): string => {
    const bytes = [...frame.subarray(from, to)];
    const groups = bytes.flatMap((high, i) => (i % 2 === 0 ? [(high * 256 + (bytes[i + 1] ?? 0)).toString(16)] : []));
    const address = layout.family === 4 ? bytes.join(".") : groups.join(":");
    return endpointOf(`[${address}]:${view.getUint16(layout.transport + port)}`);
  };
  return { source: end(layout.source, 0), destination: end(layout.destination, 2) };
}

/** Back to whom the packet came from, as from where it went to, with the packet quoted. */
function isUnreachable(
  { family, protocol, source, destination, transport }: Layout,
  sent: Uint8Array,
  got: Uint8Array,
) {
  const part = (frame: Uint8Array, [from, to]: readonly [number, number]) => Buffer.from(frame.subarray(from, to));
  const [number, type, code] = UNREACHABLE[family];
  return (
    got[protocol] === number &&
    got[transport] === type &&
    got[transport + 1] === code &&
    part(got, source).equals(part(sent, destination)) &&
    part(got, destination).equals(part(sent, source))
  );
}
