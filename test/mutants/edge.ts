// SPDX-License-Identifier: Apache-2.0
// The clauses of the rule of the edge, each switched off in the C programs, and the test that must notice.
import type { Mutation } from "../support/mutant.ts";

export interface Mutant extends Mutation {
  readonly clause: string;
  readonly what: string;
  readonly test: string;
  /** Names of tests to run, as for vitest's -t; default all of the file. */
  readonly only?: string;
}

const TUPLES = "test/netns/edge-tuples.test.ts";
const SNAT = "test/netns/edge-snat.test.ts";
const PATHS = "test/netns/paths.test.ts";
const OVERLAY = "test/netns/overlay.test.ts";
const FLOWS = "test/netns/edge-flows.test.ts";

export const EDGE_MUTANTS: readonly Mutant[] = [
  {
    clause: "E1",
    what: "a taken tuple is not remapped",
    file: "claim.bpf.h",
    from: "err = search_ports(skb, w, try_mapped_port);",
    to: "err = 0;",
    test: TUPLES,
  },
  {
    clause: "E1",
    what: "conntrack is not asked for the tuple",
    file: "claim.bpf.h",
    from: "|| !conntrack_knows(skb, &w->probe)))",
    to: "|| true))",
    test: TUPLES,
    only: "waits for its answer",
  },
  {
    clause: "E1",
    what: "a direct SYN does not look for claims",
    file: "begin.bpf.h",
    from: "if (dry_run || (proto_connects(p->proto) && !packet_is_syn(p)))",
    to: "if (true)",
    test: TUPLES,
  },
  {
    clause: "E2",
    what: "the socket table is not asked for a SNAT port",
    file: "claim.bpf.h",
    from: "socket_knows(search->skb, &w->snat, true) ||",
    to: "false ||",
    test: SNAT,
  },
  {
    clause: "E2",
    what: "conntrack is not asked for a SNAT port",
    file: "claim.bpf.h",
    from: "conntrack_knows(search->skb, &w->snat))",
    to: "false)",
    test: SNAT,
  },
  {
    clause: "E2",
    what: "32 SNAT ports are tried, as peers do",
    file: "claim.bpf.h",
    from: "#define PORTS 65536",
    to: "#define PORTS 32",
    test: "test/bpf/tc-snat-fill.test.ts",
  },
  {
    clause: "E2",
    what: "what leaves on a claimed tuple keeps it",
    file: "tc.bpf.c",
    from: "return leave_claimed(skb, w);",
    to: "return TC_NEXT;",
    test: SNAT,
  },
  {
    clause: "E2",
    what: "what leaves from a frontend leaves no PASS record",
    file: "tc.bpf.c",
    from: "\t\tnote_pass(w);",
    to: "\t\t;",
    test: SNAT,
  },
  {
    clause: "E3",
    what: "the mark of the way in is not looked at",
    file: "tc.bpf.c",
    from: "if (skb->mark & mark_in)",
    to: "if (0)",
    test: PATHS,
  },
  {
    clause: "E3",
    what: "the mark of the way out is not looked at",
    file: "tc.bpf.c",
    from: "if (skb->mark & mark_out)",
    to: "if (0)",
    test: PATHS,
  },
  {
    clause: "E4",
    what: "bridged packets go up to the stack",
    file: "route.bpf.h",
    from: "if (route.ifindex == device->bridge && !addr_equal(&p->src, &p->dst)) {",
    to: "if (0) {",
    test: PATHS,
    only: "firewall 'realistic', br_netfilter .?0 v4 'b1a'",
  },
  {
    clause: "E5",
    what: "transit flows go through the stack",
    file: "begin.bpf.h",
    from: "flow->flags |= FLOW_TRANSIT;",
    to: ";",
    test: "test/netns/edge-transit.test.ts",
  },
  {
    clause: "E5",
    what: "what came without an Ethernet header leaves without one",
    file: "edge.bpf.h",
    from: "if (!p->l3 && bpf_skb_change_head(skb, ETH_HLEN, 0))",
    to: "if (0)",
    test: OVERLAY,
    only: "tun between .* 'client' to 'far'",
  },
  {
    clause: "E5",
    what: "segments are not measured",
    file: "route.bpf.h",
    from: "length = p->l4 - p->l3 + skb->gso_size;",
    to: "return 0;",
    test: OVERLAY,
    only: "vxlan between .* 'client' .* TCP learns",
  },
  {
    clause: "E5",
    what: "later fragments do not go the way of their first",
    file: "route.bpf.h",
    from: "if (p->later)",
    to: "if (0)",
    test: "test/netns/docker.test.ts",
    only: "vxlan between .* 'client' .* datagrams of 5000",
  },
  {
    clause: "E6",
    what: "the SNAT address is that of the uplink it came in by, for an overlay too",
    file: "begin.bpf.h",
    from: "out = bpf_map_lookup_elem(&devices, &route.ifindex);",
    to: "route.ifindex = skb->ifindex;\n\tout = bpf_map_lookup_elem(&devices, &route.ifindex);",
    test: OVERLAY,
    only: "v4 'client' to 'far'",
  },
  {
    clause: "E6",
    what: "SNAT on local delivery",
    file: "begin.bpf.h",
    from: "if (route.kind == ROUTE_LOCAL || route.kind == ROUTE_NONE)",
    to: "if (route.kind == ROUTE_NONE)",
    test: PATHS,
    only: "'own-host'",
  },
  {
    clause: "E6",
    what: "the SNAT address is that of the device it came in by",
    file: "begin.bpf.h",
    from: "out = bpf_map_lookup_elem(&devices, &route.ifindex);",
    to: "route.ifindex = skb->ifindex;\n\tout = bpf_map_lookup_elem(&devices, &route.ifindex);",
    test: PATHS,
    only: "firewall 'none', br_netfilter .?0 v4 'client' to",
  },
  {
    clause: "E7",
    what: "ICMP errors pass untranslated",
    file: "tc.bpf.c",
    from: "\t\treturn error_in(skb, w, device, record);",
    to: "\t\treturn TC_NEXT;",
    test: "test/netns/icmp.test.ts",
    only: "traceroute",
  },
  {
    clause: "E7",
    what: "later fragments have no ports",
    file: "edge.bpf.h",
    from: "return p->fragment ? fragment_ports(p, space) : 0;",
    to: "return p->later ? -1 : 0;",
    test: "test/netns/fragments.test.ts",
  },
  {
    clause: "E8",
    what: "masquerade is decided without the client's kind",
    file: "select.bpf.h",
    from: "return who == CLIENT_HOST || who == CLIENT_OUTSIDE;",
    to: "return true;",
    test: PATHS,
    only: "firewall 'none', br_netfilter .?0 v4 'p1a' to",
  },
  {
    clause: "flows",
    what: "the loser of a race keeps its claims",
    file: "claim.bpf.h",
    from: "if (!err) {\n\t\tflow_unclaim(&w->inner);",
    to: "if (0) {\n\t\tflow_unclaim(&w->inner);",
    test: FLOWS,
  },
  {
    clause: "flows",
    what: "flows that nobody answers go where nothing is evicted",
    file: "flow.bpf.h",
    from: "err = bpf_map_update_elem(&nascent, key, record, BPF_NOEXIST);",
    to: "return bpf_map_update_elem(&flows, key, record, BPF_NOEXIST);",
    test: FLOWS,
    only: "400 000",
  },
];
