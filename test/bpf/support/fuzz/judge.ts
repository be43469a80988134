// SPDX-License-Identifier: Apache-2.0
// Judges what the programs made of a frame: whether its ends are what the reference model and the flow's own packets
// before it allow, its checksums as right or wrong as they were, and every other byte as it came.

import { crc32c } from "../crc32c.ts";
import { faultOf } from "../valid-packet.ts";
import { endKey, keptSums, MALFORMED, type Reading, readFrame, readPacket } from "./frame.ts";
import type { Frontends, Target } from "./frontends.ts";

export interface Run {
  readonly hook: "ingress" | "egress";
  /** Behind it are clients from outside. */
  readonly outside: boolean;
  /** On a device that is not ours, or with another host's MAC. */
  readonly stray: boolean;
  /** A bridge port: the program may choose the next MAC. */
  readonly port: boolean;
  readonly frame: Buffer;
  readonly mark: number;
}

export interface Outcome {
  readonly verdict: "next" | "drop" | "redirect";
  readonly frame: Buffer;
  readonly mark: number;
}

/** What the frame turned out to be. */
export type Kind =
  | "untouched"
  | "malformed"
  | "ordered"
  | "dropped"
  | "reply"
  | "request"
  | "masqueraded"
  | "answer"
  | "moved";

/** One connection as the kernel sees it between the hooks. */
interface Flow {
  readonly client: string;
  readonly vip: string;
  /** The node address the backend must see; undefined: the client. */
  readonly snat: string | undefined;
}

/** Raw ends (rawEnd) throughout; proto goes first in every key. */
export class Judge {
  readonly #frontends: Frontends;
  readonly #inner = new Map<string, Flow>();
  /** backend and SNAT end -> the client's end between the hooks, or the whole flow of one that only passes through */
  readonly #snat = new Map<string, { readonly client: string; readonly transit: Flow | undefined }>();
  /** Destinations that a socket of the host was seen to speak from: their packets may be its replies. */
  readonly #spoken = new Set<string>();
  /** Datagrams of which a later fragment was seen: the first may be sent again, with that behind it. */
  readonly #pieces = new Set<string>();

  constructor(frontends: Frontends) {
    this.#frontends = frontends;
  }

  /** The flow tables were emptied. */
  forget(): void {
    this.#inner.clear();
    this.#snat.clear();
    this.#spoken.clear();
    this.#pieces.clear();
  }

