// SPDX-License-Identifier: Apache-2.0
// What is said of each mode, by what a node has.

import { describe, expect, test } from "vitest";
import { NetfilterError } from "../../../src/datapath/netfilter/command.ts";
import type { Commands } from "../../../src/datapath/probe/answer.ts";
import { type EbpfFacts, judgeEbpf } from "../../../src/datapath/probe/ebpf.ts";
import { type NodeFacts, probeIptables, probeIpvs, probeNftables } from "../../../src/datapath/probe/netfilter.ts";

describe("ebpf", () => {
  const whole: EbpfFacts = {
    missingCapabilities: [],
    btf: undefined,
    bpffs: { directory: "/sys/fs/bpf" },
    cgroup: { directory: "/sys/fs/cgroup" },
    kernel: { refused: [], lacks: [] },
  };

  test("a node that has all is told by what, and where", () => {
    expect(judgeEbpf(whole)).toEqual({
      mode: "ebpf",
      usable: true,
      reason: "the kernel has all that the programs call",
      facts: { bpffs: "/sys/fs/bpf", cgroupRoot: "/sys/fs/cgroup" },
    });
  });

  test("what a kernel does not have is named once each, for people and for programs", () => {
    const lacks = [
      { kind: "helper", name: "bpf_loop", programType: "sched_cls" },
      { kind: "helper", name: "bpf_loop", programType: "cgroup_sock_addr" },
      { kind: "helper", name: "bpf_for_each_map_elem", programType: "sched_cls" },
      { kind: "program", name: "syscall", programType: "syscall" },
      { kind: "helper", name: "bpf_set_retval", programType: "cgroup_sock_addr" },
    ] as const;
    const { usable, reason, facts } = judgeEbpf({ ...whole, kernel: { refused: [], lacks } });
    expect(usable).toBe(false);
    expect(reason).toBe(
      "this kernel has no bpf_loop, bpf_for_each_map_elem and no program type syscall: boot Linux 6.1 or newer",
    );
    expect(facts.missingInKernel).toEqual(["bpf_loop", "bpf_for_each_map_elem", "program type syscall"]);
  });

  test("a kernel is not refused for a helper that the programs do without", () => {
    const lacks = [{ kind: "helper", name: "bpf_set_retval", programType: "cgroup_sock_addr" }] as const;
    expect(judgeEbpf({ ...whole, kernel: { refused: [], lacks } }).usable).toBe(true);
  });

  test("all that is missing is said at once", () => {
    const { usable, reason, facts } = judgeEbpf({
      missingCapabilities: ["CAP_BPF"],
      btf: "no types",
      bpffs: { lack: "no bpffs" },
      cgroup: { lack: "no cgroup2" },
      kernel: undefined,
    });
    expect(usable).toBe(false);
    expect(reason).toBe(
      "this process lacks CAP_BPF: run it as root or grant these capabilities; no types; no bpffs; no cgroup2",
    );
    expect(facts).toEqual({ missingCapabilities: ["CAP_BPF"] });
  });

  test("a kernel that refuses in spite of the capabilities is quoted", () => {
    const refused = ["EPERM: refused in spite of the capabilities: lockdown, seccomp or a security module"];
    expect(judgeEbpf({ ...whole, kernel: { refused, lacks: [] } }).reason).toBe(
      `the kernel refuses the least of programs: ${refused[0]}`,
    );
  });
});

const able: NodeFacts = { missingCapabilities: [], families: [4, 6], hasIpvs: () => true };
const unable: NodeFacts = { ...able, missingCapabilities: ["CAP_NET_ADMIN"] };

/** A node with these in /sbin; each prints what it is given, or refuses in its own words. */
function node(commands: Readonly<Record<string, string | NetfilterError>>): Commands & { readonly lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    find: (name) => (name in commands ? `/sbin/${name}` : undefined),
    run: async (path, args) => {
      lines.push([path, ...args].join(" "));
      const said = commands[path.slice("/sbin/".length)] ?? "";
      if (typeof said !== "string" && !args.includes("--version")) throw said;
      return typeof said === "string" ? said : "nftables v1.0.6 (Lester Gooch #5)";
    },
  };
}

const refusing = (said: string) => new NetfilterError(`a command: exit 1: ${said}`, { said });

