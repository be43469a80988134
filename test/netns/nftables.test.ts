// SPDX-License-Identifier: Apache-2.0
// The writer of rules for nftables with the real nft and the real kernel: what it writes serves, what the next agent finds it
// leaves as it is, what somebody flushes comes back, and its table is all that goes.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CompiledService } from "../../src/compile/state.ts";
import { NOTHING_WRITTEN } from "../../src/datapath/contract.ts";
import type { Surroundings, Wanted } from "../../src/datapath/rules/writer.ts";
import { cidr, ip, member, service } from "../support/compiled.ts";
import { NamespaceProcess } from "../support/namespace-process.ts";
import type { RulesAsk } from "../support/programs/rules-child.ts";
import { until } from "../support/until.ts";

const CHILD = fileURLToPath(new URL("../support/programs/rules-child.ts", import.meta.url));
const PORT = 8080;
const SERVERS = ["10.9.1.2", "10.9.1.3", "10.9.1.4", "fd00:9:1::2", "fd00:9:1::3"];
const [ONE, TWO, THREE, ONE6, TWO6] = SERVERS.map((address) => member(address, PORT)) as [
  ReturnType<typeof member>,
  ...ReturnType<typeof member>[],
];
const NODE = "10.9.1.2";

const SURROUNDINGS: Surroundings = {
  nodeAddresses: [
    { address: ip(NODE), loopback: false, nodePort: true },
    { address: ip("127.0.0.1"), loopback: true, nodePort: true },
  ],
  serviceRanges: [cidr("10.96.0.0/16"), cidr("fd00:10:96::/112")],
  localClients: { by: "otherDevice", names: ["eth0", "tun*"] },
  foreign: new Set([ip("10.96.0.200")]),
  partial: false,
};
let child: NamespaceProcess | undefined;
let services: readonly CompiledService[] = [];

const ask = (asked: RulesAsk): Promise<unknown> => (child as NamespaceProcess).ask(asked);
const run = async (command: string) => String(await ask({ do: "run", command: command.split(" ") }));
const dial = (address: string, count = 40, port = 80) => ask({ do: "dial", address, port, count });

/** changed: of the services of the last write; the rest stays. Without any: whole. */
async function write(
  changed: readonly CompiledService[] = [],
  more: Partial<Wanted> & { restart?: boolean } = {},
): Promise<unknown> {
  const { restart = false, ...wanted } = more;
  const keys = new Set(changed.map(({ key }) => key));
  services = [...services.filter(({ key }) => !keys.has(key)), ...changed];
  const state: Wanted = {
    services: new Map(services.map((one) => [one.key, one])),
    surroundings: SURROUNDINGS,
    changed: keys,
    surroundingsChanged: false,
    whole: changed.length === 0,
    ...wanted,
  };
  if (restart) await ask({ do: "open", mode: "nftables" });
  return await ask({ do: "write", wanted: state });
}

const members = (...all: readonly (typeof ONE | undefined)[]) => all.filter((one) => one !== undefined);
const web = (...cluster: readonly (typeof ONE | undefined)[]) =>
  service({ name: "web", at: "10.96.0.1", port: 80, cluster: members(...cluster) });
const sticky = (...cluster: readonly (typeof ONE | undefined)[]) =>
  service({ name: "sticky", at: "10.96.0.3", port: 80, cluster: members(...cluster), affinitySeconds: 60 });

beforeAll(async () => {
  child = await NamespaceProcess.start(CHILD);
  await ask({ do: "serve", addresses: SERVERS, port: PORT });
  services = [
    web(ONE, TWO),
    service({ name: "web", at: "fd00:10:96::1", port: 80, cluster: members(ONE6, TWO6) }),
    service({ name: "none", at: "10.96.0.2", port: 80 }),
    sticky(ONE, TWO, THREE),
    service({ name: "node", at: undefined, port: 30080, cluster: members(THREE) }),
    service({ name: "elsewhere", at: "10.96.0.4", port: 80, cluster: members(ONE), internalLocal: true }),
  ];
});

afterAll(async () => {
  await child?.[Symbol.asyncDispose]();
});

test("an empty namespace has none of it, and cleanup does not mind", async () => {
  expect(await ask({ do: "present" })).toBe(false);
  expect(await ask({ do: "intact" })).toBe(false);
  expect(await ask({ do: "cleanup" })).toBe(true);
  expect(await run("nft list ruleset")).toBe("");
});

test("rows 24, 27, 31, 33, 46: the first write serves", async () => {
  expect(await write()).toMatchObject({ servicesWritten: 6, frontendsWritten: 6 });
  expect(Object.keys((await dial("10.96.0.1")) as object).sort()).toEqual(["10.9.1.2", "10.9.1.3"]);
  expect(Object.keys((await dial("fd00:10:96::1")) as object).sort()).toEqual(["fd00:9:1::2", "fd00:9:1::3"]);
  expect(await dial(NODE, 2, 30080)).toEqual({ "10.9.1.4": 2 });
  expect(await dial("127.0.0.1", 1, 30080)).toEqual({ ECONNREFUSED: 1 });
  expect(await dial("10.96.0.2", 2)).toEqual({ ECONNREFUSED: 2 });
  expect(await dial("10.96.0.1", 2, 81)).toEqual({ ECONNREFUSED: 2 });
  expect(await dial("10.96.0.4", 1)).toEqual({ TIMEOUT: 1 });
  expect(await dial("10.96.0.99", 1)).toEqual({ TIMEOUT: 1 });
  expect(await ask({ do: "intact" })).toBe(true);
  expect(await ask({ do: "present" })).toBe(true);
});

