// SPDX-License-Identifier: Apache-2.0
// The loop of the fuzzer: drafts frames, runs them through the loaded programs, has every outcome judged, and follows
// what comes out: requests to their backends, answers back, errors about both.

import { DropReason, dropReasonNames } from "../../../../src/datapath/ebpf/abi.gen.ts";
import type { LoadedBpfObject } from "../../../../src/libbpf/index.ts";
import { type DeviceName, deviceIndex } from "../topology.ts";
import type { Service } from "../world.ts";
import { type Draft, Drafts } from "./draft.ts";
import { readFrame } from "./frame.ts";
import { Frontends } from "./frontends.ts";
import { Judge, type Kind, type Outcome } from "./judge.ts";
import { Random, Seen } from "./random.ts";

export interface FuzzPlan {
  readonly services: readonly Service[];
  readonly seed: number;
  readonly packets: number;
}

export interface FuzzReport {
  /** No two alike. */
  readonly packets: number;
  /** To a frontend at ingress. */
  readonly aimed: number;
  /** The same by IP protocol number. */
  readonly protocols: Readonly<Record<number, number>>;
  readonly kinds: Readonly<Record<string, number>>;
  readonly drops: Readonly<Record<string, number>>;
  /** What was dropped or refused and not counted under a reason: none. */
  readonly unnamed: number;
  /** The first few that were judged wrong. */
  readonly faults: readonly string[];
}

/** Flow tables are emptied every so often: so no record is evicted that the judge still knows. */
const ROUND = 40_000;
const FAULTS_TOLD = 5;
const REFUSALS: readonly Kind[] = ["dropped", "malformed", "reply"];
/** One way in so many ends at each step: so that every third packet is a request. */
const GIVEN_UP = 3;
const VERDICTS: Readonly<Record<number, Outcome["verdict"]>> = { [-1]: "next", 2: "drop", 7: "redirect" };
const OUTSIDE: ReadonlySet<DeviceName> = new Set(["uplink", "overlay"]);
const PORTS: ReadonlySet<DeviceName> = new Set(["portA", "portB"]);
/** struct __sk_buff up to hwtstamp, and where the fields lie that a test run takes (linux/bpf.h). */
const SK_BUFF = { size: 192, mark: 8, ifindex: 40 } as const;

/** Runs on the node that the object was loaded on. */
export class Fuzzer {
  readonly #tc: LoadedBpfObject;
  readonly #random: Random;
  readonly #drafts: Drafts;
  readonly #frontends: Frontends;
  readonly #judge: Judge;
  readonly #seen: Seen;
  readonly #pending: Draft[] = [];
  readonly #ctx = new DataView(new ArrayBuffer(SK_BUFF.size));
  readonly #kinds = new Map<Kind, number>();
  readonly #faults: string[] = [];
  readonly #aimed = new Map<number, number>();

  constructor(tc: LoadedBpfObject, plan: FuzzPlan) {
    this.#tc = tc;
    this.#random = new Random(plan.seed);
    this.#drafts = new Drafts(plan.services, this.#random);
    this.#frontends = new Frontends(plan.services);
    this.#judge = new Judge(this.#frontends);
    this.#seen = new Seen(plan.packets);
  }

