/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * reply.bpf.h: answers made from the packet they refuse: ICMP and ICMPv6 port unreachable (RFC 792, RFC 4443, the
 * REJECT of kube-proxy row 31) and TCP RST (RFC 9293 3.5.2); and echo replies. They leave where the packet came in,
 * from the address it was sent to, and not more often than reply_rate says.
 */
#ifndef PORTOLAN_REPLY_BPF_H
#define PORTOLAN_REPLY_BPF_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_helpers.h>
#include "icmp.bpf.h"
#include "select.bpf.h"
#include "work.bpf.h"

#define REPLY_TTL 64
#define NSEC_PER_SEC 1000000000ULL

struct icmp_error {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be32 unused;
};

static __always_inline __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* The pseudo header of a reply: addresses of p (their order does not matter), length and protocol. */
static __always_inline __u64 pseudo_sum(const struct packet *p, __u32 length, __u8 proto)
{
	__be32 tail[2] = {bpf_htonl(length), bpf_htonl(proto)};
	__u64 sum = bpf_csum_diff(NULL, 0, tail, sizeof(tail), 0);

	if (p->v4) {
		__be32 pair[2] = {p->src.w[3], p->dst.w[3]};

		return bpf_csum_diff(NULL, 0, pair, sizeof(pair), sum);
	}
	sum = bpf_csum_diff(NULL, 0, (__be32 *)p->src.w, 16, sum);
	return bpf_csum_diff(NULL, 0, (__be32 *)p->dst.w, 16, sum);
}

/* Back out of the device it came in by. */
static __always_inline int send_back(struct __sk_buff *skb, const struct packet *p)
{
	__u8 macs[2 * ETH_ALEN];

	if (p->l3) {
		if (bpf_skb_load_bytes(skb, 0, macs, sizeof(macs)) < 0 ||
		    bpf_skb_store_bytes(skb, 0, macs + ETH_ALEN, ETH_ALEN, 0) < 0 ||
		    bpf_skb_store_bytes(skb, ETH_ALEN, macs, ETH_ALEN, 0) < 0)
			return TC_ACT_SHOT;
	}
	skb->mark |= mark_in | mark_out;
	return bpf_redirect(skb->ifindex, 0);
}

static __always_inline int store_ip_header(struct __sk_buff *skb, const struct packet *p, __u32 payload, __u8 proto)
{
	if (p->v4) {
		struct iphdr ip = {.version = 4, .ihl = 5, .ttl = REPLY_TTL, .protocol = proto};

		ip.frag_off = bpf_htons(0x4000); /* DF */
		ip.tot_len = bpf_htons(sizeof(ip) + payload);
		ip.saddr = p->dst.w[3];
		ip.daddr = p->src.w[3];
		ip.check = csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)&ip, sizeof(ip), 0));
		return bpf_skb_store_bytes(skb, p->l3, &ip, sizeof(ip), 0);
	}
	struct ipv6hdr ip = {.version = 6, .nexthdr = proto, .hop_limit = REPLY_TTL};

	ip.payload_len = bpf_htons(payload);
	__builtin_memcpy(&ip.saddr, &p->dst, 16);
	__builtin_memcpy(&ip.daddr, &p->src, 16);
	return bpf_skb_store_bytes(skb, p->l3, &ip, sizeof(ip), 0);
}

static __always_inline __u32 quoted_l4(const struct packet *p)
{
	return proto_connects(p->proto) ? sizeof(struct tcphdr) : 8;
}

/*
 * A sender that leaves the checksum to its device (CHECKSUM_PARTIAL) has written the pseudo header's sum in its place,
 * and the packet stays such a one when it is quoted: who computes the checksum on the way out does so over the quote,
 * and changes what the ICMP checksum covers. So the quote gets the one checksum that this leaves as it is: f where f +
 * rest is ~f in one's complement, so half of ~rest, and half of a 16-bit sum is its rotation by one bit. The CRC of
 * SCTP has no such value.
 */
static __noinline int settle_checksum(struct __sk_buff *skb, struct work *w)
{
	const struct packet *p;
	__be32 *head; /* where the quote will be: the stack of Linux 6.1 has no room */
	__u32 size, at;
	__u16 check, rest;

	if (!w)
		return 0;
	p = &w->packet;
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
		return 0;
	head = (__be32 *)w->quote;
	size = quoted_l4(p);
	at = p->proto == IPPROTO_UDP ? 6 : 16;
	if (bpf_skb_load_bytes(skb, p->l4, head, 8) < 0 ||
	    (size > 8 && bpf_skb_load_bytes(skb, p->l4, head, sizeof(struct tcphdr)) < 0) ||
	    bpf_skb_load_bytes(skb, p->l4 + at, &check, sizeof(check)) < 0)
		return -1;
	if (check != (__u16)~csum_fold(pseudo_sum(p, p->end - p->l4, p->proto)))
		return 0; /* it is computed already */
	if (size > 8)
		head[4] &= bpf_htonl(0x0000ffff);
	else
		head[1] &= bpf_htonl(0xffff0000);
	rest = csum_fold(bpf_csum_diff(NULL, 0, head, sizeof(struct tcphdr), 0));
	check = rest >> 1 | rest << 15;
	return bpf_skb_store_bytes(skb, p->l4 + at, &check, sizeof(check), 0);
}

/* A bucket of a second's tokens, told by up to when they are used up. Returns whether there was one, now taken. */
static __always_inline bool take_token(__u64 *used_up, __u32 rate, __u64 now)
{
	__u64 each;

	if (!rate)
		return false;
	each = NSEC_PER_SEC / rate;
	if (*used_up + NSEC_PER_SEC < now)
		*used_up = now - NSEC_PER_SEC;
	if (*used_up + each > now)
		return false;
	*used_up += each;
	return true;
}

