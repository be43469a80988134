/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fragment.bpf.h: the ports of fragments (clause E7). Both hooks see fragments: netfilter puts datagrams together only
 * between them, and only where something asks it to track, and the stack takes them apart again on the way out.
 *
 * Only the first of a datagram has ports. What overtakes it on its way is kept here in copy; once the first has come,
 * and belongs to a flow, all of them are sent in again, in order.
 */
#ifndef PORTOLAN_FRAGMENT_BPF_H
#define PORTOLAN_FRAGMENT_BPF_H

#include <linux/pkt_cls.h>
#include "clock.bpf.h"
#include "frontend.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"

#define PIECE_MAX 2048      /* bytes of the largest fragment that is kept */
#define PIECES_MAX 8        /* of one datagram */
#define OVERTAKEN_SECONDS 2 /* an older one may be another datagram's of the same id */

struct piece {
	__u32 length;
	__u32 seen;    /* seconds since boot */
	__u32 claimed; /* of the datagram's piece 0: its first has come */
	__be16 at;     /* packet.fragment_at */
	__u8 bytes[PIECE_MAX];
};

/* Fragments that came before the first of their datagram, numbered as they came. Not pinned: the first follows soon. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 512);
	__type(key, struct fragment_key);
	__type(value, struct piece);
} overtaking SEC(".maps");

/* Where a piece is put together. Not pinned. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct piece);
} piece_here SEC(".maps");

static __always_inline void fragment_key_of(struct fragment_key *key, const struct packet *p, enum flow_space space)
{
	key->src = p->src;
	key->dst = p->dst;
	key->id = p->fragment_id;
	key->proto = p->proto;
	key->space = space;
	key->piece = 0;
}

static __always_inline bool piece_waits(const struct piece *piece, __u32 now)
{
	return piece && now - piece->seen <= OVERTAKEN_SECONDS;
}

/* One comparison each: the verifier follows no length through the compiler's clever ones. */
static __always_inline bool piece_fits(__u32 length)
{
	if (length < sizeof(struct iphdr))
		return false;
	barrier_var(length);
	return length <= PIECE_MAX;
}

/* Keeps a copy of a later fragment whose first has not come. Returns 0, or negative when there is no room. */
static __noinline int keep_piece(struct __sk_buff *skb, const struct packet *p, struct fragment_key *key)
{
	__u32 zero = 0, length, now = now_seconds();
	struct piece *copy = bpf_map_lookup_elem(&piece_here, &zero), *known;

	if (!p || !key || !copy)
		return -1;
	length = p->end - p->l3;
	if (!piece_fits(length) || bpf_skb_load_bytes(skb, p->l3, copy->bytes, length) < 0)
		return -1;
	copy->length = length;
	copy->seen = now;
	copy->claimed = 0;
	copy->at = p->fragment_at;
	for (__u32 i = 0; i < PIECES_MAX; i++) {
		key->piece = i;
		known = bpf_map_lookup_elem(&overtaking, key);
		if (!piece_waits(known, now))
			return bpf_map_update_elem(&overtaking, key, copy, BPF_ANY);
		if (known->at == copy->at) /* a bridge and its port are two devices, and one packet meets both */
			return 0;
	}
	return -1;
}

/*
 * The first fragment leaves its ports and length here, later ones take them. Returns 0, or NOT_OURS for a fragment that
 * overtook its first, OVERTOOK if it is kept: coming in, those to addresses of ours are. It may be anybody's all the
 * same, this host's as well, so it is only a copy that waits.
 */
static __noinline int fragment_ports(struct __sk_buff *skb, struct packet *p, enum flow_space space)
{
	struct first_fragment *known, first = {};
	struct fragment_key key;
	struct piece *piece;

	if (!p)
		return NOT_OURS;
	fragment_key_of(&key, p, space);
	if (!p->later) {
		first.sport = p->sport;
		first.dport = p->dport;
		first.length = p->end - p->l3;
		if (dry_run)
			return 0;
		bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
		piece = bpf_map_lookup_elem(&overtaking, &key);
		if (!piece_waits(piece, now_seconds()) || piece->claimed)
			return 0;
		piece->claimed = 1;
		p->overtaken = true;
		return 0;
	}
	known = bpf_map_lookup_elem(&fragments, &key);
	if (!known) {
		if (dry_run || (space == SPACE_OUTER && !address_flags(&p->dst)) || keep_piece(skb, p, &key))
			return NOT_OURS;
		key.piece = 0;
		known = bpf_map_lookup_elem(&fragments, &key);
		if (!known)
			return OVERTOOK;
		/* the first came in by another CPU between the looks: it may not have seen that one waits */
	}
	p->sport = known->sport;
	p->dport = known->dport;
	p->first_length = known->length;
	return 0;
}

/* Makes of the packet at hand a piece that waits, and sends that. Returns 0, or negative after the last one. */
static __noinline int send_piece(struct __sk_buff *skb, __u32 l3, const struct fragment_key *key, __u64 direction)
{
	struct piece *piece = key ? bpf_map_lookup_elem(&overtaking, key) : NULL;
	__u32 length;
	int err;

	if (!piece_waits(piece, now_seconds()))
		return -1;
	length = piece->length;
	if (!piece_fits(length))
		return -1;
	err = bpf_skb_change_tail(skb, l3 + length, 0) ||
	      bpf_skb_store_bytes(skb, l3, piece->bytes, length, BPF_F_RECOMPUTE_CSUM);
	bpf_map_delete_elem(&overtaking, key);
	return err ? 0 : bpf_clone_redirect(skb, skb->ifindex, direction);
}

/*
 * Sends the first fragment of a datagram and then those that overtook it through this hook again, the way they came;
 * the packet at hand is used up. direction: BPF_F_INGRESS, or 0 at egress, where that runs the program from within:
 * nothing in struct work is the same after.
 */
static __noinline int send_in_order(struct __sk_buff *skb, const struct packet *p, __u64 direction)
{
	struct fragment_key key;
	__u32 l3;

	if (!p)
		return TC_ACT_SHOT;
	l3 = p->l3;
	fragment_key_of(&key, p, direction ? SPACE_OUTER : SPACE_INNER);
	if (bpf_clone_redirect(skb, skb->ifindex, direction) < 0)
		return TC_ACT_SHOT;
	for (__u32 i = 0; i < PIECES_MAX; i++) {
		key.piece = i;
		if (send_piece(skb, l3, &key, direction) < 0)
			break;
	}
	return TC_ACT_SHOT;
}

#endif
