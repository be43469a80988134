// SPDX-License-Identifier: Apache-2.0
// The writer of rules for iptables with the real commands and the real kernel, in both variants: what it writes serves, what the
// next agent finds it leaves as it is, what somebody flushes comes back, and what goes is its own.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CompiledService } from "../../src/compile/state.ts";
import { NOTHING_WRITTEN } from "../../src/datapath/contract.ts";
import { serviceHash } from "../../src/datapath/iptables/names.ts";
import type { VariantChoice } from "../../src/datapath/iptables/variant.ts";
import type { Surroundings } from "../../src/datapath/rules/writer.ts";
import { ip, member, service } from "../support/compiled.ts";
import { NamespaceProcess } from "../support/namespace-process.ts";
import type { RulesAsk } from "../support/programs/rules-child.ts";

const CHILD = fileURLToPath(new URL("../support/programs/rules-child.ts", import.meta.url));
const PORT = 8080;
const [ONE, TWO, THREE, SIX] = ["10.9.1.2", "10.9.1.3", "10.9.1.4", "fd00:9:1::2"] as const;
const ALL: readonly string[] = [ONE, TWO, THREE];
const NODE_PORT = 30_080;
const SURROUNDINGS: Surroundings = {
  nodeAddresses: [
    { address: ip(ONE), loopback: false, nodePort: true },
    { address: ip("127.0.0.1"), loopback: true, nodePort: true },
  ],
  serviceRanges: [],
  localClients: { by: "otherDevice", names: ["eth0", "tun*"] },
  foreign: new Set(),
  partial: false,
};

const members = (addresses: readonly string[]) => addresses.map((address) => member(address, PORT));
const web = (...addresses: readonly string[]): CompiledService =>
  service({ name: "web", at: "10.96.0.1", port: 80, cluster: members(addresses) });
const sticky = (...addresses: readonly string[]): CompiledService =>
  service({ name: "sticky", at: "10.96.0.3", port: 80, cluster: members(addresses), affinitySeconds: 60 });
const SERVICES: readonly CompiledService[] = [
  web(ONE, TWO),
  service({ name: "web", at: "fd00:10:96::1", port: 80, cluster: [member(SIX, PORT)] }),
  service({ name: "none", at: "10.96.0.2", port: 80 }),
  sticky(ONE, TWO, THREE),
  service({ name: "node", at: undefined, port: NODE_PORT, cluster: [member(THREE, PORT)] }),
  service({ name: "elsewhere", at: "10.96.0.4", port: 80, cluster: [member(ONE, PORT)], internalLocal: true }),
];

let child: NamespaceProcess | undefined;
const ask = async (asked: RulesAsk): Promise<unknown> => {
  if (!child) throw new Error("the namespace is there only while tests run");
  return await child.ask(asked);
};
const run = async (...command: readonly string[]) => String(await ask({ do: "run", command }));
const dial = async (address: string, count = 40, port = 80) =>
  (await ask({ do: "dial", address, port, count })) as Readonly<Record<string, number>>;
const open = (variant: VariantChoice) => ask({ do: "open", mode: "iptables", variant });

/** changed: whole without. */
async function write(services: readonly CompiledService[], changed?: readonly CompiledService[]): Promise<unknown> {
  return await ask({
    do: "write",
    wanted: {
      services: new Map(services.map((one) => [one.key, one])),
      surroundings: SURROUNDINGS,
      changed: new Set((changed ?? services).map(({ key }) => key)),
      surroundingsChanged: changed === undefined,
      whole: changed === undefined,
    },
  });
}

