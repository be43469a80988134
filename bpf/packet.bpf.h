/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * packet.bpf.h: reading and rewriting an IPv4 or IPv6 packet in an skb. Bytes are loaded and stored through helpers, so
 * no packet pointer lives across a change.
 */
#ifndef PORTOLAN_PACKET_BPF_H
#define PORTOLAN_PACKET_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/in.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include "addr.bpf.h"
#include "config.bpf.h"
#include "sctp.bpf.h"

#define IPV6_HEADERS_MAX 6 /* extension headers we walk before giving the packet up as not ours */

/* What a packet is that has no ports to look up. */
#define PORTLESS 1   /* of another protocol */
#define NOT_OURS -1  /* none that we read */
#define MALFORMED -2 /* its lengths contradict each other; source and destination are known */
#define OVERTOOK -3  /* a later fragment that came before its first */

struct packet {
	struct ip_addr src;
	struct ip_addr dst;
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 tcp_flags; /* of SCTP what its chunks mean in these terms (sctp.bpf.h) */
	bool v4;
	bool fragment;  /* one of several */
	bool later;     /* and not the first: it has no transport header */
	bool overtaken; /* the first, and others came before it (fragment.bpf.h) */
	bool redirect;  /* an ICMP redirect (icmp.bpf.h) */
	bool echo;      /* an ICMP echo request */
	bool from_end;  /* an ICMP error that the packet's addressee sent, no router on the way */
	__u16 l3;       /* offset of the IP header */
	__u16 l4;       /* offset of the transport header */
	__u16 l4_csum;  /* offset of its checksum; 0: not in this packet, or SCTP's */
	__u16 sctp;     /* bytes that the SCTP checksum covers; 0: not all of them are known, or it is not here */
	__u16 quote;    /* offset of the IP header that an ICMP error quotes; 0: it is none */
	__u16 icmp_csum;
	__be32 fragment_id;
	__be16 fragment_at; /* its offset as the header says it, flags and all */
	__u32 first_length; /* of a later fragment: length of the first of its datagram */
	__u32 end;          /* offset behind the IP packet; what follows is padding of the frame */
};

static __always_inline bool packet_is_syn(const struct packet *p)
{
	return proto_connects(p->proto) && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static __always_inline int parse_ipv4(struct __sk_buff *skb, struct packet *p, __u32 at, bool quoted)
{
	struct iphdr ip;
	__u32 total, header;

	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) < 0 || ip.version != 4)
		return NOT_OURS;
	p->src = addr_v4(ip.saddr);
	p->dst = addr_v4(ip.daddr);
	header = ip.ihl * 4;
	total = bpf_ntohs(ip.tot_len);
	if (!total && skb->gso_size) /* BIG TCP: longer than the field can say */
		total = skb->len - at;
	if (header < sizeof(ip) || total < header || (total > skb->len - at && !quoted))
		return MALFORMED;
	p->proto = ip.protocol;
	p->l4 = at + header;
	p->end = at + total;
	p->fragment = (ip.frag_off & bpf_htons(0x3fff)) != 0;
	p->later = (ip.frag_off & bpf_htons(0x1fff)) != 0;
	p->fragment_id = ip.id;
	p->fragment_at = ip.frag_off;
	return 0;
}

static __always_inline bool is_extension_header(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS || next == IPPROTO_ROUTING ||
	       next == IPPROTO_FRAGMENT || next == IPPROTO_AH;
}

