/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow.bpf.h: connection state. A flow has one owner record and one or two index entries: the tuple between our hooks
 * (claimed for every flow: clause E1) and, when masqueraded, the tuple the backend answers to (clause E2). Indexes are
 * full copies, but only as good as their owner: every hit is checked against it.
 *
 * A flow lives in `nascent` until its backend has answered and the client goes on, then in `flows`. Readers look into
 * `flows` first; a move writes there before it deletes here, so a record is always found in at least one of them.
 */
#ifndef PORTOLAN_FLOW_BPF_H
#define PORTOLAN_FLOW_BPF_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include "addr.bpf.h"
#include "before.bpf.h"
#include "clock.bpf.h"
#include "config.bpf.h"
#include "maps.bpf.h"
#include "sctp.bpf.h"

/* Keys are written in place: a key by value would cost a copy on the small stack. */
static __always_inline void flow_outer_key(struct flow_key *key, const struct ip_addr *src, __be16 sport,
					   const struct ip_addr *dst, __be16 dport, __u8 proto)
{
	key->src = *src;
	key->dst = *dst;
	key->sport = sport;
	key->dport = dport;
	key->proto = proto;
	key->space = SPACE_OUTER;
	key->pad = 0;
}

static __always_inline void flow_owner_key(struct flow_key *key, const struct flow *f)
{
	flow_outer_key(key, &f->client, f->client_port, &f->vip, f->vip_port, f->proto);
}

static __always_inline void flow_snat_key(struct flow_key *key, const struct flow *f)
{
	flow_outer_key(key, &f->backend, f->backend_port, &f->snat, f->snat_port, f->proto);
}

/* The request between our hooks, as netfilter tracks it. */
static __always_inline void flow_request_key(struct flow_key *key, const struct flow *f)
{
	flow_outer_key(key, &f->client, f->mapped_port, &f->backend, f->backend_port, f->proto);
}

/* True when (a, ap) stands before (b, bp). Any total order does, as long as both directions see the same. */
static __always_inline bool ends_ordered(const struct ip_addr *a, __be16 ap, const struct ip_addr *b, __be16 bp)
{
	for (int i = 3; i >= 0; i--) {
		if (a->w[i] != b->w[i])
			return a->w[i] < b->w[i];
	}
	return ap <= bp;
}

/* Both directions of a connection between our hooks share this key. */
static __always_inline void flow_between(struct flow_key *key, const struct ip_addr *a, __be16 ap,
					 const struct ip_addr *b, __be16 bp, __u8 proto)
{
	if (ends_ordered(a, ap, b, bp))
		flow_outer_key(key, a, ap, b, bp, proto);
	else
		flow_outer_key(key, b, bp, a, ap, proto);
	key->space = SPACE_INNER;
}

static __always_inline void flow_inner_key(struct flow_key *key, const struct flow *f)
{
	flow_between(key, &f->client, f->mapped_port, &f->backend, f->backend_port, f->proto);
}

static __always_inline struct flow *flow_look(const struct flow_key *key)
{
	struct flow *f = bpf_map_lookup_elem(&flows, key);

	if (!f)
		f = bpf_map_lookup_elem(&nascent, key);
	/* one that another CPU promoted after the first look and before the second stands in flows by then */
	return f ? f : bpf_map_lookup_elem(&flows, key);
}

static __always_inline struct flow *flow_find(const struct flow_key *key)
{
	struct flow *f = flow_look(key);

	if (f || !takes_over || !flow_bring(key))
		return f;
	return flow_look(key);
}

/* Two records of one flow: everything that identifies and translates is the same. */
static __always_inline bool flow_same(const struct flow *a, const struct flow *b)
{
	return a->proto == b->proto && a->client_port == b->client_port && a->vip_port == b->vip_port &&
	       a->backend_port == b->backend_port && a->mapped_port == b->mapped_port && a->snat_port == b->snat_port &&
	       a->created == b->created && addr_equal(&a->client, &b->client) && addr_equal(&a->vip, &b->vip) &&
	       addr_equal(&a->backend, &b->backend) && addr_equal(&a->snat, &b->snat);
}

