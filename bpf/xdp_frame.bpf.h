/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xdp_frame.bpf.h: reading and rewriting a frame where it lies, before the kernel has made a packet of it. Only the
 * plain form is read: Ethernet, IP without options or extension headers, TCP or UDP in one piece. All else is tc's.
 */
#ifndef PORTOLAN_XDP_FRAME_BPF_H
#define PORTOLAN_XDP_FRAME_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include "addr.bpf.h"

struct ends {
	struct ip_addr src;
	struct ip_addr dst;
	__be16 sport;
	__be16 dport;
};

struct frame {
	struct ethhdr *eth;
	struct iphdr *ip4; /* one of the two, the other is NULL */
	struct ipv6hdr *ip6;
	struct udphdr *l4; /* TCP's ports stand where UDP's do */
	__sum16 *check;    /* the transport's */
	struct ends ends;
	__u32 length; /* of the IP packet */
	__u8 proto;
	__u8 tcp_flags;
};

/* Returns false for what is not of the plain form, or contradicts itself. */
static __always_inline bool read_ipv4(struct frame *f, struct iphdr *ip, void *end)
{
	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl != 5 || (ip->frag_off & bpf_htons(0x3fff)))
		return false;
	f->ends.src = addr_v4(ip->saddr);
	f->ends.dst = addr_v4(ip->daddr);
	f->proto = ip->protocol;
	f->length = bpf_ntohs(ip->tot_len);
	f->l4 = (void *)(ip + 1);
	f->ip4 = ip;
	return ip->ttl > 1 && f->length <= end - (void *)ip;
}

static __always_inline bool read_ipv6(struct frame *f, struct ipv6hdr *ip, void *end)
{
	if ((void *)(ip + 1) > end || ip->version != 6)
		return false;
	__builtin_memcpy(&f->ends.src, &ip->saddr, sizeof(f->ends.src));
	__builtin_memcpy(&f->ends.dst, &ip->daddr, sizeof(f->ends.dst));
	f->proto = ip->nexthdr;
	f->length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	f->l4 = (void *)(ip + 1);
	f->ip6 = ip;
	return ip->payload_len && ip->hop_limit > 1 && f->length <= end - (void *)ip;
}

static __always_inline bool read_ports(struct frame *f, void *end)
{
	struct tcphdr *tcp = (void *)f->l4;
	struct udphdr *udp = f->l4;
	__u32 room = f->length - (f->ip4 ? sizeof(*f->ip4) : sizeof(*f->ip6));

	f->tcp_flags = 0;
	if (f->proto == IPPROTO_UDP) {
		if ((void *)(udp + 1) > end || bpf_ntohs(udp->len) < sizeof(*udp) || bpf_ntohs(udp->len) > room)
			return false;
		f->check = &udp->check;
	} else if (f->proto == IPPROTO_TCP) {
		if ((void *)(tcp + 1) > end || tcp->doff < 5 || tcp->doff * 4 > room)
			return false;
		f->tcp_flags = ((__u8 *)tcp)[13];
		f->check = &tcp->check;
	} else {
		return false;
	}
	f->ends.sport = udp->source;
	f->ends.dport = udp->dest;
	return true;
}

/* Returns false for what is not of the plain form, would not live on, or contradicts itself: tc knows what to do. */
static __always_inline bool read_frame(struct frame *f, void *data, void *end)
{
	void *ip = data + sizeof(*f->eth);

	f->eth = data;
	f->ip4 = NULL;
	f->ip6 = NULL;
	if (ip > end)
		return false;
	if (f->eth->h_proto == bpf_htons(ETH_P_IP))
		return read_ipv4(f, ip, end) && read_ports(f, end);
	return f->eth->h_proto == bpf_htons(ETH_P_IPV6) && read_ipv6(f, ip, end) && read_ports(f, end);
}

/* A checksum (RFC 1071) after what it covers has changed by diff, as bpf_csum_diff() returns it. */
static __always_inline __u16 csum_after(__u16 checksum, __s64 diff)
{
	__u64 sum = (__u16)~checksum + (__u64)(__u32)diff;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

/*
 * Gives the packet other ends, and a hop less to live. Addresses differ in their last words for IPv4, so one difference
 * serves both families.
 */
static __always_inline void set_ends(struct frame *f, struct ends *to)
{
	__s64 diff = bpf_csum_diff((__be32 *)&f->ends, sizeof(f->ends), (__be32 *)to, sizeof(*to), 0);

	if (f->ip4) {
		struct iphdr *ip = f->ip4;
		__be32 before[3] = {ip->saddr, ip->daddr, bpf_htonl(ip->ttl << 24)};
		__be32 after[3] = {to->src.w[3], to->dst.w[3], bpf_htonl((ip->ttl - 1) << 24)};

		ip->check = csum_after(ip->check, bpf_csum_diff(before, sizeof(before), after, sizeof(after), 0));
		ip->saddr = to->src.w[3];
		ip->daddr = to->dst.w[3];
		ip->ttl--;
	} else if (f->ip6) {
		struct ipv6hdr *ip = f->ip6;

		__builtin_memcpy(&ip->saddr, &to->src, sizeof(ip->saddr));
		__builtin_memcpy(&ip->daddr, &to->dst, sizeof(ip->daddr));
		ip->hop_limit--;
	}
	if (f->proto == IPPROTO_TCP || *f->check) { /* UDP's is zero where none was computed, and must stay (RFC 768) */
		__u16 checksum = csum_after(*f->check, diff);

		*f->check = checksum || f->proto == IPPROTO_TCP ? checksum : 0xffff;
	}
	f->l4->source = to->sport;
	f->l4->dest = to->dport;
}

#endif