/** Of the namespace, without the time, and counters of chains that count by themselves. */
async function saved(...args: readonly string[]): Promise<string> {
  const all = ["iptables-nft-save", "iptables-legacy-save", "ip6tables-nft-save", "ip6tables-legacy-save"];
  const lists = await Promise.all(all.map((command) => run(command, ...args)));
  return lists
    .join("\n")
    .replace(/^#.*\n/gm, "")
    .replace(/^(:(?:PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) .*) \[.*\]$/gm, "$1");
}

async function begin(): Promise<void> {
  child = await NamespaceProcess.start(CHILD);
  await ask({ do: "serve", addresses: [ONE, TWO, THREE, SIX], port: PORT });
}

async function end(): Promise<void> {
  await child?.[Symbol.asyncDispose]();
}

describe.each(["nft", "legacy"] as const)("iptables-%s", (variant) => {
  const other = variant === "nft" ? "legacy" : "nft";
  const nat = (...args: readonly string[]) => run(`iptables-${variant}`, "-t", "nat", ...args);
  beforeAll(begin);
  afterAll(end);

  test("in an empty namespace nothing is there, and cleanup leaves it so", async () => {
    await open(variant);
    expect(await ask({ do: "present" })).toBe(false);
    expect(await ask({ do: "cleanup" })).toBe(true);
    expect(await saved()).toBe("\n\n\n");
  });

  test("rows 24, 27, 29, 31 and 33: what is written first serves, and nobody takes it for a kube-proxy's", async () => {
    expect(await write(SERVICES)).toMatchObject({ servicesWritten: 6, frontendsWritten: 6, backendsWritten: 7 });
    expect(Object.keys(await dial("10.96.0.1")).sort()).toEqual([ONE, TWO]);
    expect(await dial("fd00:10:96::1", 3)).toEqual({ [SIX]: 3 });
    expect(await dial(ONE, 2, NODE_PORT)).toEqual({ [THREE]: 2 });
    expect(await dial("127.0.0.1", 2, NODE_PORT)).toEqual({ [THREE]: 2 });
    expect(await dial("10.96.0.2", 2)).toEqual({ ECONNREFUSED: 2 });
    expect(await dial("10.96.0.4", 1)).toEqual({ TIMEOUT: 1 });
    expect(await ask({ do: "warnings" })).toEqual([]);
    expect(await ask({ do: "intact" })).toBe(true);
    expect(await ask({ do: "present" })).toBe(true);
    expect(await ask({ do: "kube-proxy" })).toEqual([]);
  });

  test("a change of endpoints counts with the next connection, and touches nothing but that Service", async () => {
    const chain = `KUBE-SVC-${serviceHash(web())}`;
    const rest = async () => {
      const lines = (await saved("-c")).split("\n");
      return lines.filter(
        (line) => !line.includes("test/web") && !line.includes(chain) && !line.startsWith(":KUBE-SEP"),
      );
    };
    const before = await rest();
    const services = [web(THREE), ...SERVICES.slice(1)];
    expect(await write(services, services.slice(0, 1))).toMatchObject({ servicesWritten: 1, frontendsWritten: 0 });
    expect(await rest()).toEqual(before);
    expect(await dial("10.96.0.1", 5)).toEqual({ [THREE]: 5 });
    await write(SERVICES, SERVICES.slice(0, 1));
    expect(Object.keys(await dial("10.96.0.1")).sort()).toEqual([ONE, TWO]);
  });

  test("rows 51 and 52: the next agent writes nothing, and clients keep their endpoints", async () => {
    const [chosen = "", ...others] = Object.keys(await dial("10.96.0.3", 15));
    expect(others).toEqual([]);
    const before = await saved("-c");
    await open("auto");
    expect(await write(SERVICES)).toEqual(NOTHING_WRITTEN);
    expect(await saved("-c")).toBe(before);
    expect(await dial("10.96.0.3", 15)).toEqual({ [chosen]: 15 });
  });

  test("row 56: an endpoint that leaves is forgotten, and one that comes back has no clients", async () => {
    const [chosen = ""] = Object.keys(await dial("10.96.0.3", 1));
    const rest = ALL.filter((address) => address !== chosen);
    const without = [...SERVICES.slice(0, 3), sticky(...rest), ...SERVICES.slice(4)];
    await write(without, without.slice(3, 4));
    const [next = "", ...others] = Object.keys(await dial("10.96.0.3", 15));
    expect([rest.includes(next), others]).toEqual([true, []]);
    await write(SERVICES, SERVICES.slice(3, 4));
    expect(await dial("10.96.0.3", 15)).toEqual({ [next]: 15 });
  });

  test.each([
    ["all rules of nat", ["-F"]],
    [
      "what leads to them",
      ["-D", "OUTPUT", "-m", "comment", "--comment", "kubernetes service portals", "-j", "KUBE-SERVICES"],
    ],
    ["the canary", ["-F", "PORTOLAN-CANARY"]],
  ])("row 77: notices that somebody took away %s, and writes them anew", async (_, args) => {
    expect(await ask({ do: "intact" })).toBe(true);
    await nat(...args);
    expect(await ask({ do: "intact" })).toBe(false);
    await write(SERVICES);
    expect(await ask({ do: "intact" })).toBe(true);
    expect(Object.keys(await dial("10.96.0.1")).sort()).toEqual([ONE, TWO]);
  });

  test("the kubelet's hint decides on the variant, and what the other one holds of ours goes", async () => {
    await run(`iptables-${other}`, "-t", "mangle", "-N", "KUBE-KUBELET-CANARY");
    await nat("-N", "SOMEBODYS");
    await open("auto");
    expect(await write(SERVICES)).toMatchObject({ servicesWritten: 6 });
    expect(Object.keys(await dial("10.96.0.1")).sort()).toEqual([ONE, TWO]);
    expect((await nat("-S")).match(/^-N .*$/gm)).toEqual(["-N SOMEBODYS"]);
    await run(`iptables-${other}`, "-t", "mangle", "-X", "KUBE-KUBELET-CANARY");
    await open(variant);
    await write(SERVICES);
    expect(await nat("-S")).toContain("-N PORTOLAN-CANARY");
  });

  test("row 85: a kube-proxy that starts takes the chains over: they are told as its own, and stay at cleanup", async () => {
    for (const command of [`iptables-${variant}`, `ip6tables-${variant}`]) {
      for (const table of ["nat", "filter", "mangle"]) await run(command, "-t", table, "-N", "KUBE-PROXY-CANARY");
    }
    const places = [`iptables-${variant}`, `ip6tables-${variant}`];
    expect(await ask({ do: "kube-proxy" })).toEqual([{ mode: "iptables", places }]);
    await ask({ do: "cleanup" });
    expect(await ask({ do: "present" })).toBe(false);
    expect(await nat("-S")).toMatch(/-A KUBE-SERVICES -d 10\.96\.0\.1\/32 .* -j KUBE-SVC-/);
    expect(await saved()).not.toContain("PORTOLAN-CANARY");
  });

  test("row 85: cleanup takes away what is ours, and leaves what is not", async () => {
    await open(variant);
    await write(SERVICES);
    expect(await ask({ do: "kube-proxy" })).toEqual([]);
    await ask({ do: "cleanup" });
    const chains = (await saved()).match(/^:(?:KUBE|PORTOLAN|SOMEBODYS).*$/gm);
    // The kubelet's, which has the same rule in both variants by now.
    expect(new Set(chains)).toEqual(new Set([":KUBE-FIREWALL - [0:0]", ":SOMEBODYS - [0:0]"]));
    expect(await run("ipset", "list", "-name")).toBe("");
  });
});

describe("clients of one endpoint", () => {
  const CLIENTS = Array.from({ length: 150 }, (_, n) => `10.9.9.${n + 1}`);
  beforeAll(async () => {
    await begin();
    for (const address of CLIENTS) await run("ip", "addr", "add", `${address}/32`, "dev", "lo");
  });
  afterAll(end);

  /** Clients that meet another endpoint than before. */
  async function forgotten(): Promise<number> {
    const asked = async () => {
      const answers: string[] = [];
      for (const from of CLIENTS) {
        const told = await ask({ do: "dial", address: "10.96.0.3", port: 80, count: 1, from });
        answers.push(Object.keys(told as object).join());
      }
      return answers;
    };
    const [first, second] = [await asked(), await asked()];
    return first.filter((answer, index) => answer !== second[index]).length;
  }

  /** Most clients choose the first: 120 of 150. */
  const [first, second] = members([ONE, TWO]).map((one, index) => ({ ...one, weight: index === 0 ? 8 : 2 }));
  const uneven: CompiledService = {
    ...sticky(),
    cluster: [first, second].flatMap((one) => one ?? []),
    hasAnyEndpoints: true,
  };

  test("row 53: as many as there are keep it", async () => {
    await open("auto");
    await write([uneven]);
    expect(await ask({ do: "warnings" })).toEqual([]);
    expect(await forgotten()).toBe(0);
  });

  test("row 53: where sets cannot be had, a warning says that only the last hundred do", async () => {
    await ask({ do: "cleanup" });
    await run("ipset", "create", "PORTOLAN-4-PROBE", "list:set");
    await open("auto");
    await write([uneven]);
    const reason = expect.stringMatching(
      /^IPv4: session affinity remembers the last 100 clients of each endpoint \(.*ipset/,
    );
    expect(await ask({ do: "warnings" })).toEqual([reason]);
    expect(await run("iptables-nft", "-t", "nat", "-S")).toContain("-m recent --rcheck --seconds 60 --reap");
    const [chosen, ...others] = Object.keys(await dial("10.96.0.3", 10));
    expect([chosen === undefined, others]).toEqual([false, []]);
  });
});
