// SPDX-License-Identifier: Apache-2.0
// Packets to a port that no Service serves, of a ClusterIP that is not only ours: an address of the node too (its
// NodeLocal DNSCache has further ports there), or another proxy's, or somebody's behind a route. And pieces of TCP segments to one that is.

import { AddressFlags } from "../../src/datapath/ebpf/abi.gen.ts";
import { MARK_IN, MARK_OUT, passes, type Scenario, type Step, table } from "./support/scenario.ts";
import type { Service } from "./support/world.ts";

function services(vip: (last: number) => string, endpoint: string, routed: string): readonly Service[] {
  const web = { proto: "tcp", kind: "ClusterIP", endpoints: [endpoint] } as const;
  return [
    { ...web, name: "web", frontend: vip(1) },
    { ...web, name: "cache", frontend: vip(11), addressFlags: AddressFlags.ADDRESS_NODE },
    { ...web, name: "routed", frontend: routed },
    { ...web, name: "shared", frontend: vip(12), addressFlags: AddressFlags.ADDRESS_FOREIGN },
  ];
}

const answered = { verdict: "redirect", markOut: MARK_IN | MARK_OUT } as const;

/** told: what the first hears. */
function pieces(first: string, told: Pick<Step, "verdict" | "markOut" | "out">, later: string): Scenario {
  const at = "ingress client";
  return {
    name: "row 46: of a segment in pieces to another port only the first can be answered",
    steps: [
      { at, packet: first, ...told, counts: { "drops.no_flow": 1 }, malformed: true },
      { at, packet: later, verdict: "drop", counts: { "drops.fragment": 1 }, malformed: true },
    ],
    flows: [],
  };
}

table(
  "ClusterIPs that are not ours alone over IPv4",
  services((last) => `10.96.0.${last}:80`, "10.0.0.20:8080", "10.0.0.20:80"),
  [
    passes(
      "row 46: the middle of a connection to another port of an address that has a route of its own",
      "ingress client",
      `
        020000000021 02000000ff10 0800
        4500002800014000400626b20a00000a0a000014
        c350005100001111000022225010ffffa4e20000`,
    ),
    passes(
      "row 46: the middle of a connection to another port of an address of the node too",
      "ingress client",
      `
        020000000021 02000000ff10 0800
        45000028000140004006265b0a00000a0a60000b
        c350005100001111000022225010ffffa48b0000`,
    ),
    passes(
      "row 46: its beginning",
      "ingress client",
      `
        020000000021 02000000ff10 0800
        45000028000140004006265b0a00000a0a60000b
        c350005100001111000000005002ffffc6bb0000`,
    ),
    passes(
      "row 46: the middle of a connection to another port of an address that is another proxy's too",
      "ingress client",
      `
        020000000021 02000000ff10 0800
        45000028000140004006265a0a00000a0a60000c
        c350005100001111000022225010ffffa48a0000`,
    ),
    passes(
      "row 46: its beginning there",
      "ingress client",
      `
        020000000021 02000000ff10 0800
        45000028000140004006265a0a00000a0a60000c
        c350005100001111000000005002ffffc6ba0000`,
    ),
    pieces(
      `
        020000000021 02000000ff10 0800
        4500002c000720004006465b0a00000a0a600001
        c350005100001111000022225010ffff1de5000000010203`,
      {
        ...answered,
        out: `
        02000000ff10 020000000021 0800
        4500002800004000400626660a6000010a00000a
        0051c350000022220000000050040000b5b20000`,
      },
      `
        020000000021 02000000ff10 0800
        4500002c00070003400666580a00000a0a600001
        000102030405060708090a0b0c0d0e0f1011121314151617`,
    ),
  ],
);

table(
  "ClusterIPs that are not ours alone over IPv6",
  services((last) => `[fd00:96::${last}]:80`, "[fd00::20]:8080", "[fd00::20]:80"),
  [
    passes(
      "row 46: the middle of a connection to another port of an address that has a route of its own",
      "ingress client",
      `
        020000000021 02000000ff10 86dd
        6000000000140640fd000000000000000000000000000010fd000000000000000000000000000020
        c350005100001111000022225010ffffbece0000`,
    ),
    passes(
      "row 46: the middle of a connection to another port of an address of the node too",
      "ingress client",
      `
        020000000021 02000000ff10 86dd
        6000000000140640fd000000000000000000000000000010fd000096000000000000000000000011
        c350005100001111000022225010ffffbe470000`,
    ),
    passes(
      "row 46: its beginning",
      "ingress client",
      `
        020000000021 02000000ff10 86dd
        6000000000140640fd000000000000000000000000000010fd000096000000000000000000000011
        c350005100001111000000005002ffffe0770000`,
    ),
    passes(
      "row 46: the middle of a connection to another port of an address that is another proxy's too",
      "ingress client",
      `
        020000000021 02000000ff10 86dd
        6000000000140640fd000000000000000000000000000010fd000096000000000000000000000012
        c350005100001111000022225010ffffbe460000`,
    ),
    passes(
      "row 46: its beginning there",
      "ingress client",
      `
        020000000021 02000000ff10 86dd
        6000000000140640fd000000000000000000000000000010fd000096000000000000000000000012
        c350005100001111000000005002ffffe0760000`,
    ),
    pieces(
      `
        020000000021 02000000ff10 86dd
        6000000000202c40fd000000000000000000000000000010fd000096000000000000000000000001
        0600000100000007c350005100001111000022225010ffff37a7000000010203`,
      { verdict: "drop" }, // a RST would have to do without the extension header
      `
        020000000021 02000000ff10 86dd
        6000000000202c40fd000000000000000000000000000010fd000096000000000000000000000001
        0600001800000007000102030405060708090a0b0c0d0e0f1011121314151617`,
    ),
  ],
);
