// SPDX-License-Identifier: Apache-2.0
// The rules in FORWARD are kept, and what keeps them from being kept is said once and ends nothing.
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ForwardKeeper } from "../../../src/agent/forward-keeper.ts";
import type { RuleTable } from "../../../src/datapath/netfilter/iptables.ts";

class FakeTable implements RuleTable {
  readonly command = "/sbin/iptables";
  readonly restored: (readonly string[])[] = [];
  /** As `iptables -S` prints it. */
  listed: readonly string[] = ["-P FORWARD DROP"];
  refusal: Error | undefined;

  async rules(): Promise<readonly string[]> {
    if (this.refusal) throw this.refusal;
    return this.listed;
  }

  async restore(lines: readonly string[]): Promise<void> {
    this.restored.push(lines);
  }
}

const RULES = [
  ":PORTOLAN-FORWARD - [0:0]",
  "-A PORTOLAN-FORWARD -m mark --mark 0x80000000/0x80000000 -j ACCEPT",
  "-A PORTOLAN-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
];

describe("the rules in FORWARD", () => {
  let table: FakeTable;
  let tables: readonly RuleTable[];
  let log: string[];
  let keeper: ForwardKeeper;

  beforeEach(() => {
    vi.useFakeTimers();
    table = new FakeTable();
    tables = [table];
    log = [];
    const write = (line: string) => void log.push(JSON.parse(line).msg);
    keeper = new ForwardKeeper(31, (family) => (family === 4 ? tables : [new FakeTable()]), pino({}, { write }));
  });

  afterEach(() => {
    keeper[Symbol.dispose]();
    vi.useRealTimers();
  });

  const OURS = ["-N PORTOLAN-FORWARD", ...RULES.slice(1)];
  const JUMP = "-A FORWARD -j PORTOLAN-FORWARD";
  const POLICY = ["-A FORWARD -j KUBE-ROUTER-FORWARD", "-A FORWARD -d 10.1.0.7/32 -j DROP"];

  test("are added where the policy is DROP, in one transaction, behind the rules that say whom they mean", async () => {
    table.listed = ["-P FORWARD DROP", "-N KUBE-ROUTER-FORWARD", ...POLICY];
    await keeper.keep();
    expect(table.restored).toEqual([[...RULES, "-I FORWARD 3 -j PORTOLAN-FORWARD"]]);
  });

  test.each([
    ["accepts everything", []],
    [
      "drops only what a rule names: a NetworkPolicy, say",
      [...POLICY, "-A KUBE-ROUTER-FORWARD -d 10.1.0.7/32 -j REJECT"],
    ],
    [
      "jumps to a chain that asks before it drops",
      ["-A FORWARD -j OTHERS", "-A OTHERS -i eth0 -j ACCEPT", "-A OTHERS -j DROP"],
    ],
  ])("are not added to a chain that %s", async (_what, rules) => {
    table.listed = ["-P FORWARD ACCEPT", ...rules];
    await keeper.keep();
    expect(table.restored).toEqual([]);
  });

  test.each([
    ["a rule", ["-A FORWARD -j REJECT --reject-with icmp-port-unreachable"]],
    ["a rule with a comment", ['-A FORWARD -m comment --comment "all the rest" -j DROP']],
    ["a chain of its own", ["-A FORWARD -j REST", "-A REST -j LOG --log-prefix dropped", "-A REST -j DROP"]],
  ])("go before %s that drops all the rest under policy ACCEPT", async (_what, rest) => {
    table.listed = ["-P FORWARD ACCEPT", ...POLICY, ...rest, "-A FORWARD -s 10.9.9.9/32 -j ACCEPT"];
    await keeper.keep();
    expect(table.restored).toEqual([[...RULES, "-I FORWARD 3 -j PORTOLAN-FORWARD"]]);
  });

  test("are mended inside their chain, without a second jump", async () => {
    table.listed = ["-P FORWARD DROP", "-N PORTOLAN-FORWARD", "-A FORWARD -j OTHERS", JUMP];
    await keeper.keep();
    expect(table.restored).toEqual([RULES]);
  });

  test("go on to accept what an earlier agent's programs mark, until ours are in their places", async () => {
    const [, own = "", answers = ""] = RULES;
    const earlier = "-A PORTOLAN-FORWARD -m mark --mark 0x8/0x8 -j ACCEPT";
    const listed = (...rules: readonly string[]) => ["-P FORWARD DROP", "-N PORTOLAN-FORWARD", JUMP, ...rules];
    table.listed = listed(earlier, answers);
    await keeper.begin();
    expect(table.restored).toEqual([[...RULES, earlier]]);
    table.listed = listed(own, answers, earlier);
    await keeper.begin();
    expect(table.restored).toHaveLength(1);
    await keeper.keep();
    expect(table.restored.slice(1)).toEqual([RULES]);
  });

  test("move behind a rule that came after them, which may be a policy", async () => {
    table.listed = ["-P FORWARD DROP", ...OURS, JUMP, ...POLICY, "-A FORWARD -j DROP"];
    await keeper.keep();
    const move = ["-D FORWARD -j PORTOLAN-FORWARD", "-I FORWARD 3 -j PORTOLAN-FORWARD"];
    expect(table.restored).toEqual([[...RULES, ...move]]);
  });

  test("are looked at again and again, and left alone while they are there", async () => {
    table.listed = ["-P FORWARD DROP", ...OURS, ...POLICY, JUMP];
    await keeper.keep();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(table.restored).toEqual([]);
    table.listed = ["-P FORWARD DROP"];
    await vi.advanceTimersByTimeAsync(5000);
    expect(table.restored.length).toBeGreaterThan(0);
  });

  test("cannot be kept without iptables, which is said once", async () => {
    tables = [];
    await keeper.keep();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(log.filter((line) => line.includes("IPv4"))).toEqual([
      "IPv4: iptables is not installed, so a FORWARD chain that drops will drop Service traffic to this node's pods",
    ]);
  });

  test("cannot be kept while iptables refuses, which is said once, until it does no more", async () => {
    table.refusal = new Error("exit 4: Another app is currently holding the xtables lock");
    await keeper.keep();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(log.filter((line) => line.includes("IPv4"))).toEqual([
      "IPv4: the FORWARD chain cannot be kept open for Service traffic: exit 4: Another app is currently holding the xtables lock",
    ]);
    table.refusal = undefined;
    await vi.advanceTimersByTimeAsync(5000);
    expect(table.restored.length).toBeGreaterThan(0);
  });
});