/* Walks hop-by-hop, destination, routing, fragment and authentication headers (RFC 8200, RFC 4302). */
static __always_inline int parse_ipv6(struct __sk_buff *skb, struct packet *p, __u32 at, bool quoted)
{
	struct ipv6hdr ip;
	__u32 payload;
	__u8 next;

	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) < 0 || ip.version != 6)
		return NOT_OURS;
	__builtin_memcpy(&p->src, &ip.saddr, sizeof(p->src));
	__builtin_memcpy(&p->dst, &ip.daddr, sizeof(p->dst));
	at += sizeof(ip);
	payload = bpf_ntohs(ip.payload_len);
	if (!payload && skb->gso_size) /* BIG TCP, likewise */
		payload = skb->len - at;
	if (!payload) /* a jumbogram's length stands elsewhere (RFC 2675) */
		return NOT_OURS;
	if (payload > skb->len - at && !quoted)
		return MALFORMED;
	p->end = at + payload;
	next = ip.nexthdr;
	for (int i = 0; i < IPV6_HEADERS_MAX && !p->later; i++) {
		__u8 ext[8];

		if (!is_extension_header(next))
			break;
		if (at + sizeof(ext) > p->end || bpf_skb_load_bytes(skb, at, ext, sizeof(ext)) < 0)
			return MALFORMED;
		if (next == IPPROTO_ROUTING && ext[3]) /* segments left: the address is not the last stop's */
			return NOT_OURS;
		if (next == IPPROTO_FRAGMENT) {
			p->fragment = ext[2] || (ext[3] & 0xf9);
			p->later = ext[2] || (ext[3] & 0xf8);
			__builtin_memcpy(&p->fragment_id, ext + 4, sizeof(p->fragment_id));
			__builtin_memcpy(&p->fragment_at, ext + 2, sizeof(p->fragment_at));
			at += 8;
		} else if (next == IPPROTO_AH) {
			at += (ext[1] + 2) * 4;
		} else {
			at += (ext[1] + 1) * 8;
		}
		next = ext[0];
	}
	if (!p->later && (is_extension_header(next) || next == IPPROTO_NONE))
		return NOT_OURS;
	p->proto = next;
	p->l4 = at;
	return 0;
}

/* Reads the IP headers at an offset: those of the packet, or those it quotes, which may be cut off behind them. */
static __noinline int packet_parse_ip(struct __sk_buff *skb, struct packet *p, __u32 at, bool quoted)
{
	if (!p)
		return -1;
	p->fragment = false; /* the cell still holds the packet before */
	p->later = false;
	return p->v4 ? parse_ipv4(skb, p, at, quoted) : parse_ipv6(skb, p, at, quoted);
}

