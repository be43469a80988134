/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * route.bpf.h: where a translated packet goes. Bridged packets stay on their bridge (clause E4), transit flows leave by
 * redirect (clause E5), everything else goes up to the stack.
 */
#ifndef PORTOLAN_ROUTE_BPF_H
#define PORTOLAN_ROUTE_BPF_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include "maps.bpf.h"
#include "packet.bpf.h"

#define AF_INET 2
#define AF_INET6 10
#define LOOPBACK_IFINDEX 1
#define TC_NEXT TC_ACT_UNSPEC /* TCX_NEXT and clsact's "go on" are the same number */

enum route_kind {
	ROUTE_NONE,    /* refused: the stack says so */
	ROUTE_UNKNOWN, /* nobody can ask: it encapsulates (lwtunnel), or the FIB could not be asked */
	ROUTE_LOCAL,   /* to this host, or nothing that this host forwards */
	ROUTE_FORWARD, /* out of a device; its neighbour is known */
	ROUTE_FORWARD_NO_NEIGHBOUR,
	ROUTE_TOO_SMALL, /* out of a device whose MTU this packet exceeds */
};

struct route {
	__u32 kind; /* enum route_kind */
	__u32 ifindex;
	__u8 neighbour[ETH_ALEN];
	__u16 length; /* of an IP packet that has to fit the route, 0: the device */
};

/*
 * Asks the FIB as bpf_fib_lookup() does. Whether IPv6 is forwarded the kernel asks of all devices at once
 * (conf.all.forwarding), where that asks the device, which has another mind where it takes router advertisements: then
 * lo is asked, which has the mind of all. Not of packets that leave by a device: lo is another.
 */
static __always_inline int fib_ask(struct __sk_buff *skb, struct bpf_fib_lookup *fib, __u32 flags)
{
	int rc = bpf_fib_lookup(skb, fib, sizeof(*fib), flags);

	if (rc != BPF_FIB_LKUP_RET_FWD_DISABLED || fib->family != AF_INET6 || (flags & BPF_FIB_LOOKUP_OUTPUT))
		return rc;
	fib->ifindex = LOOPBACK_IFINDEX;
	return bpf_fib_lookup(skb, fib, sizeof(*fib), flags);
}

/* Asks the FIB as if a packet src -> dst had come in by ifindex. */
__noinline int route_lookup(struct __sk_buff *skb, const struct ip_addr *src, const struct ip_addr *dst, __u32 ifindex,
			    struct route *route)
{
	struct bpf_fib_lookup fib = {.ifindex = ifindex};
	int rc;

	if (!src || !dst || !route)
		return -1;
	fib.tot_len = route->length;
	if (addr_is_v4(dst)) {
		fib.family = AF_INET;
		fib.ipv4_src = src->w[3];
		fib.ipv4_dst = dst->w[3];
	} else {
		fib.family = AF_INET6;
		__builtin_memcpy(fib.ipv6_src, src->w, sizeof(fib.ipv6_src));
		__builtin_memcpy(fib.ipv6_dst, dst->w, sizeof(fib.ipv6_dst));
	}
	rc = fib_ask(skb, &fib, 0);
	route->ifindex = fib.ifindex;
	__builtin_memcpy(route->neighbour, fib.dmac, ETH_ALEN);
	if (rc == BPF_FIB_LKUP_RET_SUCCESS)
		route->kind = ROUTE_FORWARD;
	else if (rc == BPF_FIB_LKUP_RET_NO_NEIGH)
		route->kind = ROUTE_FORWARD_NO_NEIGHBOUR;
	else if (rc == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		route->kind = ROUTE_TOO_SMALL;
	else if (rc == BPF_FIB_LKUP_RET_NOT_FWDED || rc == BPF_FIB_LKUP_RET_FWD_DISABLED)
		route->kind = ROUTE_LOCAL;
	else if (rc == BPF_FIB_LKUP_RET_UNREACHABLE || rc == BPF_FIB_LKUP_RET_PROHIBIT ||
		 rc == BPF_FIB_LKUP_RET_BLACKHOLE)
		route->kind = ROUTE_NONE;
	else
		route->kind = ROUTE_UNKNOWN;
	return 0;
}

enum way {
	WAY_HERE,   /* to this host, or across its bridge; where a device does not forward, all that it takes is */
	WAY_OF_ALL, /* the default route's */
	WAY_OF_ITS_OWN,
};

/*
 * Asks the FIB which way a packet to dst goes that comes in by ifindex, or with BPF_FIB_LOOKUP_OUTPUT leaves by it. An
 * address that is a neighbour's, or has a route of its own, is somebody's: its next hop is not the default route's.
 */
static __noinline int way_of(struct __sk_buff *skb, const struct packet *p, __u32 ifindex, __u32 flags)
{
	__u32 hop[5] = {}; /* device and address */
	int rc;

	if (!p)
		return WAY_HERE;
	for (int i = 0; i < 2; i++) {
		struct bpf_fib_lookup fib = {.ifindex = ifindex};

		fib.family = p->v4 ? AF_INET : AF_INET6;
		if (p->v4) {
			fib.ipv4_src = p->src.w[3];
			fib.ipv4_dst = i ? 0 : p->dst.w[3];
		} else {
			__builtin_memcpy(fib.ipv6_src, p->src.w, sizeof(fib.ipv6_src));
			if (!i)
				__builtin_memcpy(fib.ipv6_dst, p->dst.w, sizeof(fib.ipv6_dst));
		}
		rc = fib_ask(skb, &fib, flags);
		if (rc == BPF_FIB_LKUP_RET_FWD_DISABLED && dry_run) /* the device it is tried on says nothing */
			return WAY_OF_ALL;
		if (rc == BPF_FIB_LKUP_RET_NOT_FWDED || rc == BPF_FIB_LKUP_RET_FWD_DISABLED)
			return i ? WAY_OF_ITS_OWN : WAY_HERE;
		if ((flags & BPF_FIB_LOOKUP_OUTPUT) && fib.ifindex != ifindex)
			return WAY_OF_ITS_OWN; /* IPv6 names another device rather than none */
		if (!i) {
			hop[0] = fib.ifindex;
			__builtin_memcpy(hop + 1, fib.ipv6_dst, sizeof(fib.ipv6_dst));
		} else if (hop[0] != fib.ifindex || hop[1] != fib.ipv6_dst[0] || hop[2] != fib.ipv6_dst[1] ||
			   hop[3] != fib.ipv6_dst[2] || hop[4] != fib.ipv6_dst[3]) {
			return WAY_OF_ITS_OWN;
		}
	}
	return WAY_OF_ALL;
}

/*
 * A translated packet on a bridge port (clause E4). If its destination is behind the same bridge, the bridge forwards
 * it, so that br_netfilter meets both directions; a redirect would hide one. Else, and for a hairpin (a port never
 * sends back where it came from), it goes up through the bridge's own address.
 */
static __always_inline int route_bridged(struct __sk_buff *skb, const struct packet *p, const struct device *device)
{
	struct route route = {};

	route_lookup(skb, &p->src, &p->dst, device->bridge, &route);
	if (route.ifindex == device->bridge && !addr_equal(&p->src, &p->dst)) {
		if (route.kind == ROUTE_FORWARD) {
			bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_dest), route.neighbour, ETH_ALEN, 0);
			return TC_NEXT;
		}
		/* a fragment must not part from the others, which br_netfilter may be waiting for */
		if (route.kind == ROUTE_FORWARD_NO_NEIGHBOUR && !p->fragment)
			return bpf_redirect_neigh(device->bridge, NULL, 0, 0);
	}
	bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_dest), device->mac, ETH_ALEN, 0);
	bpf_skb_change_type(skb, 0 /* PACKET_HOST */);
	return TC_NEXT;
}

