// SPDX-License-Identifier: Apache-2.0
// The reference model's verdicts over the Services of the packet tables, asked once and kept by the raw bytes that a frame
// has: a million packets ask for them.

import { endpointOf } from "../../../support/model/address.ts";
import type { Verdict } from "../../../support/model/world.ts";
import { address, type Service } from "../world.ts";
import { endKey, type Reading, rawEnd } from "./frame.ts";
import { destinationOf, placeOf, verdictFor, worldOf } from "./world-of-services.ts";

export interface Target {
  verdict(outside: boolean): Verdict["verdict"];
  /** The endpoint at this raw end, as this client meets it; source is the client's raw address. */
  backend(outside: boolean, end: string, source: string): { readonly masquerade: boolean } | undefined;
}

/** Raw bytes of an address as they stand in a packet. */
export function rawAddress(text: string): string {
  const bytes = Buffer.from(address(text));
  return text.includes(":") ? bytes.toString("latin1") : bytes.subarray(12).toString("latin1");
}

/** SNAT addresses by the place an endpoint is at: those of the device its packets leave by (topology.ts). */
const SNAT: readonly (readonly [prefix: string, snat: string])[] = [
  ["10.0.0.", "192.0.2.1"],
  ["10.0.1.", "10.0.1.1"],
  ["192.0.2.20", "192.0.2.1"],
  ["10.200.0.", "10.200.0.1"],
  ["fd00::", "2001:db8:2::1"],
  ["fd00:1::", "fd00:1::1"],
  ["2001:db8:2::20", "2001:db8:2::1"],
  ["fd00:200::", "fd00:200::1"],
];

/** The ranges of topology.ts, 10.96.128.0/17 and fd00:96::8000/113, but for their last bit, which is set. */
const RANGES: readonly string[] = ["\x0a\x60", `\xfd\x00\x00\x96${"\0".repeat(10)}`];

const PROTOCOL_NUMBERS = { tcp: 6, udp: 17, sctp: 132 } as const;

export class Frontends {
  readonly #targets = new Map<string, Target>();
  readonly #snat = new Map<string, string>();
  readonly #clusterIps = new Set<string>();
  readonly #vips = new Set<string>();

  constructor(services: readonly Service[]) {
    const world = worldOf(services);
    for (const service of services) {
      const { address: text, port } = destinationOf(service);
      if (service.kind === "ClusterIP") this.#clusterIps.add(rawAddress(text));
      if (service.kind !== "NodePort") this.#vips.add(rawAddress(text));
      const proto = PROTOCOL_NUMBERS[service.proto];
      const ask = (client: "pod" | "outside") => {
        const verdict = verdictFor(world, service, client, text.includes(":") ? "2001:db8:99::1" : "203.0.113.1");
        const known = service.endpoints.map((endpoint) => [endpoint, endpointOf(endpoint)] as const);
        const backends = verdict.backends.map((backend) => {
          const [written = ""] = known.find(([, canonical]) => canonical === backend.endpoint) ?? [];
          const place = placeOf(written);
          return [rawEnd(rawAddress(place.address), place.port), backend.masquerade] as const;
        });
        return { verdict: verdict.verdict, backends: new Map(backends) };
      };
      const [pod, outside] = [ask("pod"), ask("outside")];
      this.#targets.set(proto + rawEnd(rawAddress(text), port), {
        verdict: (from) => (from ? outside : pod).verdict,
        backend: (from, end, source) => {
          const masquerade = (from ? outside : pod).backends.get(end);
          if (masquerade === undefined) return undefined;
          return { masquerade: masquerade || end.startsWith(source) }; // row 39
        },
      });
      for (const endpoint of service.endpoints) this.#learnSnat(placeOf(endpoint).address);
    }
  }

  /** The frontend that a packet is addressed to. */
  at(frame: Buffer, reading: Reading): Target | undefined {
    return this.#targets.get(reading.proto + endKey(frame, reading, "destination"));
  }

  /** Row 46: whether other ports and protocols of the address that a frame goes to may be refused. */
  refuses(frame: Buffer): boolean {
    const to = destination(frame);
    const unallocated = RANGES.some((range) => to.startsWith(range) && to.charCodeAt(range.length) >= 0x80);
    return unallocated || this.#clusterIps.has(to);
  }

  /** Whatever its port or protocol. */
  isVip(frame: Buffer): boolean {
    return this.#vips.has(destination(frame));
  }

  /** Undefined where a masqueraded packet leaves by no device: it stays as it is. */
  snatFor(backend: string): string | undefined {
    return this.#snat.get(backend);
  }

  #learnSnat(text: string): void {
    const [, snat] = SNAT.find(([prefix]) => text.startsWith(prefix)) ?? [];
    if (snat !== undefined) this.#snat.set(rawAddress(text), rawAddress(snat));
  }
}

/** Raw, as it stands where an IP header without options has it. */
function destination(frame: Buffer): string {
  const [at, size] = frame.readUInt16BE(12) === 0x0800 ? [30, 4] : [38, 16];
  return frame.toString("latin1", at, at + size);
}
