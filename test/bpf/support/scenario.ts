// SPDX-License-Identifier: Apache-2.0
// Tables of packets: what goes in, what must come out, byte for byte, and what must be counted. One test a scenario; a
// scenario begins with empty flow tables and ends with a sweep that must leave nothing.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Counters, Datapath, type RecordKind, type Settings } from "./datapath.ts";
import { bytes, dump } from "./hex.ts";
import { type Hook, Machine } from "./machine.ts";
import type { DeviceName } from "./topology.ts";
import { faultOf } from "./valid-packet.ts";
import type { Service } from "./world.ts";

export const MARK_IN = 0x20000000;
export const MARK_OUT = 0x40000000;

export interface Step {
  readonly at: `${Hook} ${DeviceName}`;
  /** hex, from the Ethernet header on */
  readonly packet: string;
  readonly mark?: number;
  /** "next" goes on to tc, the stack or the wire, "redirect" leaves by a device the program chose, "back" by its own */
  readonly verdict: "next" | "drop" | "redirect" | "back";
  /** hex; not given: every byte as it came. Nobody sees the bytes of a packet that is dropped. */
  readonly out?: string;
  /** not given: as it came */
  readonly markOut?: number;
  /** Every counter that moves, by how much; not given: none. */
  readonly counts?: Counters;
  /** The nascent records of this kind are evicted before the packet. */
  readonly evicted?: RecordKind;
  /** The packet stands for two TCP segments of so many bytes. */
  readonly gsoSize?: number;
  /** The packet is malformed on purpose. */
  readonly malformed?: boolean;
}

export interface Scenario {
  readonly name: string;
  /** Commands on the node before the first packet, and after the last. */
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  readonly steps: readonly Step[];
  /** Owners and PASS records after the last step; not given: not looked at. */
  readonly flows?: readonly string[];
}

/** One packet that goes by: every byte as it came, nothing counted, no record left. */
export function passes(name: string, at: Step["at"], packet: string, form?: "malformed"): Scenario {
  return { name, steps: [{ at, packet, verdict: "next", malformed: form === "malformed" }], flows: [] };
}

/** One packet to a VIP whose lengths contradict each other: it goes nowhere, and leaves no record. */
export function cutShort(name: string, at: Step["at"], packet: string): Scenario {
  const counts = { "drops.malformed": 1 };
  return { name, steps: [{ at, packet, verdict: "drop", malformed: true, counts }], flows: [] };
}

function difference(before: Counters, after: Counters): Counters {
  const moved = Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)] as const);
  return Object.fromEntries(moved.filter(([, by]) => by !== 0));
}

async function take(datapath: Datapath, step: Step, label: string): Promise<void> {
  const [hook, device] = step.at.split(" ") as [Hook, DeviceName];
  const data = bytes(step.packet);
  const expected = bytes(step.out ?? step.packet);
  if (step.malformed !== true) {
    expect(faultOf(data), `${label}: the table's own packet`).toBeUndefined();
    expect(faultOf(expected), `${label}: the table's own answer`).toBeUndefined();
  }
  if (step.evicted !== undefined) expect(await datapath.evict(step.evicted), `${label}: evictions`).toBeGreaterThan(0);
  const before = await datapath.counters();
  const outcome = await datapath.run(hook, device, data, step.mark, step.gsoSize);
  const counted = difference(before, await datapath.counters());
  const seen = outcome.verdict === "drop" ? "nobody's" : dump(outcome.data);
  expect({ verdict: outcome.verdict, bytes: seen, mark: outcome.mark, counted }, label).toEqual({
    verdict: step.verdict,
    bytes: step.verdict === "drop" ? "nobody's" : dump(expected),
    mark: step.markOut ?? step.mark ?? 0,
    counted: step.counts ?? {},
  });
}

/** Runs one scenario to its end, the sweep included. */
export async function play(datapath: Datapath, scenario: Scenario): Promise<void> {
  const commands = async (lines: readonly string[] = []): Promise<void> => {
    for (const line of lines) await datapath.machine.ask({ do: "command", argv: line.split(" ") });
  };
  await datapath.forgetFlows();
  await commands(scenario.before);
  for (const [index, step] of scenario.steps.entries()) {
    await take(datapath, step, `packet ${index + 1} at ${step.at}`);
  }
  await commands(scenario.after);
  if (scenario.flows !== undefined) expect(await datapath.flows()).toEqual(scenario.flows);
  await expectNothingLeft(datapath);
}

export async function expectNothingLeft(datapath: Datapath): Promise<void> {
  const { left, report } = await datapath.expireAll();
  expect({ left, failed: report.failed }).toEqual({ left: [], failed: 0 });
}

/** Call inside describe(): the returned function gives the datapath from within tests. */
export function useDatapath(services: readonly Service[], settings: Settings = {}): () => Datapath {
  let machine: Machine | undefined;
  let datapath: Datapath | undefined;
  beforeAll(async () => {
    machine = await Machine.start();
    datapath = await Datapath.load(machine, services, settings);
  });
  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]();
  });
  return () => {
    if (!datapath) throw new Error("the datapath is there only while tests run");
    return datapath;
  };
}

/** Declares a test for each scenario over one loaded copy. */
export function table(
  title: string,
  services: readonly Service[],
  scenarios: readonly Scenario[],
  settings: Settings = {},
): void {
  describe(title, () => {
    const datapath = useDatapath(services, settings);
    for (const scenario of scenarios) test(scenario.name, () => play(datapath(), scenario));
  });
}
