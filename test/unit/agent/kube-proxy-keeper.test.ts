// SPDX-License-Identifier: Apache-2.0
// What an agent does about a kube-proxy's rules: refuses, takes them away once, says when they come back, and takes them away
// again at a bounded rate.
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NodeError } from "../../../src/agent/errors.ts";
import { KubeProxyKeeper, refuseKubeProxy } from "../../../src/agent/kube-proxy-keeper.ts";
import type { KubeProxyTraces } from "../../../src/datapath/netfilter/kube-proxy.ts";

const NONE: KubeProxyTraces = { rules: [], listening: false, unseen: [] };
const IPTABLES: KubeProxyTraces = {
  ...NONE,
  rules: [{ mode: "iptables", places: ["iptables-nft", "ip6tables-legacy"] }],
};
const IPVS: KubeProxyTraces = { ...NONE, rules: [{ mode: "ipvs", places: ["device kube-ipvs0"] }] };

describe("refusal", () => {
  test("names what was found, whether it seems to run, and what to do", () => {
    const refused = (traces: KubeProxyTraces) => () => refuseKubeProxy(traces, false);
    expect(refused(IPTABLES)).toThrow(NodeError);
    expect(refused(IPTABLES)).toThrow(
      /rules are at work on this node \(mode iptables: iptables-nft, ip6tables-legacy; it may be gone .*--take-over.*nothing was changed$/,
    );
    expect(refused({ ...IPVS, listening: true })).toThrow(
      /mode ipvs: device kube-ipvs0; something listens on its ports/,
    );
  });

  test("there is none where nothing is, or with --take-over", () => {
    expect(() => refuseKubeProxy({ ...NONE, listening: true }, false)).not.toThrow();
    expect(() => refuseKubeProxy(IPTABLES, true)).not.toThrow();
  });
});

describe("keeping", () => {
  let traces: KubeProxyTraces;
  let removals: number;
  let carried: number;
  let refusal: Error | undefined;
  let log: string[];
  let events: string[];
  let onWire: boolean[];
  let sockets: boolean[];
  let keepers: KubeProxyKeeper[];

  beforeEach(() => {
    vi.useFakeTimers();
    [traces, removals, carried, refusal] = [IPTABLES, 0, 0, undefined];
    [log, events, onWire, sockets, keepers] = [[], [], [], [], []];
  });

  afterEach(async () => {
    for (const keeper of keepers) await keeper[Symbol.asyncDispose]();
    vi.useRealTimers();
  });

  const keeper = (takeOver = true): KubeProxyKeeper => {
    const made = new KubeProxyKeeper({
      takeOver,
      find: async () => traces,
      remove: async () => {
        if (refusal) throw refusal;
        if (carried > 0) return { carried };
        removals++;
        return { chains: 3, nftTables: [], virtualServers: 0, kept: [] };
      },
      setDatagramsOnWire: (now) => void onWire.push(now),
      ipvsThere: () => traces.rules.some(({ mode }) => mode === "ipvs"),
      setSocketsOnWire: (now) => void sockets.push(now),
      streamMs: 120_000,
      onEvent: ({ reason, note }) => void events.push(`${reason}: ${note}`),
      log: pino({}, { write: (line: string) => void log.push(JSON.parse(line).msg) }),
    });
    keepers.push(made);
    return made;
  };
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  test("rules go once ours serve; that they came back is said once, and they go again after ten minutes", async () => {
    keeper().keep();
    await pass(0);
    expect(removals).toBe(1);
    expect(log).toEqual(["took over from kube-proxy: its rules are gone, ours serve"]);
    await pass(540_000);
    expect(removals).toBe(1);
    expect(log.slice(1)).toEqual([expect.stringMatching(/^a kube-proxy's rules are back, so it still runs/)]);
    expect(events).toEqual([expect.stringMatching(/^KubeProxyRules: a kube-proxy's rules are back/)]);
    await pass(60_000);
    expect(removals).toBe(2);
    traces = NONE;
    await pass(3_600_000);
    expect(removals).toBe(2);
  });

  test("without the flag nothing is removed, and it is said once", async () => {
    keeper(false).keep();
    await pass(3_600_000);
    expect(removals).toBe(0);
    expect(log).toEqual([expect.stringMatching(/^a kube-proxy's rules are at work beside ours/)]);
  });

  test("virtual servers stay while they carry connections, which is said once, and go when these have ended", async () => {
    [traces, carried] = [IPVS, 3];
    keeper().keep();
    await pass(90_000);
    expect(removals).toBe(0);
    expect(log).toEqual([expect.stringMatching(/device kube-ipvs0\): its virtual servers carry connections/)]);
    expect(new Set(sockets)).toEqual(new Set([true]));
    carried = 0;
    await pass(30_000);
    expect(removals).toBe(1);
    traces = NONE;
    await pass(30_000);
    expect(sockets.at(-1)).toBe(false);
    expect(log.slice(1)).toEqual(["took over from kube-proxy: its rules are gone, ours serve"]);
  });

  test("what could not be removed is said, and tried again", async () => {
    refusal = new Error("iptables: held by another");
    keeper().keep();
    await pass(0);
    expect(log).toEqual([expect.stringMatching(/it is tried again: iptables: held by another$/)]);
    refusal = undefined;
    await pass(30_000);
    expect(removals).toBe(1);
  });

  test("datagrams go by the wire while netfilter may remember a stream", async () => {
    keeper().leaveDatagrams();
    expect(onWire).toEqual([true]);
    await pass(120_000);
    expect(onWire).toEqual([true, false]);
  });

  test("an agent that ends leaves no timer", async () => {
    const one = keeper();
    one.keep();
    one.leaveDatagrams();
    await pass(0);
    await one[Symbol.asyncDispose]();
    expect(vi.getTimerCount()).toBe(0);
  });
});
