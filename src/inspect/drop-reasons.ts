// SPDX-License-Identifier: Apache-2.0
// What each drop reason means to the person who reads it. Names are those of enum drop_reason (bpf/abi.h) in lower case
// without DROP_, those that are not in use left out; a test holds the two lists together.

export const DROP_EXPLANATIONS: Readonly<Record<string, string>> = {
  no_endpoints: "the Service has no usable endpoint on any node: refused (REJECT)",
  no_local_endpoints: "traffic policy is Local and no usable endpoint is on this node: dropped silently",
  no_flow: "a TCP packet that is no SYN and belongs to no connection known here: reset",
  flow_table_full: "the flow table is full: new connections are refused, old ones are kept",
  snat_exhausted: "no free source port on the node address towards this backend",
  remap_exhausted: "the client's port is taken towards this backend and no other port is free",
  no_snat_address: "the device the packet leaves by has no address of its family",
  no_route:
    "no route to the other end of a connection that only passes through this node, or one whose device it cannot know",
  stale_service: "the address belongs to a Service whose endpoints are not in the kernel",
  rewrite_failed: "the kernel refused to change the packet, or a port in fragments of SCTP would have to change",
  icmp_redirect: "an ICMP redirect about a translated connection: it would lead past the Service's address",
  fragment: "a fragment to a Service's address whose datagram was refused with its first one",
  source_range: "the client's address is in none of the Service's source ranges, or in a denied one: dropped silently",
  endpoint_left:
    "the connection's endpoint serves no more, and its Service asks for such connections to be ended: reset",
  unused_port: "the ClusterIP is served, but not this port or protocol: refused (REJECT)",
  unallocated:
    "in a range of ClusterIPs, but no Service has the address: dropped silently, a datagram where netfilter calls it new",
  reply_limit: "refused, or a ping, like too many in this second: dropped silently, where its sender would be told",
  malformed: "a packet to a Service's address whose lengths contradict each other: cut off, or made wrong",
  overtook:
    "a fragment to a Service's address that came before the first of its datagram: kept, and sent on once that has come",
};