/* The owner an index entry speaks for, or NULL when the entry outlived it. Uses *key. */
static __always_inline struct flow *flow_owner_of(const struct flow *index, struct flow_key *key)
{
	struct flow *owner;

	flow_owner_key(key, index);
	owner = flow_find(key);
	if (!owner || owner->role != FLOW_OWNER || !flow_same(owner, index))
		return NULL;
	return owner;
}

static __always_inline bool flow_closed(const struct flow *f)
{
	return (f->state & FLOW_RST) ||
	       (f->state & (FLOW_FIN_CLIENT | FLOW_FIN_BACKEND)) == (FLOW_FIN_CLIENT | FLOW_FIN_BACKEND);
}

/* Idle seconds after which a record of `flows` goes; nascent ones go by eviction or after timeout_nascent. */
static __always_inline __u32 flow_timeout(const struct flow *f)
{
	if (f->role == FLOW_PASS)
		return timeout_udp;
	if (!(f->state & FLOW_LASTING))
		return timeout_nascent;
	if (f->proto == IPPROTO_UDP)
		return timeout_udp;
	return flow_closed(f) ? timeout_tcp_closed : timeout_tcp_established;
}

static __always_inline bool flow_expired(const struct flow *f, __u32 now)
{
	return (__s32)(now - f->last_seen) > (__s32)flow_timeout(f);
}

/*
 * Anybody can send an RST with the right ports: the end it is for answers one that is out of its window with an ACK or
 * not at all, and talks on (RFC 5961, section 3.2). One that has taken it says nothing but RST.
 */
static __always_inline bool outlives_reset(const struct flow *owner, __u8 tcp_flags, bool from_client)
{
	__u32 state = owner->state;

	return (state & FLOW_RST) && !(state & FLOW_ENDED) && !(tcp_flags & (TCP_SYN | TCP_RST)) &&
	       from_client == !(state & FLOW_RST_CLIENT);
}

/* Notes a packet of the flow: time, and the end of a connection. */
static __always_inline void flow_touch(struct flow *owner, __u8 tcp_flags, bool from_client, __u32 now)
{
	__u32 seen = 0;

	if (owner->last_seen != now)
		owner->last_seen = now;
	if (!proto_connects(owner->proto))
		return;
	if (outlives_reset(owner, tcp_flags, from_client))
		__sync_fetch_and_and(&owner->state, ~(FLOW_RST | FLOW_RST_CLIENT));
	if (tcp_flags & TCP_RST)
		seen = from_client ? FLOW_RST | FLOW_RST_CLIENT : FLOW_RST;
	else if (tcp_flags & TCP_FIN)
		seen = from_client ? FLOW_FIN_CLIENT : FLOW_FIN_BACKEND;
	if (seen && (owner->state & seen) != seen)
		__sync_fetch_and_or(&owner->state, seen);
}

static __always_inline void count_traffic(const struct flow *flow, __u32 bytes)
{
	__u32 service = flow->service;
	struct service_stats *stats;

	if (flow->flags & FLOW_DIRECT) /* of no Service */
		return;
	stats = bpf_map_lookup_elem(&service_stats, &service);
	if (stats) {
		count(&stats->packets, 1);
		count(&stats->bytes, bytes);
	}
}

/*
 * Takes key for record unless somebody holds it. A holder without an owner, and a closed one of another client
 * connection, gives way only through flow_forget(); here it counts as taken. Returns 0, -EEXIST, or the map's error.
 */
static __always_inline int flow_claim(const struct flow_key *key, const struct flow *record)
{
	int err;

	if (bpf_map_lookup_elem(&flows, key) || (takes_over && flow_claim_before(key)))
		return -EEXIST;
	err = bpf_map_update_elem(&nascent, key, record, BPF_NOEXIST);
	if (err)
		return err;
	/* a flow promoted between the look and the claim stands in flows now */
	if (bpf_map_lookup_elem(&flows, key)) {
		bpf_map_delete_elem(&nascent, key);
		return -EEXIST;
	}
	return 0;
}

static __always_inline void flow_unclaim(const struct flow_key *key)
{
	if (takes_over)
		flow_unclaim_before(key);
	bpf_map_delete_elem(&nascent, key);
	bpf_map_delete_elem(&flows, key);
}

#endif