describe("nftables", () => {
  test("nft is asked to check, never to change", async () => {
    const commands = node({ nft: "nftables v1.1.3 (Commodore Bullmoose #4)" });
    expect(await probeNftables(able, commands)).toEqual({
      mode: "nftables",
      usable: true,
      reason: "nft 1.1.3 and the kernel take the rules",
      facts: { nft: "/sbin/nft", version: "1.1.3" },
    });
    expect(commands.lines).toEqual(["/sbin/nft --version", "/sbin/nft -c -f -"]);
  });

  test.each([
    ["0.9.8", "1.0.1"],
    ["1.0", "1.0.1"],
    ["1.0.0", "1.0.1"],
  ])("nft %s is too old", async (version) => {
    const { usable, reason } = await probeNftables(able, node({ nft: `nftables v${version} (E.D.S.)` }));
    expect(usable).toBe(false);
    expect(reason).toBe(`/sbin/nft is of version ${version}: install the package nftables in 1.0.1 or newer`);
  });

  test("a node without nft is told the package", async () => {
    expect(await probeNftables(able, node({}))).toEqual({
      mode: "nftables",
      usable: false,
      reason: "nft is not installed: install the package nftables (1.0.1 or newer)",
      facts: {},
    });
  });

  test("of a refusal the error is quoted, not the line it is in", async () => {
    const said = "/dev/stdin:5:3-7: Error: Could not process rule: Operation not supported; chain x {; ^^^^^";
    expect((await probeNftables(able, node({ nft: refusing(said) }))).reason).toBe(
      "nft 1.0.6 and this kernel do not take the rules: Could not process rule: Operation not supported",
    );
  });

  test("without CAP_NET_ADMIN nothing is asked of the kernel", async () => {
    const commands = node({ nft: "nftables v1.0.6 (Lester Gooch #5)" });
    expect((await probeNftables(unable, commands)).reason).toBe(
      "this process lacks CAP_NET_ADMIN: run it as root or grant these capabilities",
    );
    expect(commands.lines).toEqual(["/sbin/nft --version"]);
  });
});

describe("iptables", () => {
  test("the tables of old are asked only where those of nf_tables refuse", async () => {
    const both = { "iptables-nft-restore": "", "iptables-legacy-restore": "" };
    const commands = node({ ...both, "ip6tables-nft-restore": refusing("no"), "ip6tables-legacy-restore": "" });
    const { usable, facts } = await probeIptables(able, commands);
    expect(usable).toBe(true);
    expect(facts.commands).toEqual(["/sbin/iptables-nft-restore", "/sbin/ip6tables-legacy-restore"]);
    expect(commands.lines).toEqual([
      "/sbin/iptables-nft-restore --test --noflush",
      "/sbin/ip6tables-nft-restore --test --noflush",
      "/sbin/ip6tables-legacy-restore --test --noflush",
    ]);
  });

  test("a kernel without IPv6 needs no tables of it", async () => {
    const commands = node({ "iptables-restore": "", "ip6tables-restore": refusing("no") });
    expect((await probeIptables({ ...able, families: [4] }, commands)).usable).toBe(true);
  });

  test("a node without iptables is told the package, once", async () => {
    const { usable, reason } = await probeIptables(able, node({}));
    expect(usable).toBe(false);
    expect(reason).toBe("iptables-restore is not installed: install the package iptables");
  });

  test("a refusal is quoted", async () => {
    const commands = node({ "iptables-restore": refusing("Couldn't load match `statistic'"), "ip6tables-restore": "" });
    expect((await probeIptables(able, commands)).reason).toBe(
      "/sbin/iptables-restore and this kernel do not take the rules: Couldn't load match `statistic'",
    );
  });
});

describe("ipvs", () => {
  const iptables = { "iptables-restore": "", "ip6tables-restore": "" };

  test("each missing package is named", async () => {
    const { usable, reason } = await probeIpvs(able, node({}));
    expect(usable).toBe(false);
    expect(reason).toBe(
      "iptables-restore is not installed: install the package iptables; " +
        "ipset is not installed: install the package ipset; " +
        "ipvsadm is not installed: install the package ipvsadm",
    );
  });

  test("a kernel that has IPVS once it is asked is usable", async () => {
    let has = false;
    const facts = { ...able, hasIpvs: () => has };
    const commands = node({ ...iptables, ipset: "", ipvsadm: "" });
    const loads: Commands = {
      ...commands,
      run: async (path, args) => {
        has ||= path === "/sbin/ipvsadm";
        return await commands.run(path, args);
      },
    };
    expect((await probeIpvs(facts, loads)).usable).toBe(true);
  });

  test("a kernel that has none is told apart from a missing command", async () => {
    const facts = { ...able, hasIpvs: () => false };
    const commands = node({ ...iptables, ipset: refusing("no"), ipvsadm: refusing("Can't initialize ipvs") });
    expect((await probeIpvs(facts, commands)).reason).toBe(
      "the kernel has no sets of addresses (module ip_set): no; " +
        "the kernel has no IPVS (module ip_vs): Can't initialize ipvs",
    );
  });
});