/*
 * What a transit packet asks of an MTU. Of what the kernel cuts into segments only on the way out (GSO): the length of
 * one. Of a later fragment: what its first asked for, if that is more: it follows its first up to the stack, where
 * netfilter may wait for all of the datagram and cut it to fit. Where the stack answers the first with an ICMP error
 * instead, the others may leave the node nonetheless, in vain. 0: nobody knows (SCTP's GSO).
 */
static __always_inline __u32 length_on_link(struct __sk_buff *skb, const struct packet *p)
{
	__u32 length = p->end - p->l3;
	bool jumbo; /* the jumbo payload option of IPv6 BIG TCP, in front of TCP */
	__u8 words; /* of the TCP header, in its upper half */

	if (p->later)
		return length > p->first_length ? length : p->first_length;
	if (!skb->gso_size)
		return length;
	jumbo = !p->v4 && length > 0xffff + sizeof(struct ipv6hdr) && p->l4 - p->l3 > sizeof(struct ipv6hdr);
	length = p->l4 - p->l3 + skb->gso_size;
	if (jumbo) /* segments do not carry it */
		length -= 8;
	if (p->proto == IPPROTO_UDP)
		return length + 8;
	if (p->proto != IPPROTO_TCP || bpf_skb_load_bytes(skb, p->l4 + 12, &words, 1) < 0)
		return 0;
	return length + (words >> 4) * 4;
}

/*
 * Whether a packet is too big for its way, once the FIB has said so: it asks what this host has learnt of the path, as
 * for a sender, where a router asks the device (and hears of the path by an ICMP error). Finds the route meanwhile; its
 * kind may still be ROUTE_TOO_SMALL, by the length of the frame, which matters less.
 */
static __always_inline bool route_too_small(struct __sk_buff *skb, const struct ip_addr *src, const struct ip_addr *dst,
					    struct route *route)
{
	__u32 length = route->length, mtu = 0; /* in: the packet's own length */

	route->length = 0;
	route_lookup(skb, src, dst, skb->ifindex, route);
	bpf_check_mtu(skb, route->ifindex, &mtu, 0, 0);
	return length > mtu;
}

/*
 * The device that a transit packet leaves by, to be translated at both edges to src -> dst; it is a hop older then.
 * Returns 0 for its last hop, or one too big for the way: it goes up as (client, backend), and the stack answers with
 * the ICMP error that it deserves, or cuts it to fit. Or a negative enum drop_reason.
 */
static __always_inline int transit_device(struct __sk_buff *skb, const struct packet *p, const struct ip_addr *src,
					  const struct ip_addr *dst)
{
	struct route route = {.length = length_on_link(skb, p)};

	route_lookup(skb, src, dst, skb->ifindex, &route);
	if (route.kind == ROUTE_TOO_SMALL && route_too_small(skb, src, dst, &route))
		return 0;
	if (route.kind < ROUTE_FORWARD)
		return -DROP_NO_ROUTE;
	return packet_decrement_ttl(skb, p) ? 0 : route.ifindex;
}

#endif