  run(packets: number): FuzzReport {
    const before = this.#drops();
    while (this.#seen.size < packets && this.#faults.length < FAULTS_TOLD) {
      const draft = this.#pending.pop() ?? this.#drafts.request();
      if (!this.#seen.add(draft.frame, deviceIndex[draft.device] * 2 + (draft.hook === "egress" ? 1 : 0))) continue;
      this.#take(draft);
      if (this.#seen.size % ROUND === 0) this.#forget();
    }
    this.#forget();
    const counted = this.#drops().map((count, reason) => count - (before[reason] ?? 0));
    const refused = REFUSALS.reduce((total, kind) => total + (this.#kinds.get(kind) ?? 0), 0);
    const named = counted.map((count, reason) => [dropReasonNames[reason] ?? String(reason), count] as const);
    return {
      packets: this.#seen.size,
      aimed: [...this.#aimed.values()].reduce((total, count) => total + count, 0),
      protocols: Object.fromEntries(this.#aimed),
      kinds: Object.fromEntries([...this.#kinds].sort()),
      drops: Object.fromEntries(named.filter(([, count]) => count > 0)),
      unnamed: refused - counted.slice(1).reduce((total, count) => total + count, 0),
      faults: this.#faults,
    };
  }

  #take(draft: Draft): void {
    const { hook, device, stray, frame, mark } = draft;
    const outcome = this.#runProgram(draft);
    const run = { hook, outside: OUTSIDE.has(device), port: PORTS.has(device), stray, frame, mark };
    const reading = readFrame(frame);
    if (hook === "ingress" && !stray && reading && this.#frontends.at(frame, reading)) {
      this.#aimed.set(reading.proto, (this.#aimed.get(reading.proto) ?? 0) + 1);
    }
    try {
      const kind = this.#judge.judge(run, outcome);
      this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
      this.#follow(draft, kind, outcome);
    } catch (error) {
      const hex = (bytes: Buffer): string => bytes.toString("hex");
      const what = error instanceof Error ? error.message : String(error);
      this.#faults.push(`${hook} ${device}: ${what}: ${hex(frame)} -> ${outcome.verdict} ${hex(outcome.frame)}`);
    }
  }

  #runProgram({ hook, device, frame, mark }: Draft): Outcome {
    this.#ctx.setUint32(SK_BUFF.mark, mark, true);
    this.#ctx.setUint32(SK_BUFF.ifindex, deviceIndex[device], true);
    const program = this.#tc.program(`pt_${hook}`);
    const done = program.testRun({ data: frame, ctx: new Uint8Array(this.#ctx.buffer) });
    const verdict = VERDICTS[done.retval | 0];
    if (verdict === undefined) throw new Error(`pt_${hook} returned ${done.retval | 0}`);
    const { buffer, byteOffset, length } = done.dataOut;
    const out = new DataView(done.ctxOut.buffer, done.ctxOut.byteOffset);
    return { verdict, frame: Buffer.from(buffer, byteOffset, length), mark: out.getUint32(SK_BUFF.mark, true) };
  }

  /** What a network would do with it next: to the backend, back again, or an error about it. */
  #follow(draft: Draft, kind: Kind, { verdict, frame, mark }: Outcome): void {
    if (draft.stray || verdict === "drop" || kind === "reply" || this.#random.once(GIVEN_UP)) return;
    const { hook, device, clientSide } = draft;
    if (hook === "egress") {
      if (device !== clientSide || kind === "masqueraded") this.#pushAnswer(frame, device, clientSide);
      this.#pushError(frame, device, clientSide);
    } else if (kind === "request" || kind === "moved") {
      const next = backendSide(frame);
      // a redirect to a neighbour leaves by itself; from a bridge port it only looks for one
      if (verdict === "redirect" && !PORTS.has(device)) this.#pushAnswer(frame, next, clientSide);
      else this.#push("egress", next, clientSide, this.#drafts.after(frame), mark);
    } else if (device !== clientSide) {
      this.#push("egress", clientSide, clientSide, this.#drafts.after(frame), mark);
    }
  }

  #pushAnswer(frame: Buffer, device: DeviceName, clientSide: DeviceName): void {
    this.#push("ingress", device, clientSide, this.#drafts.answer(frame, device), 0);
    this.#pushError(frame, device, clientSide);
  }

  #pushError(about: Buffer, device: DeviceName, clientSide: DeviceName): void {
    if (this.#random.once(4)) this.#push("ingress", device, clientSide, this.#drafts.error(about, device), 0);
  }

  #push(
    hook: Draft["hook"],
    device: DeviceName,
    clientSide: DeviceName,
    frame: Buffer | undefined,
    mark: number,
  ): void {
    if (frame) this.#pending.push({ hook, device, clientSide, stray: false, frame, mark });
  }

  #forget(): void {
    for (const name of ["flows", "nascent", "fragments", "overtaking"]) {
      const map = this.#tc.map(name);
      const keys = [...map.entries()].map(([key]) => key);
      if (keys.length > 0) map.deleteBatch(Buffer.concat(keys), keys.length);
    }
    this.#pending.length = 0;
    this.#judge.forget();
  }

  /** By reason, all CPUs together. */
  #drops(): readonly number[] {
    const counts = Array<number>(DropReason.DROP_REASONS).fill(0);
    for (const [key, value] of this.#tc.map("drops").entries()) {
      const cpus = new DataView(value.buffer, value.byteOffset, value.byteLength);
      const reason = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
      for (let at = 0; at < value.length; at += 8) {
        counts[reason] = (counts[reason] ?? 0) + Number(cpus.getBigUint64(at, true));
      }
    }
    return counts;
  }
}

/** The device towards an endpoint, by the third byte of its IPv4 address or the third group of its IPv6 one. */
function backendSide(frame: Buffer): DeviceName {
  const [at, size] = frame[12] === 0x08 ? [30, 4] : [38, 16];
  const text = frame.toString("hex", at, at + size);
  return BACKENDS.find(([prefix]) => text.startsWith(prefix))?.[1] ?? "uplink";
}

const BACKENDS: readonly (readonly [hex: string, device: DeviceName])[] = [
  ["0a00000a", "client"],
  ["0a000014", "server"],
  ["0a00010a", "portA"],
  ["0a000114", "portB"],
  ["0a0001", "bridge"],
  ["0ac8", "overlay"],
  ["0ad2", "tunnel"],
  [`fd${"0".repeat(28)}10`, "client"],
  [`fd${"0".repeat(28)}20`, "server"],
  [`fd000001${"0".repeat(22)}10`, "portA"],
  [`fd000001${"0".repeat(22)}20`, "portB"],
  ["fd000001", "bridge"],
  ["fd000200", "overlay"],
  ["fd000210", "tunnel"],
];