test("a change of endpoints counts with the next connection, and writes no other rule", async () => {
  const others = async () =>
    (await run("nft -a -t list table inet portolan")).replace(/chain internal4-\w+-test\/web\/tcp \{[^}]*\}/, "");
  const before = await others();
  expect(await write([web(THREE)])).toMatchObject({ servicesWritten: 1, frontendsWritten: 0, backendsWritten: 1 });
  expect(await dial("10.96.0.1", 5)).toEqual({ "10.9.1.4": 5 });
  expect(await others()).toBe(before);
  await until("the old endpoints are reclaimed", async () => {
    expect(await ask({ do: "intact" })).toBe(true);
    return !(await run("nft list map inet portolan endpoints4-tcp-0")).includes("elements = { 0 :");
  });
  await write([web(ONE, TWO)]);
  expect(Object.keys((await dial("10.96.0.1")) as object).sort()).toEqual(["10.9.1.2", "10.9.1.3"]);
});

test("rows 51, 54: the next agent leaves all of it as it is, and clients keep their endpoints", async () => {
  const [chosen = ""] = Object.keys((await dial("10.96.0.3", 15)) as object);
  const before = await run("nft -a -t list ruleset");
  expect(await write([], { restart: true })).toEqual(NOTHING_WRITTEN);
  expect(await ask({ do: "intact" })).toBe(true);
  expect(await run("nft -a -t list ruleset")).toBe(before);
  expect(await dial("10.96.0.3", 15)).toEqual({ [chosen]: 15 });
});

test("row 56: an endpoint that leaves is forgotten, and one that comes back finds no clients", async () => {
  const [chosen = ""] = Object.keys((await dial("10.96.0.3", 5)) as object);
  const [left, ...others] = members(ONE, TWO, THREE).sort((a) => (a.address === chosen ? -1 : 1));
  await write([sticky(...others)]);
  const [next = "", ...more] = Object.keys((await dial("10.96.0.3", 15)) as object);
  expect([next === chosen, more]).toEqual([false, []]);
  await write([sticky(left, ...others)]);
  expect(await dial("10.96.0.3", 15)).toEqual({ [next]: 15 });
});

test.each(["UDP", "SCTP"] as const)(
  "row 48: a Service of %s alone is written, changed and taken away",
  async (protocol) => {
    const dns = (...cluster: readonly (typeof ONE | undefined)[]) =>
      service({ name: "dns", at: "10.96.0.5", port: 53, protocol, cluster: members(...cluster) });
    expect(await write([dns(ONE)])).toMatchObject({ servicesWritten: 1, frontendsWritten: 1 });
    expect(await write([dns(ONE, TWO)])).toMatchObject({ servicesWritten: 1, backendsWritten: 2 });
    const { key } = dns();
    services = services.filter((one) => one.key !== key);
    const left = new Map(services.map((one) => [one.key, one]));
    expect(await write([dns()], { services: left, changed: new Set([key]) })).toMatchObject({ servicesRemoved: 1 });
    services = services.filter((one) => one.key !== key);
  },
);

test("a frontend passes from one Service to another, and a Service goes", async () => {
  const other = service({ name: "other", at: "10.96.0.1", port: 80, cluster: members(THREE) });
  const [from] = services.filter(({ name, family }) => name === "web" && family === 4);
  services = services.filter((one) => one !== from);
  await write([other], { changed: new Set([other.key, web().key]) });
  expect(await dial("10.96.0.1", 5)).toEqual({ "10.9.1.4": 5 });
  services = services.filter((one) => one !== other);
  await write([], { changed: new Set([other.key]), whole: false });
  expect(await dial("10.96.0.1", 1)).toEqual({ TIMEOUT: 1 });
  await until("their chains are gone", async () => {
    expect(await ask({ do: "intact" })).toBe(true);
    return !/test\/other|-test\/web\/tcp \{[^}]*ip daddr/.test(await run("nft -t list table inet portolan"));
  });
  await write([web(ONE, TWO)]);
  expect(await dial("10.96.0.1", 1)).not.toHaveProperty("TIMEOUT");
});

test.each(["nft flush ruleset", "nft delete table inet portolan", "nft flush table inet portolan"])(
  "row 77: %s is noticed and mended",
  async (command) => {
    await run(command);
    expect(await ask({ do: "intact" })).toBe(false);
    await write();
    expect(await ask({ do: "intact" })).toBe(true);
    expect(Object.keys((await dial("10.96.0.1")) as object).sort()).toEqual(["10.9.1.2", "10.9.1.3"]);
    expect(await write([], { restart: true })).toEqual(NOTHING_WRITTEN);
  },
);

test("a write that fails says why, and the next one is whole", async () => {
  await run("nft delete table inet portolan");
  await expect(write([web(ONE)])).rejects.toThrow(/NetfilterError.*nft -f -.*No such file or directory/s);
  expect(await write([web(ONE)])).toMatchObject({ frontendsWritten: 6 });
  expect(await dial("10.96.0.1", 3)).toEqual({ "10.9.1.2": 3 });
});

test("row 46: nothing is refused for want of a Service while not all is known, nor where others serve", async () => {
  const surroundings = { ...SURROUNDINGS, partial: true };
  await write([], { surroundings, surroundingsChanged: true, whole: false });
  expect(await run("nft list chain inet portolan unserved")).not.toContain("drop");
  await write([], { surroundingsChanged: true, whole: false });
  expect(await run("nft list chain inet portolan unserved")).toContain("ip daddr 10.96.0.0/16 drop");
  expect(await run("nft list set inet portolan left-alone4")).toContain("10.96.0.200");
});

test("row 85: cleanup takes our table and no other", async () => {
  await run("nft add table inet theirs");
  expect(await ask({ do: "cleanup" })).toBe(true);
  expect(await run("nft list tables")).toBe("table inet theirs\n");
  expect(await ask({ do: "present" })).toBe(false);
});
