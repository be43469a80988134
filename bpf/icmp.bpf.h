/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * icmp.bpf.h: ICMP and ICMPv6 messages that quote a packet of a flow (RFC 792, RFC 4443, RFC 4861; clause E7). One
 * travels back to who sent the quoted packet, as the flow's other direction does, so it is described as a packet of
 * that: its source is whom the quote was sent to. Then the flow's own lookups and translations serve it; only the bytes
 * that they change are others.
 */
#ifndef PORTOLAN_ICMP_BPF_H
#define PORTOLAN_ICMP_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "packet.bpf.h"

/* Own words: <linux/icmp.h> pulls in the C library. */
enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_DEST_UNREACH = 3, /* fragmentation needed is one of its codes */
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
	ICMPV6_DEST_UNREACH = 1, /* 2 packet too big, 3 time exceeded */
	ICMPV6_PARAMETER_PROBLEM = 4,
	ICMPV6_ECHO = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_REDIRECT = 137,
};
enum { ICMP_PORT_UNREACH = 3, ICMPV6_PORT_UNREACH = 4 }; /* codes */

#define ICMP_HEADER 8
#define ICMPV6_REDIRECT_HEADER 40 /* with the two addresses; options follow */
#define ND_OPTION_REDIRECTED 4    /* the option that quotes */
#define ND_OPTIONS_MAX 4

/* Where an ICMPv6 redirect quotes a packet, or 0. */
static __always_inline __u32 redirected_header(struct __sk_buff *skb, __u32 at)
{
	at += ICMPV6_REDIRECT_HEADER;
	for (int i = 0; i < ND_OPTIONS_MAX; i++) {
		__u8 option[2]; /* type, length in units of 8 bytes */

		if (bpf_skb_load_bytes(skb, at, option, sizeof(option)) < 0)
			return 0;
		if (option[0] == ND_OPTION_REDIRECTED)
			return at + 8;
		at += option[1] * 8;
	}
	return 0;
}

/* The offset of the IP header that a message quotes, 0 when it is none that does. */
static __always_inline __u32 quote_offset(struct __sk_buff *skb, struct packet *p)
{
	__u8 type;

	if (bpf_skb_load_bytes(skb, p->l4, &type, 1) < 0)
		return 0;
	p->redirect = type == (p->v4 ? ICMP_REDIRECT : ICMPV6_REDIRECT);
	p->echo = type == (p->v4 ? ICMP_ECHO : ICMPV6_ECHO) && p->l4 + ICMP_HEADER <= p->end;
	if (!p->v4) {
		if (p->redirect)
			return redirected_header(skb, p->l4);
		return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMETER_PROBLEM ? p->l4 + ICMP_HEADER : 0;
	}
	if (p->redirect || type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM)
		return p->l4 + ICMP_HEADER;
	return 0;
}

/*
 * Makes p of a message the packet of the flow it is about. Returns 0, or NOT_OURS when it is about none: no error, or
 * too little quoted to tell; PORTLESS for an echo request.
 */
static __noinline int icmp_parse(struct __sk_buff *skb, struct packet *p)
{
	struct ip_addr from, to;
	__be16 ports[2];
	__u32 at, end;

	if (!p || p->fragment)
		return NOT_OURS;
	at = quote_offset(skb, p);
	if (!at)
		return p->echo ? PORTLESS : NOT_OURS;
	from = p->src;
	to = p->dst;
	end = p->end;
	p->icmp_csum = p->l4 + 2;
	if (packet_parse_ip(skb, p, at, true) || p->later || p->l4 + 8 > end ||
	    (!proto_connects(p->proto) && p->proto != IPPROTO_UDP) || !addr_equal(&p->src, &to) ||
	    bpf_skb_load_bytes(skb, p->l4, ports, sizeof(ports)) < 0)
		return NOT_OURS;
	p->quote = at;
	if (p->proto == IPPROTO_SCTP && !p->fragment && p->l4 + SCTP_HEADER <= end && p->l4 + SCTP_HEADER <= p->end)
		p->sctp = p->end - p->l4;
	p->end = end; /* the message's, not what the quote says of itself */
	p->src = p->dst;
	p->dst = to;
	p->sport = ports[1];
	p->dport = ports[0];
	p->from_end = addr_equal(&p->src, &from);
	p->l4_csum = p->l4 + (p->proto == IPPROTO_UDP ? 6 : 16);
	if (p->l4_csum + 2 > end || p->proto == IPPROTO_SCTP)
		p->l4_csum = 0;
	return 0;
}

/*
 * packet_set_end() for a message: the quote's other end gets the address and port, and the message's own address with
 * it. A router that reports keeps its own, so that traceroute shows it. In IPv4 the quoted header's checksum makes good
 * for its addresses; ICMPv6 counts the message's own as well (pseudo header). Returns 0, or -1.
 */
__noinline int icmp_set_end(struct __sk_buff *skb, struct packet *p, bool source, const struct ip_addr *addr,
			    __be16 port)
{
	struct {
		__be16 port, csum;
		__u32 sctp_csum;
	} old = {}, new = {};
	struct ip_addr *old_addr;
	__u64 mangled;
	__s64 sum = 0;
	int err = 0;

	if (!p || !addr)
		return -1;
	old_addr = source ? &p->src : &p->dst;
	mangled = p->proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	old.port = source ? p->sport : p->dport;
	new.port = port;
	if (p->l4_csum)
		err |= bpf_skb_load_bytes(skb, p->l4_csum, &old.csum, 2);
	if (!addr_equal(old_addr, addr)) {
		bool outer = !source || p->from_end;
		__s64 diff = bpf_csum_diff(old_addr->w, 16, (__be32 *)addr->w, 16, 0);

		if (p->l4_csum)
			err |= bpf_l4_csum_replace(skb, p->l4_csum, 0, diff, mangled);
		err |= store_address(skb, p->quote, p->v4, !source, old_addr, addr);
		if (outer)
			err |= store_address(skb, p->l3, p->v4, source, old_addr, addr);
		if (!p->v4)
			sum = outer ? diff + diff : diff;
		*old_addr = *addr;
	}
	if (p->l4_csum) {
		err |= bpf_l4_csum_replace(skb, p->l4_csum, old.port, port, mangled | 2);
		err |= bpf_skb_load_bytes(skb, p->l4_csum, &new.csum, 2);
	}
	if (p->sctp) {
		err |= bpf_skb_load_bytes(skb, p->l4 + SCTP_CHECKSUM, &old.sctp_csum, 4);
		new.sctp_csum = sctp_checksum(old.sctp_csum, !source, old.port, port, p->sctp);
		err |= bpf_skb_store_bytes(skb, p->l4 + SCTP_CHECKSUM, &new.sctp_csum, 4, 0);
	}
	err |= bpf_skb_store_bytes(skb, p->l4 + (source ? 2 : 0), &port, 2, 0);
	sum = bpf_csum_diff((__be32 *)&old, sizeof(old), (__be32 *)&new, sizeof(new), sum);
	err |= bpf_l4_csum_replace(skb, p->icmp_csum, 0, sum, 0);
	*(source ? &p->sport : &p->dport) = port;
	return err ? -1 : 0;
}

#endif
