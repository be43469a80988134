// SPDX-License-Identifier: Apache-2.0
// What the driver of rules tells its writer, and when: one write at a time, all that came meanwhile in the next; failures and
// flushed rules are written anew, an earlier agent's stay until the state is complete.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { CompiledService, ServiceKey } from "../../../src/compile/state.ts";
import type { ApplyReport } from "../../../src/datapath/contract.ts";
import { RuleDriver } from "../../../src/datapath/rules/driver.ts";
import type { RuleWriter, Wanted } from "../../../src/datapath/rules/writer.ts";
import { service } from "../../support/compiled.ts";
import { link, network } from "../devices/builders.ts";

const WRITTEN: ApplyReport = {
  servicesWritten: 1,
  servicesRemoved: 0,
  frontendsWritten: 0,
  frontendsRemoved: 0,
  backendsWritten: 0,
};

/** Notes what it is told: `whole a b`, `-a`, `around`. */
class NotingWriter implements RuleWriter {
  readonly mode = "nftables";
  readonly told: string[] = [];
  failure: Error | undefined;
  isIntact = true;
  /** Until it resolves a write runs. */
  gate: Promise<void> = Promise.resolve();

  async write({ services, changed, surroundingsChanged, whole }: Wanted): Promise<ApplyReport> {
    const names = Array.from(changed, (key) => (services.has(key) ? "" : "-") + nameOf(key)).sort();
    this.told.push([...(whole ? ["whole"] : []), ...(surroundingsChanged ? ["around"] : []), ...names].join(" "));
    await this.gate;
    if (this.failure) throw this.failure;
    return WRITTEN;
  }

  present = async () => true;
  intact = async () => this.isIntact;
  faults = async () => (this.isIntact ? [] : ["all of it"]);
  cleanup = async () => true;
}

const nameOf = (key: ServiceKey): string => key.split(/[/:]/)[1] ?? "";
const named = (name: string, protocol: CompiledService["protocol"] = "UDP"): CompiledService =>
  service({ name, protocol, at: "10.96.0.1", port: 53 });
const keyOf = (name: string): ServiceKey => named(name).key;
const RULES = { uplinkPatterns: ["eth*"], podPatterns: [], nodeAddresses: [] };

let writer: NotingWriter;
let errors: unknown[];
let healed: number;
let doubted: string[];
let early: string[];

function driver(servedBefore = false): RuleDriver {
  const made = new RuleDriver({
    writer,
    local: { mode: "Device" },
    servedBefore,
    onError: (error) => void errors.push(error),
    onHealing: () => void healed++,
    forgetDatagrams: async (services) => void doubted.push(...services.map(({ name }) => name)),
    forgetUntranslated: async (services) => void early.push(...services.map(({ name }) => name)),
  });
  return made;
}

/** Of a driver that is told where it is. */
function placed(servedBefore = false): RuleDriver {
  const made = driver(servedBefore);
  made.attachDevices(network({ links: [link(2, "eth0")] }), RULES);
  return made;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  writer = new NotingWriter();
  [errors, healed, doubted, early] = [[], 0, [], []];
});
afterEach(() => vi.useRealTimers());

test("nothing is written before devices are known, then all at once", async () => {
  await using rules = driver();
  const published = rules.sync({ upsert: [named("a"), named("b")], remove: [] });
  expect(writer.told).toEqual([]);
  rules.attachDevices(network({ links: [link(2, "eth0")] }), RULES);
  expect(await published).toEqual(WRITTEN);
  expect(writer.told).toEqual(["whole around a b"]);
  expect([...rules.inForce].map(({ name }) => name)).toEqual(["a", "b"]);
});

test("faults are the writer's, once something was written", async () => {
  await using rules = placed();
  writer.isIntact = false;
  expect(await rules.faults()).toEqual([]);
  await rules.sync({ upsert: [named("a")], remove: [] });
  expect(await rules.faults()).toEqual(["all of it"]);
});

