/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * edge.bpf.h: what both hooks do with a packet of a known flow: the translations of the rule of the edge, and the notes
 * that come with them. An ICMP error is a packet of the flow it is about (icmp.bpf.h).
 */
#ifndef PORTOLAN_EDGE_BPF_H
#define PORTOLAN_EDGE_BPF_H

#include <linux/if_packet.h>
#include "claim.bpf.h"
#include "client.bpf.h"
#include "fragment.bpf.h"
#include "icmp.bpf.h"
#include "route.bpf.h"

/* A frame that is not for this node's stack: on a bridge port device->mac is the bridge's. */
static __always_inline bool to_another_mac(struct __sk_buff *skb, const struct device *device)
{
	__u8 to[ETH_ALEN];

	return bpf_skb_load_bytes(skb, 0, to, ETH_ALEN) == 0 && __builtin_memcmp(to, device->mac, ETH_ALEN);
}

/*
 * A frame to somebody else's MAC, met because the device is promiscuous: nothing of ours, and no reason to answer. On a
 * bridge port MACs tell nothing, unless it is an uplink: there what is for this node goes to the bridge's.
 */
static __always_inline bool for_other_host(struct __sk_buff *skb, const struct device *device)
{
	if (skb->pkt_type != PACKET_OTHERHOST || (device->flags & DEVICE_L3))
		return false;
	if (!(device->flags & DEVICE_BRIDGE_PORT))
		return true;
	return from_outside(device) && to_another_mac(skb, device);
}

static __always_inline __u16 header_offset(const struct device *device)
{
	return device->flags & DEVICE_L3 ? 0 : ETH_HLEN;
}

static __always_inline int drop(__s32 err)
{
	count_drop(-err);
	return TC_ACT_SHOT;
}

/* Reads the packet at a hook. Returns 0, or for what belongs to no flow PORTLESS, NOT_OURS, MALFORMED or OVERTOOK. */
static __always_inline int read_packet(struct __sk_buff *skb, struct packet *p, const struct device *device,
				       enum flow_space space)
{
	int other = packet_parse(skb, header_offset(device), p);

	if (other)
		return other;
	if (proto_is_icmp(p))
		return icmp_parse(skb, p);
	return p->fragment ? fragment_ports(skb, p, space) : 0;
}

static __always_inline int set_end(struct __sk_buff *skb, struct packet *p, bool source, const struct ip_addr *addr,
				   __be16 port)
{
	return p->quote ? icmp_set_end(skb, p, source, addr, port) : packet_set_end(skb, p, source, addr, port);
}

/* What came without an Ethernet header gets one: bpf_redirect_neigh takes one off, whatever it sends into. */
static __always_inline int leave_transit(struct __sk_buff *skb, const struct packet *p, int ifindex)
{
	if (!p->l3 && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return drop(-DROP_REWRITE_FAILED);
	skb->mark |= mark_out;
	return bpf_redirect_neigh(ifindex, NULL, 0, 0);
}

/* The request of a flow on its way in: VIP -> backend, and out again at once if it only passes through (clause E5). */
__noinline int to_backend(struct __sk_buff *skb, struct packet *p, const struct device *device, const struct flow *flow)
{
	int out = 0;

	if (!p || !device || !flow)
		return TC_ACT_SHOT;
	if (p->overtaken)
		return send_in_order(skb, p, BPF_F_INGRESS);
	count_traffic(flow, skb->len);
	skb->mark |= mark_in;
	if (flow->flags & FLOW_TRANSIT)
		out = transit_device(skb, p, &flow->snat, &flow->backend);
	if (out < 0)
		return drop(out);
	if (set_end(skb, p, false, &flow->backend, flow->backend_port) ||
	    set_end(skb, p, true, out ? &flow->snat : &flow->client, out ? flow->snat_port : flow->mapped_port))
		return drop(-DROP_REWRITE_FAILED);
	if (out)
		return leave_transit(skb, p, out);
	return device->flags & DEVICE_BRIDGE_PORT ? route_bridged(skb, p, device) : TC_NEXT;
}

/* The reply to a masqueraded flow on its way in: SNAT -> client, a transit flow through both edges. */
__noinline int to_client(struct __sk_buff *skb, struct packet *p, const struct device *device, const struct flow *flow)
{
	int out = 0;

	if (!p || !device || !flow)
		return TC_ACT_SHOT;
	if (p->overtaken)
		return send_in_order(skb, p, BPF_F_INGRESS);
	skb->mark |= mark_in;
	if (flow->flags & FLOW_TRANSIT)
		out = transit_device(skb, p, &flow->vip, &flow->client);
	if (out < 0)
		return drop(out);
	if (out) {
		count_traffic(flow, skb->len);
		if (set_end(skb, p, true, &flow->vip, flow->vip_port) ||
		    set_end(skb, p, false, &flow->client, flow->client_port))
			return drop(-DROP_REWRITE_FAILED);
		return leave_transit(skb, p, out);
	}
	if (set_end(skb, p, false, &flow->client, flow->mapped_port))
		return drop(-DROP_REWRITE_FAILED);
	return device->flags & DEVICE_BRIDGE_PORT ? route_bridged(skb, p, device) : TC_NEXT;
}

/* Notes a reply. */
static __always_inline void heard_backend(const struct work *w, struct flow *owner)
{
	if (!(owner->state & FLOW_ANSWERED))
		__sync_fetch_and_or(&owner->state, FLOW_ANSWERED);
	flow_touch(owner, w->packet.tcp_flags, false, w->now);
}

/*
 * Notes a packet of the client. The first one that goes on from the backend's answer makes the flow lasting: a forged
 * sender never gets so far. A SYN is no word of a connection that lasts (begins_anew). Returns the owner as it is then,
 * or NULL when the table is full and the flow is refused.
 */
static __always_inline struct flow *heard_client(struct work *w, struct flow *owner)
{
	__u8 tcp_flags = w->packet.tcp_flags;

	if ((owner->state & (FLOW_ANSWERED | FLOW_LASTING)) == FLOW_ANSWERED && !(tcp_flags & (TCP_SYN | TCP_RST)))
		owner = flow_promote(w, owner);
	if (owner && !(packet_is_syn(&w->packet) && (owner->state & FLOW_LASTING)))
		flow_touch(owner, tcp_flags, true, w->now);
	return owner;
}

/* w->flow begins as a flow of the packet at hand, to where it is addressed. */
static __always_inline void describe_client(struct work *w)
{
	const struct packet *p = &w->packet;
	struct flow *flow = &w->flow;

	__builtin_memset(flow, 0, sizeof(*flow));
	flow->client = p->src;
	flow->client_port = p->sport;
	flow->mapped_port = p->sport;
	flow->vip = p->dst;
	flow->vip_port = p->dport;
	flow->proto = p->proto;
	flow->created = w->now;
	flow->last_seen = w->now;
}

#endif
