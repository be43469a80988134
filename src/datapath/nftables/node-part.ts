// SPDX-License-Identifier: Apache-2.0
// What the node itself has in our table: where packets come in, who is masqueraded, what is refused (rows 27, 28, 31, 37 to 42,
// 46). Pure.

import { type Family, familyOf } from "../../model/ip.ts";
import type { LocalClients, RuleSettings, Surroundings } from "../rules/writer.ts";
import { type Chain, type Element, type Part, WORDS } from "./part.ts";
import { hex, MARK_UNLESS_POD, MASQUERADE_INTERNAL, REJECT } from "./service-part.ts";

/** The first packet of a connection that nobody has translated. */
const UNSERVED = "ct state new ct status and dnat == 0";

export function nodePart(surroundings: Surroundings, settings: RuleSettings): Part {
  return {
    chains: [
      ...entries(settings.families),
      ...masquerade(surroundings.localClients, settings),
      ...refusals(surroundings, settings.families),
    ],
    clientSets: [],
    elements: settings.families.flatMap((family) => elements(surroundings, family)),
  };
}

function entries(families: readonly Family[]): readonly Chain[] {
  const words = families.map((family) => ({ family, ...WORDS[family] }));
  return [
    {
      name: "prerouting",
      hook: "type nat hook prerouting priority dstnat",
      rules: [
        // A socket that is bound to the address itself, as NodeLocal DNSCache's. Of what the node itself sends nobody can ask it:
        // there the socket that a packet knows is its sender's.
        ...words.map(({ family, ip }) => {
          return `${ip} daddr . meta l4proto . th dport @on-node${family} socket wildcard 0 accept`;
        }),
        "jump services",
      ],
    },
    { name: "output", hook: "type nat hook output priority -100", rules: ["jump services"] },
    {
      name: "services",
      rules: [
        ...words.map(({ family, ip }) => `${ip} daddr . meta l4proto . th dport vmap @frontends${family}`),
        // Last: a Service that has the address and port itself comes first (row 27).
        ...words.map(
          ({ family, ip }) => `${ip} daddr @nodeport-ips${family} meta l4proto . th dport vmap @nodeports${family}`,
        ),
      ],
    },
  ];
}

/** Rows 37 to 41. Only first packets come here, and their marks end here. */
function masquerade(clients: LocalClients, settings: RuleSettings): readonly Chain[] {
  const { families, masqueradeAll, masqueradeMark, forwardMark } = settings;
  const [mark, forward] = [hex(masqueradeMark), hex(forwardMark)];
  const marks = `meta mark set meta mark or ${mark}`;
  return [
    {
      name: "postrouting",
      hook: "type nat hook postrouting priority srcnat",
      rules: [
        `meta mark and ${forward} == ${forward} meta mark set meta mark xor ${forward}`,
        `meta mark and ${mark} == ${mark} meta mark set meta mark xor ${mark} masquerade fully-random`,
        ...families.map((family) => {
          const { ip } = WORDS[family];
          return `ct status dnat ${ip} saddr . ${ip} daddr @hairpins${family} masquerade fully-random`;
        }),
      ],
    },
    { name: MARK_UNLESS_POD, rules: [...podRules(clients), marks] },
    { name: MASQUERADE_INTERNAL, rules: masqueradeAll ? [marks] : internalRules(clients, families) },
  ];
}

/** Row 38: local pods leave the chain. */
function podRules(clients: LocalClients): readonly string[] {
  if (clients.by === "source")
    return clients.ranges.map(({ address, prefixLength }) => {
      return `${WORDS[familyOf(address)].ip} saddr ${address}/${prefixLength} return`;
    });
  if (clients.by === "device") return clients.names.map((name) => `iifname "${name}" return`);
  // What the node itself sends came in by none.
  return [["iif != 0", ...clients.names.map((name) => `iifname != "${name}"`), "return"].join(" ")];
}

/** Row 35: a family that knows no pods masquerades no ClusterIP. */
function internalRules(clients: LocalClients, families: readonly Family[]): readonly string[] {
  const knows = (family: Family) =>
    clients.by !== "source" || clients.ranges.some(({ address }) => familyOf(address) === family);
  const blind = families.filter((family) => !knows(family));
  return [...blind.map((family) => `meta nfproto ${WORDS[family].nfproto} return`), `goto ${MARK_UNLESS_POD}`];
}

/** Row 31, where packets have been routed; row 46. A NodePort is refused only where it would be delivered to the node. */
function refusals(surroundings: Surroundings, families: readonly Family[]): readonly Chain[] {
  const words = families.map((family) => ({ family, ...WORDS[family] }));
  const nodePorts = words.map(
    ({ family, ip }) =>
      `${UNSERVED} ${ip} daddr @nodeport-ips${family} meta l4proto . th dport vmap @refused-nodeports${family}`,
  );
  const both = [`${UNSERVED} jump refusals`, `${UNSERVED} jump unserved`];
  return [
    {
      name: "input",
      hook: "type filter hook input priority filter",
      rules: [`${UNSERVED} jump refusals`, ...nodePorts],
    },
    { name: "forward", hook: "type filter hook forward priority filter", rules: both },
    { name: "translated-output", hook: "type filter hook output priority -90", rules: both },
    {
      name: "refusals",
      rules: words.map(({ family, ip }) => `${ip} daddr . meta l4proto . th dport vmap @refusals${family}`),
    },
    { name: REJECT, rules: ["reject with icmpx port-unreachable"] },
    { name: "unserved", rules: surroundings.partial ? [] : words.flatMap((word) => unserved(surroundings, word)) },
  ];
}

function unserved(
  { serviceRanges }: Surroundings,
  { family, ip }: { readonly family: Family; readonly ip: string },
): readonly string[] {
  const ranges = serviceRanges.filter(({ address }) => familyOf(address) === family);
  return [
    `${ip} daddr @cluster-ips${family} goto ${REJECT}`,
    `${ip} daddr @left-alone${family} return`,
    ...ranges.map(({ address, prefixLength }) => `${ip} daddr ${address}/${prefixLength} drop`),
  ];
}

function elements({ nodeAddresses, foreign }: Surroundings, family: Family): readonly Element[] {
  const nodePorts = nodeAddresses.filter(
    ({ address, nodePort, loopback }) => nodePort && !loopback && familyOf(address) === family,
  );
  const others = [...foreign].filter((address) => familyOf(address) === family);
  return [
    ...nodePorts.map(({ address }) => ({ of: `nodeport-ips${family}`, key: address, value: "" })),
    ...others.map((address) => ({ of: `left-alone${family}`, key: address, value: "" })),
  ];
}