  /** Throws what is wrong with it. */
  judge(run: Run, out: Outcome): Kind {
    const reading = run.stray ? undefined : readPacket(run.frame);
    if (reading === MALFORMED) return this.#malformed(run, out);
    if (reading?.fragment && this.#isSentAgain(run, out, reading)) return "ordered";
    const refusable = !run.stray && run.hook === "ingress" && this.#frontends.refuses(run.frame);
    if (out.verdict === "drop") return refusable ? "dropped" : this.#dropped(run, reading);
    if (out.verdict === "next" && out.mark === run.mark) return this.#untouched(run, out, reading);
    const answered = out.verdict === "redirect" && isReply(run.frame, out.frame);
    if (answered && refusable && (!reading || !this.#frontends.at(run.frame, reading))) return unserved(out);
    if (!reading) throw new Error("changed a packet that is nobody's");
    if (answered) return this.#replied(run, out, reading);
    const after = readFrame(out.frame);
    if (!after) throw new Error("made a packet that cannot be read");
    expectKept(run, out, reading, after);
    return this.#translated(run, out, reading, after);
  }

  /** What is left of the packet at hand is then the last piece that was sent behind it. */
  #isSentAgain(run: Run, out: Outcome, reading: Reading): boolean {
    const [id, addresses] = reading.v4 ? [run.frame.readUInt16BE(18), 26] : ["", 22];
    const piece = `${run.hook} ${id} ${run.frame.toString("latin1", addresses, addresses + (reading.v4 ? 8 : 32))}`;
    if (reading.sport === 0) this.#pieces.add(piece);
    if (reading.sport === 0 || out.verdict !== "drop" || readFrame(out.frame)?.sport !== 0) return false;
    if (!this.#pieces.has(piece)) throw new Error("sent a first fragment again that nothing overtook");
    return true;
  }

  #malformed(run: Run, out: Outcome): Kind {
    const kept = out.verdict === "next" && out.frame.equals(run.frame) && out.mark === run.mark;
    if (run.hook === "ingress" && this.#frontends.isVip(run.frame)) {
      if (out.verdict !== "drop") throw new Error("let a malformed packet to a VIP go by");
      return "malformed";
    }
    if (!kept) throw new Error("touched a malformed packet");
    return "untouched";
  }

  #dropped(run: Run, reading: Reading | undefined): Kind {
    if (!reading) throw new Error("dropped a packet that is nobody's");
    if (run.hook === "egress" || reading.quote !== 0) return "dropped";
    const target = this.#frontends.at(run.frame, reading);
    const answers = `${reading.proto}${endKey(run.frame, reading, "source")}${endKey(run.frame, reading, "destination")}`;
    // what answers a flow may have no way back: its client's address was changed to one that nobody routes
    if (target === undefined && reading.sport !== 0 && !this.#snat.has(answers)) {
      throw new Error("dropped a packet to no frontend");
    }
    return "dropped";
  }

  #untouched(run: Run, out: Outcome, reading: Reading | undefined): Kind {
    if (!out.frame.equals(run.frame)) throw new Error("changed a packet without saying so by the mark");
    if (!reading) return "untouched";
    if (run.hook === "egress") {
      this.#spoken.add(`${reading.proto}${endKey(run.frame, reading, "source")}`);
      return "untouched";
    }
    const begins = reading.proto === 17 || (reading.tcpFlags & 0x12) === 0x02;
    if (!begins || reading.quote !== 0 || reading.sport === 0) return "untouched";
    if (this.#frontends.at(run.frame, reading) === undefined) return "untouched";
    if (this.#spoken.has(`${reading.proto}${endKey(run.frame, reading, "destination")}`)) return "untouched";
    throw new Error("let a packet to a frontend go by");
  }

  #replied(run: Run, out: Outcome, reading: Reading): Kind {
    if (run.hook !== "ingress") throw new Error("answered a packet on its way out");
    const target = this.#frontends.at(run.frame, reading);
    if (target === undefined) throw new Error("answered for somebody else");
    const fault = faultOf(out.frame);
    if (fault !== undefined) throw new Error(`answered with a wrong packet: ${fault}`);
    const reset = out.frame.readUInt8(reading.ip + (reading.v4 ? 9 : 6)) === 6;
    const begins = reading.proto === 17 || (reading.tcpFlags & 0x12) === 0x02;
    if (reset === begins)
      throw new Error(reset ? "reset what begins a connection" : "unreachable for what begins none");
    if (begins && target.verdict(run.outside) !== "reject") throw new Error("refused what has an endpoint");
    return "reply";
  }

  #translated(run: Run, out: Outcome, before: Reading, after: Reading): Kind {
    const from = { src: endKey(run.frame, before, "source"), dst: endKey(run.frame, before, "destination") };
    const to = { src: endKey(out.frame, after, "source"), dst: endKey(out.frame, after, "destination") };
    const ends: Ends = { from, to, proto: String(before.proto), size: before.v4 ? 4 : 16 };
    const transit = out.verdict === "redirect" && !run.port;
    if (before.sport === 0) return this.#laterFragment(ends);
    if (run.hook === "egress") return this.#leaving(ends);
    const target = this.#frontends.at(run.frame, before);
    if (target) return this.#request(run, ends, target, transit);
    if (to.dst === from.dst) return this.#moved(ends);
    return this.#unmasqueraded(ends, transit);
  }