test("what comes while a write runs is one write", async () => {
  await using rules = placed();
  await rules.sync({ upsert: [named("a")], remove: [] });
  let open = (): void => undefined;
  writer.gate = new Promise((resolve) => {
    open = resolve;
  });
  const first = rules.apply({ upsert: [named("b")], remove: [] });
  await vi.waitFor(() => expect(writer.told).toHaveLength(2));
  const later = [rules.apply({ upsert: [named("c")], remove: [] }), rules.apply({ upsert: [], remove: [keyOf("a")] })];
  open();
  await Promise.all([first, ...later]);
  expect(writer.told).toEqual(["whole around a", "b", "-a c"]);
});

test("a complete state takes away what it does not name", async () => {
  await using rules = placed();
  await rules.apply({ upsert: [named("a"), named("b")], remove: [] });
  await rules.sync({ upsert: [named("b")], remove: [] });
  expect(writer.told).toEqual(["whole around a b", "-a b"]);
});

test("row 13: rules of an earlier agent stay as they are until the state is complete", async () => {
  await using rules = placed(true);
  await rules.apply({ upsert: [named("a")], remove: [] });
  expect(writer.told).toEqual([]);
  await rules.sync({ upsert: [named("a")], remove: [] });
  expect(writer.told).toEqual(["whole around a"]);
});

test("a write that fails is said to who waits, names what is not served, and is whole when it is tried again", async () => {
  await using rules = placed();
  await rules.sync({ upsert: [named("a")], remove: [] });
  writer.failure = new Error("refused");
  await expect(rules.apply({ upsert: [named("b")], remove: [] })).rejects.toThrow("refused");
  expect([...rules.unserved].map(nameOf)).toEqual(["b"]);
  expect([...rules.inForce].map(({ name }) => name)).toEqual(["a"]);
  writer.failure = undefined;
  await rules.retry();
  expect(writer.told).toEqual(["whole around a", "b", "whole b"]);
  expect(rules.unserved.size).toBe(0);
});

test("row 77: rules that somebody has flushed are written anew within two seconds", async () => {
  await using rules = placed();
  await rules.sync({ upsert: [named("a")], remove: [] });
  await vi.advanceTimersByTimeAsync(2000);
  expect(writer.told).toHaveLength(1);
  writer.isIntact = false;
  await vi.advanceTimersByTimeAsync(2000);
  await vi.waitFor(() => expect(writer.told).toEqual(["whole around a", "whole"]));
  expect(healed).toBe(1);
});

test("a change of the node's devices is written without being asked for, the same devices are not", async () => {
  await using rules = placed();
  await rules.sync({ upsert: [], remove: [] });
  rules.attachDevices(network({ links: [link(2, "eth0")] }), RULES);
  rules.attachDevices(network({ links: [link(2, "eth0"), link(9, "eth1")] }), RULES);
  await vi.waitFor(() => expect(writer.told).toEqual(["whole around", "around"]));
  expect(errors).toEqual([]);
});

test("row 57: after a write netfilter is asked about the datagrams of what changed, of UDP alone", async () => {
  await using rules = placed();
  await rules.sync({ upsert: [named("a"), named("web", "TCP")], remove: [] });
  await vi.waitFor(() => expect(doubted).toEqual(["a"]));
  await rules.apply({ upsert: [named("b")], remove: [] });
  await vi.waitFor(() => expect(doubted).toEqual(["a", "b"]));
});

test("after a write netfilter is asked about what came too early, of Services whose frontends are new", async () => {
  await using rules = placed();
  await rules.sync({ upsert: [named("a")], remove: [] });
  await vi.waitFor(() => expect(early).toEqual(["a"]));
  const nodePort = { kind: "NodePort", address: undefined, port: 30_080 } as const;
  await rules.apply({ upsert: [{ ...named("a"), hasAnyEndpoints: true }, named("b")], remove: [] });
  await vi.waitFor(() => expect(early).toEqual(["a", "b"]));
  await rules.apply({ upsert: [{ ...named("a"), frontends: [nodePort] }], remove: [] });
  await vi.waitFor(() => expect(early).toEqual(["a", "b", "a"]));
});