/* Whether one more reply may leave, which counts as sent then. Who asks too much is not answered at others' cost. */
static __always_inline bool may_reply(struct work *w)
{
	const struct ip_addr *to = &w->packet.src;
	__u64 now = bpf_ktime_get_ns(), *used_up;
	__u32 slot = hash_flow(to, to, 0, 0, 0) % REPLY_SOURCES;

	used_up = bpf_map_lookup_elem(&reply_sources, &slot);
	return used_up && take_token(used_up, reply_rate_source, now) && take_token(&w->replies_due, reply_rate, now);
}

/* Turns the refused packet into a port unreachable that quotes its headers. */
static __noinline int reply_unreachable(struct __sk_buff *skb, struct work *w)
{
	struct icmp_error icmp = {};
	const struct packet *p;
	__u32 quoted, header;
	__u64 sum = 0;

	if (!w)
		return TC_ACT_SHOT;
	p = &w->packet;
	__builtin_memset(w->quote, 0, QUOTE_MAX);
	/* SCTP finds the association of an INIT by its tag, 20 bytes into the packet */
	quoted = p->l4 - p->l3 + quoted_l4(p);
	/* The call keeps clang from making one comparison of the two, which the verifier of 6.1 does not follow. */
	if (quoted < 28 || settle_checksum(skb, w) || quoted > QUOTE_MAX ||
	    bpf_skb_load_bytes(skb, p->l3, w->quote, quoted) < 0)
		return TC_ACT_SHOT;
	icmp.type = p->v4 ? ICMP_DEST_UNREACH : ICMPV6_DEST_UNREACH;
	icmp.code = p->v4 ? ICMP_PORT_UNREACH : ICMPV6_PORT_UNREACH;
	if (!p->v4)
		sum = pseudo_sum(p, sizeof(icmp) + quoted, IPPROTO_ICMPV6);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&icmp, sizeof(icmp), sum);
	icmp.checksum = csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)w->quote, QUOTE_MAX, sum));

	header = p->v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	if (bpf_skb_change_tail(skb, p->l3 + quoted, 0) ||
	    bpf_skb_adjust_room(skb, header + sizeof(icmp), BPF_ADJ_ROOM_MAC, 0))
		return TC_ACT_SHOT;
	if (store_ip_header(skb, p, sizeof(icmp) + quoted, p->v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) ||
	    bpf_skb_store_bytes(skb, p->l3 + header, &icmp, sizeof(icmp), 0))
		return TC_ACT_SHOT;
	return send_back(skb, p);
}

/* Turns a segment of an unknown connection into the RST that a host without such a socket would send. */
static __noinline int reply_reset(struct __sk_buff *skb, const struct packet *p)
{
	struct tcphdr tcp, rst = {.doff = 5, .rst = 1};
	__u32 header, room, segment;
	__u64 sum, rest;

	if (!p || bpf_skb_load_bytes(skb, p->l4, &tcp, sizeof(tcp)) < 0)
		return TC_ACT_SHOT;
	header = p->v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	room = p->l4 - p->l3;
	if (room != header) /* options and extension headers do not come back; too odd to take out */
		return TC_ACT_SHOT;
	rst.source = tcp.dest;
	rst.dest = tcp.source;
	if (tcp.ack) {
		rst.seq = tcp.ack_seq;
	} else {
		segment = p->end - p->l4 - tcp.doff * 4 + tcp.syn + tcp.fin;
		rst.ack = 1;
		rst.ack_seq = bpf_htonl(bpf_ntohl(tcp.seq) + segment);
	}
	sum = pseudo_sum(p, sizeof(rst), IPPROTO_TCP);
	rest = sum + (__u64)bpf_csum_diff(NULL, 0, (__be32 *)&rst, sizeof(rst), sum);
	rest = (rest & 0xffffffff) + (rest >> 32);
	rst.check = ~csum_fold(sum); /* all that CHECKSUM_PARTIAL wants; for all others the helper adds the rest */
	if (bpf_skb_change_tail(skb, p->l4 + sizeof(rst), 0) || store_ip_header(skb, p, sizeof(rst), IPPROTO_TCP) ||
	    bpf_skb_store_bytes(skb, p->l4, &rst, sizeof(rst), 0) || bpf_l4_csum_replace(skb, p->l4 + 16, 0, rest, 0))
		return TC_ACT_SHOT;
	return send_back(skb, p);
}

/* Turns an echo request into its reply: addresses, type and TTL change, identifier and payload stay. */
static __noinline int reply_echo(struct __sk_buff *skb, const struct packet *p)
{
	__u8 type;

	if (!p)
		return TC_ACT_SHOT;
	type = p->v4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY;
	/* the addresses change places, which no sum notices */
	if (bpf_l4_csum_replace(skb, p->l4 + 2, bpf_htons((p->v4 ? ICMP_ECHO : ICMPV6_ECHO) << 8), bpf_htons(type << 8),
				2) ||
	    bpf_skb_store_bytes(skb, p->l4, &type, sizeof(type), 0) ||
	    store_ip_header(skb, p, p->end - p->l4, p->proto))
		return TC_ACT_SHOT;
	return send_back(skb, p);
}

/*
 * Refuses a packet and counts that; service 0: none's. Its sender is told while there are not too many to tell (row
 * 32): by RST about a connection, else by ICMP.
 */
static __always_inline int refuse(struct __sk_buff *skb, struct work *w, __u32 service, __u32 reason)
{
	bool told = may_reply(w);

	count_refusal(service, told ? reason : DROP_REPLY_LIMIT);
	if (!told)
		return TC_ACT_SHOT;
	return reason_rejects(reason) ? reply_unreachable(skb, w) : reply_reset(skb, &w->packet);
}

#endif