  /** Its ports are unknown here; its first fragment was judged. */
  #laterFragment({ from, to }: Ends): Kind {
    return to.dst === from.dst ? "masqueraded" : "request";
  }

  #request(run: Run, ends: Ends, target: Target, transit: boolean): Kind {
    const { from, to, proto, size } = ends;
    const backend = target.backend(run.outside, to.dst, from.src.slice(0, size));
    if (backend === undefined) throw new Error("translated to what is no endpoint of it");
    const snat = backend.masquerade ? this.#frontends.snatFor(to.dst.slice(0, size)) : undefined;
    const seen = to.src.slice(0, size);
    if (seen !== (transit ? snat : from.src.slice(0, size))) throw new Error("translated to a wrong source");
    const flow: Flow = { client: from.src, vip: from.dst, snat };
    if (transit) this.#snat.set(proto + to.dst + to.src, { client: to.src, transit: flow });
    else this.#inner.set(proto + to.dst + to.src, flow);
    if (to.src !== from.src) expectDrawn(to.src, size);
    return "request";
  }

  /** Somebody else's connection on a tuple that is taken: another port, the same addresses. */
  #moved({ from, to, size, proto }: Ends): Kind {
    if (to.src.slice(0, size) !== from.src.slice(0, size)) throw new Error("gave a direct connection another address");
    if (to.src !== from.src) expectDrawn(to.src, size);
    this.#inner.set(proto + to.dst + to.src, { client: from.src, vip: from.dst, snat: undefined });
    return "moved";
  }

  #unmasqueraded({ from, to, proto, size }: Ends, transit: boolean): Kind {
    const known = this.#snat.get(proto + from.src + from.dst);
    if (!known) {
      // by a changed byte it hits the port of a flow whose request has not left yet: its ends are known all the same
      const begun = this.#inner.get(proto + from.src + to.dst);
      if (!transit && to.src === from.src && begun?.snat === from.dst.slice(0, size)) return "answer";
      throw new Error("took a packet for the answer of a flow that nobody began");
    }
    const flow = known.transit ?? this.#inner.get(proto + from.src + known.client);
    if (transit) {
      if (to.src !== flow?.vip || to.dst !== flow.client) throw new Error("gave an answer wrong ends");
      return "answer";
    }
    const client = known.transit?.client ?? known.client;
    // on its last hop one that only passes through goes up as (backend, client), by a port that was not seen before
    const right = known.transit ? to.dst.slice(0, size) === client.slice(0, size) : to.dst === client;
    if (to.src !== from.src || !right) throw new Error("gave an answer to somebody else");
    if (known.transit) this.#inner.set(proto + to.src + to.dst, known.transit);
    return "answer";
  }

  #leaving({ from, to, proto, size }: Ends): Kind {
    const answered = this.#inner.get(proto + from.src + from.dst);
    if (answered && to.src === answered.vip && to.dst === answered.client) return "answer";
    if (to.dst !== from.dst) throw new Error("gave an answer wrong ends");
    const flow = this.#inner.get(proto + from.dst + from.src);
    if (flow?.snat !== undefined) {
      if (to.src.slice(0, size) !== flow.snat) throw new Error("masqueraded behind a wrong address");
      expectDrawn(to.src, size);
      this.#snat.set(proto + to.dst + to.src, { client: from.src, transit: undefined });
      return "masqueraded";
    }
    if (to.src.slice(0, size) !== from.src.slice(0, size)) throw new Error("masqueraded what should be seen as it is");
    return "moved";
  }
}

interface Ends {
  readonly from: { readonly src: string; readonly dst: string };
  readonly to: { readonly src: string; readonly dst: string };
  readonly proto: string;
  /** Bytes of an address. */
  readonly size: number;
}