static __always_inline bool proto_is_icmp(const struct packet *p)
{
	return p->proto == (p->v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* UDP's own length holds its header and fits the packet (RFC 768); 0 is a jumbogram's in IPv6. A fragment says the
 * whole datagram's, and one that the kernel will cut into segments, theirs.
 */
static __always_inline bool udp_fits(const struct __sk_buff *skb, const struct packet *p, __u32 length)
{
	if (length < 8)
		return !length && !p->v4;
	return p->fragment || skb->gso_size || p->l4 + length <= p->end;
}

/*
 * Reads the headers of a TCP, UDP, SCTP or ICMP packet; l3 is the offset of the IP header. Of ICMP and of later
 * fragments only the IP header: icmp.bpf.h and fragment.bpf.h know whose they are. Returns 0; PORTLESS for another
 * protocol's, of which only the IP header is read; NOT_OURS or MALFORMED.
 */
static __noinline int packet_parse(struct __sk_buff *skb, __u16 l3, struct packet *p)
{
	__be16 words[4]; /* the ports, of UDP its length */
	__u8 tcp[2];     /* the header's length, flags */
	__u32 header;
	int err;

	if (!p)
		return NOT_OURS;
	p->l3 = l3;
	p->tcp_flags = 0;
	p->quote = 0;
	p->echo = false;
	p->overtaken = false;
	p->l4_csum = 0;
	p->sctp = 0;
	p->v4 = skb->protocol == bpf_htons(ETH_P_IP);
	if (!p->v4 && skb->protocol != bpf_htons(ETH_P_IPV6))
		return NOT_OURS;
	err = packet_parse_ip(skb, p, l3, false);
	if (err)
		return err;
	if (proto_is_icmp(p))
		return 0;
	if (!proto_connects(p->proto) && p->proto != IPPROTO_UDP)
		return p->l4 + 8 > p->end ? NOT_OURS : PORTLESS;
	if (p->later)
		return 0;
	if (p->l4 + 8 > p->end || bpf_skb_load_bytes(skb, p->l4, words, sizeof(words)) < 0)
		return MALFORMED;
	p->sport = words[0];
	p->dport = words[1];
	if (p->proto == IPPROTO_UDP) {
		p->l4_csum = p->l4 + 6;
		return udp_fits(skb, p, bpf_ntohs(words[2])) ? 0 : MALFORMED;
	}
	if (p->proto == IPPROTO_SCTP) {
		int flags = sctp_flags(skb, p->l4, p->end, p->fragment);

		p->tcp_flags = flags;
		p->sctp = p->fragment ? 0 : p->end - p->l4;
		return flags < 0 ? MALFORMED : 0;
	}
	p->l4_csum = p->l4 + 16;
	if (p->l4 + 20 > p->end || bpf_skb_load_bytes(skb, p->l4 + 12, tcp, sizeof(tcp)) < 0)
		return MALFORMED;
	p->tcp_flags = tcp[1];
	header = (tcp[0] >> 4) * 4;
	return header < 20 || (!p->fragment && p->l4 + header > p->end) ? MALFORMED : 0;
}

/* Writes an address into the IP header at an offset, and keeps the header's own checksum right. Returns 0 or negative.
 */
static __always_inline int store_address(struct __sk_buff *skb, __u32 ip, bool v4, bool source,
					 const struct ip_addr *old, const struct ip_addr *addr)
{
	if (!v4)
		return bpf_skb_store_bytes(
		    skb, ip + (source ? offsetof(struct ipv6hdr, saddr) : offsetof(struct ipv6hdr, daddr)), addr->w, 16,
		    0);
	return bpf_l3_csum_replace(skb, ip + offsetof(struct iphdr, check), old->w[3], addr->w[3], 4) |
	       bpf_skb_store_bytes(skb, ip + (source ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr)),
				   &addr->w[3], 4, 0);
}

/* Writes a port of SCTP. A fragment keeps its own: the checksum covers bytes that are not here. Returns 0 or negative.
 */
static __always_inline int store_sctp_port(struct __sk_buff *skb, const struct packet *p, bool source, __be16 old,
					   __be16 port)
{
	__u32 at = p->l4 + SCTP_CHECKSUM, checksum;

	if (!p->sctp || bpf_skb_load_bytes(skb, at, &checksum, sizeof(checksum)) < 0)
		return -1;
	checksum = sctp_checksum(checksum, source, old, port, p->sctp);
	return bpf_skb_store_bytes(skb, at, &checksum, sizeof(checksum), 0) |
	       bpf_skb_store_bytes(skb, p->l4 + (source ? 0 : 2), &port, 2, 0);
}

/*
 * Gives one end of the packet another address and port and keeps every checksum right, also CHECKSUM_PARTIAL and
 * CHECKSUM_COMPLETE. Addresses differ in at most their last word for IPv4, so one 16-byte difference serves both
 * families. The transport checksum of a datagram stands in its first fragment, and the difference is the same whatever
 * follows. Returns 0, or -1 when the kernel refused.
 */
static __always_inline int packet_set_end(struct __sk_buff *skb, struct packet *p, bool source,
					  const struct ip_addr *addr, __be16 port)
{
	struct ip_addr *old_addr = source ? &p->src : &p->dst;
	__be16 *old_port = source ? &p->sport : &p->dport;
	/* A UDP checksum of zero means none was computed and must stay (RFC 768). */
	__u64 mangled = p->proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	int err = 0;

	if (!addr_equal(old_addr, addr)) {
		__s64 diff = bpf_csum_diff(old_addr->w, 16, (__be32 *)addr->w, 16, 0);

		if (p->l4_csum)
			err |= bpf_l4_csum_replace(skb, p->l4_csum, 0, diff,
						   BPF_F_PSEUDO_HDR | mangled | (p->v4 ? 0 : csum_ipv6_flag));
		err |= store_address(skb, p->l3, p->v4, source, old_addr, addr);
		*old_addr = *addr;
	}
	if (*old_port != port && p->proto == IPPROTO_SCTP) {
		err |= store_sctp_port(skb, p, source, *old_port, port);
	} else if (*old_port != port && p->l4_csum) {
		err |= bpf_l4_csum_replace(skb, p->l4_csum, *old_port, port, mangled | 2);
		err |= bpf_skb_store_bytes(skb, p->l4 + (source ? 0 : 2), &port, 2, 0);
	}
	*old_port = port;
	return err ? -1 : 0;
}

/* One hop less to live, for packets that do not pass the stack's forwarding. Returns -1 when that was the last. */
static __always_inline int packet_decrement_ttl(struct __sk_buff *skb, const struct packet *p)
{
	__u32 at = p->l3 + (p->v4 ? offsetof(struct iphdr, ttl) : offsetof(struct ipv6hdr, hop_limit));
	__u8 ttl;

	if (bpf_skb_load_bytes(skb, at, &ttl, 1) < 0 || ttl <= 1)
		return -1;
	if (p->v4) {
		/* the checksum runs over 16-bit words; ttl is the first byte of its word on the wire */
		bpf_l3_csum_replace(skb, p->l3 + offsetof(struct iphdr, check), bpf_htons(ttl << 8),
				    bpf_htons((ttl - 1) << 8), 2);
	}
	ttl--;
	return bpf_skb_store_bytes(skb, at, &ttl, 1, 0);
}

#endif
