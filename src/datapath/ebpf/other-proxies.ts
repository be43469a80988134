// SPDX-License-Identifier: Apache-2.0
// Others that serve Services by BPF programs of theirs. Two that choose an endpoint for one connection cannot share a node: whoever's
// program runs last decides, at every hook anew.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { BpfError, connectPrograms, tcPrograms } from "../../libbpf/index.ts";

export interface OtherProxy {
  readonly name: "Cilium" | "Calico";
  /** Where it shows, for people. */
  readonly places: readonly string[];
  /** What to set so that it leaves Services alone, for people. */
  readonly advice: string;
}

type Pins = readonly [directory: string, names: RegExp];

interface Signs {
  readonly name: OtherProxy["name"];
  /** How names of programs on connect() begin, as the kernel cuts them. */
  readonly programs: RegExp;
  /** Below the bpffs: directory, and names in it. Only while it serves is anything pinned there. */
  readonly pins: readonly Pins[];
  /** Likewise, but it may have left the pins behind: it serves while tc programs of such names are loaded. */
  readonly devices?: { readonly pins: Pins; readonly programs: RegExp };
  readonly advice: string;
}

const SIGNS: readonly Signs[] = [
  {
    name: "Cilium",
    programs: /^cil_sock[46]_conn/,
    pins: [["cilium/socketlb/links/cgroup", /^cil_sock[46]_connect$/]], // pkg/socketlb of Cilium 1.14 and later
    // bpf/lib/neigh.h. Without NodePorts of its own its agent takes that pin away; its other maps of Services stay.
    devices: { pins: ["tc/globals", /^cilium_nodeport_neigh[46]$/], programs: /^cil_(?:from|to)_/ },
    advice: "set kubeProxyReplacement=false and socketLB.enabled=false in Cilium's Helm values and restart its agents",
  },
  {
    name: "Calico",
    programs: /^cali(?:co)?_connect/,
    pins: [
      ["ctlb", /^calico_connect_v/], // felix/bpf/nat/connecttime.go
      ["tc/globals", /^cali_v[46]_nat_fe/], // its tc programs look Services up there, whatever connect() does
    ],
    advice:
      "give Calico another dataplane than eBPF, which always serves Services: linuxDataplane: Iptables or Nftables of its Installation, bpfEnabled: false of its FelixConfiguration",
  },
];

/** bpffs: the mount that all share. cgroup: a cgroup2 directory whose sockets are looked at. Throws BpfError. */
export function findOtherProxies(bpffs: string, cgroup: string): readonly OtherProxy[] {
  const programs = connectPrograms(cgroup);
  return SIGNS.map((signs) => ({
    name: signs.name,
    places: [
      ...new Set(programs.filter((name) => signs.programs.test(name)).map((name) => `program ${name} on ${cgroup}`)),
      ...signs.pins.flatMap((pins) => pinned(bpffs, pins)),
      ...(signs.devices ? onDevices(bpffs, signs.devices) : []),
    ],
    advice: signs.advice,
  })).filter(({ places }) => places.length > 0);
}

function pinned(bpffs: string, [directory, names]: Pins): readonly string[] {
  const path = join(bpffs, directory);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => names.test(name))
    .map((name) => join(path, name));
}

/** Who may not look at programs believes the pins. */
function onDevices(bpffs: string, { pins, programs }: NonNullable<Signs["devices"]>): readonly string[] {
  const places = pinned(bpffs, pins);
  if (places.length === 0) return [];
  try {
    const running = [...new Set(tcPrograms().filter((name) => programs.test(name)))];
    return running.length === 0 ? [] : [...places, ...running.map((name) => `program ${name} on devices`)];
  } catch (error) {
    if (error instanceof BpfError && error.code === "EPERM") return places;
    throw error;
  }
}