/** Ports that the programs may draw: 1024 to 65535, not a NodePort. */
function expectDrawn(end: string, size: number): void {
  const port = (end.charCodeAt(size) << 8) | end.charCodeAt(size + 1);
  if (port < 1024 || (port >= 30000 && port <= 32767)) throw new Error(`drew port ${port}`);
}

/** Row 46: a port or protocol of a ClusterIP that nothing serves may be refused. */
function unserved(out: Outcome): Kind {
  const fault = faultOf(out.frame);
  if (fault !== undefined) throw new Error(`answered with a wrong packet: ${fault}`);
  return "reply";
}

function isReply(before: Buffer, after: Buffer): boolean {
  const [source, destination, size] = before.readUInt16BE(12) === 0x0800 ? [26, 30, 4] : [22, 38, 16];
  if (Math.min(before.length, after.length) < destination + size) return false;
  const swapped = (a: number, b: number): boolean => before.compare(after, b, b + size, a, a + size) === 0;
  return swapped(source, destination) && swapped(destination, source);
}

/** All but the ends, their checksums, the TTL of what only passes through and a bridge port's MAC is as it was. */
function expectKept(run: Run, out: Outcome, before: Reading, after: Reading): void {
  const [frame, wanted] = [out.frame, Buffer.from(run.frame)];
  if (frame.length !== wanted.length) throw new Error("changed the packet's length");
  const take = (at: number, size: number): void => void frame.copy(wanted, at, at, at + size);
  const size = before.v4 ? 4 : 16;
  for (const at of [...before.sources, ...before.destinations]) take(at, size);
  if (before.sport !== 0) take(before.sport, 2);
  if (before.dport !== 0) take(before.dport, 2);
  if (before.checksum !== 0) take(before.checksum, 2);
  if (before.icmpChecksum !== 0) take(before.icmpChecksum, 2);
  if (before.sctp !== 0) take(before.transport + 8, 4);
  if (before.v4) take(before.ip + 10, 2);
  if (before.v4 && before.quote !== 0) take(before.quote + 10, 2);
  if (run.port && run.hook === "ingress") take(0, 6);
  if (out.verdict === "redirect" && !run.port) {
    const ttl = before.ip + (before.v4 ? 8 : 7);
    wanted.writeUInt8(run.frame.readUInt8(ttl) - 1, ttl);
  }
  if (!frame.equals(wanted)) throw new Error("changed bytes that are not its to change");
  const sums = keptSums(run.frame, before);
  if (keptSums(frame, after).join() !== sums.join()) throw new Error("left a checksum that does not follow");
  if (before.sctp !== 0) expectSctpChecksum(run.frame, frame, before);
  if (before.proto === 17 && before.checksum !== 0) {
    const [was, is] = [run.frame.readUInt16BE(before.checksum), frame.readUInt16BE(before.checksum)];
    if ((was === 0) !== (is === 0)) throw new Error("a UDP checksum of 0 means that there is none");
  }
}

/**
 * As right or wrong as it was: the difference that the ports make, computed over the whole length, which an ICMP error
 * need not quote. CRC32c is linear: what two messages of one length differ by has, but for the constant, the CRC that
 * they differ by. 0 stays: that is one which is yet to be computed.
 */
function expectSctpChecksum(before: Buffer, after: Buffer, { transport, sctp }: Reading): void {
  const [was, is] = [before.readUInt32LE(transport + 8), after.readUInt32LE(transport + 8)];
  const ports = Buffer.alloc(sctp);
  for (let i = 0; i < Math.min(4, sctp); i++)
    ports[i] = before.readUInt8(transport + i) ^ after.readUInt8(transport + i);
  const changed = ports.subarray(0, 4).some((byte) => byte !== 0);
  const difference = changed ? crc32c(ports) ^ crc32c(Buffer.alloc(sctp)) : 0;
  const wanted = was === 0 ? 0 : (was ^ difference) >>> 0;
  if (is !== wanted) throw new Error("left an SCTP checksum that does not follow");
}
