/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * claim.bpf.h: how a new flow comes by tuples that are its own, and how it moves to where it lasts. The SNAT tuple
 * first, then the inner tuple, then the owner: who loses a race for the owner adopts the winner and gives its claims
 * back.
 */
#ifndef PORTOLAN_CLAIM_BPF_H
#define PORTOLAN_CLAIM_BPF_H

#include "conntrack.bpf.h"
#include "flow.bpf.h"
#include "snat_port.bpf.h"
#include "work.bpf.h"

#define PORTS 65536
#define RACE_SECONDS 1 /* an ownerless index younger than this belongs to a race, not to the past */

/* One walk over all ports in a random order: port = start + i * stride (mod 2^16); an odd stride meets each once. */
struct port_search {
	struct __sk_buff *skb;
	struct work *w;
	__u16 start;
	__u16 stride;
	__u16 tried; /* usable ports looked at */
	__s16 err;   /* -EAGAIN until a port is claimed (0) or the map refuses */
};

/*
 * Whether somebody holds w->snat. A claim of a flow that never lasted is worth nothing once its owner was evicted:
 * looking at it here would keep it in the LRU, and a flood would use up every port towards a backend.
 */
static __always_inline bool snat_port_taken(struct work *w)
{
	struct flow *holder;

	if (bpf_map_lookup_elem(&flows, &w->snat))
		return true;
	holder = bpf_map_lookup_elem(&nascent, &w->snat);
	if (!holder)
		return false;
	if (holder->role != FLOW_INDEX || w->now - holder->created <= RACE_SECONDS || flow_owner_of(holder, &w->probe))
		return true;
	bpf_map_delete_elem(&nascent, &w->snat);
	return false;
}

static long try_snat_port(__u32 i, struct port_search *search)
{
	struct work *w = search->w;
	__u16 port = search->start + i * search->stride;

	if (!port_usable(port))
		return 0;
	search->tried++;
	w->flow.snat_port = bpf_htons(port);
	flow_snat_key(&w->snat, &w->flow);
	if (snat_port_taken(w) || port_is_frontend(&w->flow) || socket_knows(search->skb, &w->snat, LISTENERS_ALL) ||
	    conntrack_knows(search->skb, &w->snat))
		return 0;
	search->err = flow_claim(&w->snat, &w->flow);
	if (!search->err)
		count_snat_port(search->tried);
	return search->err != -EEXIST;
}

/*
 * A pod that reaches itself from the port it serves on: both ends are one, and no packet says which way it goes. Such a
 * tuple counts as taken.
 */
static __always_inline bool ends_are_one(const struct flow *flow)
{
	return flow->mapped_port == flow->backend_port && addr_equal(&flow->client, &flow->backend);
}

static long try_mapped_port(__u32 i, struct port_search *search)
{
	struct work *w = search->w;
	__u16 port = search->start + i * search->stride;

	if (!port_usable(port))
		return 0;
	w->flow.mapped_port = bpf_htons(port);
	if (ends_are_one(&w->flow))
		return 0;
	flow_inner_key(&w->inner, &w->flow);
	flow_request_key(&w->probe, &w->flow);
	if (flow_find(&w->inner) || conntrack_knows(search->skb, &w->probe))
		return 0;
	search->err = flow_claim(&w->inner, &w->flow);
	return search->err != -EEXIST;
}

static __always_inline int search_ports(struct __sk_buff *skb, struct work *w, void *try)
{
	__u32 random = bpf_get_prandom_u32();
	struct port_search search = {.skb = skb, .w = w};

	search.start = random;
	search.stride = (random >> 16) | 1;
	search.err = -EAGAIN;
	bpf_loop(PORTS, try, &search, 0);
	return search.err == -EEXIST ? -EAGAIN : search.err; /* lost a race for the last one */
}

/* The connection an index entry stands for is the one flow is made for: same client end, same VIP end. */
static __always_inline bool same_connection(const struct flow *a, const struct flow *b)
{
	return a->client_port == b->client_port && a->vip_port == b->vip_port && a->proto == b->proto &&
	       addr_equal(&a->client, &b->client) && addr_equal(&a->vip, &b->vip);
}

/*
 * Claims the tuple between our hooks (clause E1), remapping the client's port when it is taken: by another flow, or by
 * a connection that netfilter tracks. Returns 0, 1 when another CPU is making the very same flow (adopted into
 * w->flow), or a negative enum drop_reason.
 */
static __always_inline int claim_inner(struct __sk_buff *skb, struct work *w)
{
	struct flow *holder;
	int err = -EEXIST;

	flow_inner_key(&w->inner, &w->flow);
	holder = flow_find(&w->inner);
	if (holder && !flow_owner_of(holder, &w->probe)) {
		__u32 age = w->now - holder->created + RACE_SECONDS; /* the clocks of two CPUs may differ */

		if (same_connection(holder, &w->flow) && age <= 2 * RACE_SECONDS) {
			w->flow = *holder;
			return 1;
		}
		flow_unclaim(&w->inner);
		holder = NULL;
	}
	/* conntrack met a direct connection before us, so for those its word says nothing */
	flow_request_key(&w->probe, &w->flow);
	if (!holder && !ends_are_one(&w->flow) && ((w->flow.flags & FLOW_DIRECT) || !conntrack_knows(skb, &w->probe)))
		err = flow_claim(&w->inner, &w->flow);
	if (err == -EEXIST)
		err = search_ports(skb, w, try_mapped_port);
	if (err)
		return err == -EAGAIN ? -DROP_REMAP_EXHAUSTED : -DROP_FLOW_TABLE_FULL;
	return 0;
}

/* Claims the tuple the backend answers to (clause E2). Returns 0 or a negative enum drop_reason. */
static __always_inline int claim_snat(struct __sk_buff *skb, struct work *w)
{
	int err = search_ports(skb, w, try_snat_port);

	if (err)
		return err == -EAGAIN ? -DROP_SNAT_EXHAUSTED : -DROP_FLOW_TABLE_FULL;
	return 0;
}

/*
 * Makes w->flow real: claims its tuples and writes its owner. SNAT goes before the inner tuple, so that a copy which
 * another CPU adopts from there is complete. On return w->flow is the record in force, which a race may have chosen
 * otherwise. Returns 0 for a new flow, 1 for an adopted one, or a negative enum drop_reason.
 */
static __noinline int flow_create(struct __sk_buff *skb, struct work *w)
{
	struct flow *winner;
	bool snat;
	int err;

	if (!w)
		return -DROP_FLOW_TABLE_FULL;
	snat = w->flow.flags & FLOW_SNAT;
	w->flow.role = FLOW_INDEX;
	if (snat) {
		err = claim_snat(skb, w);
		if (err)
			return err;
	}
	err = claim_inner(skb, w);
	if (err && snat)
		flow_unclaim(&w->snat);
	if (err < 0)
		return err;
	if (!err && snat && w->flow.mapped_port != w->flow.client_port)
		bpf_map_update_elem(&nascent, &w->snat, &w->flow, BPF_EXIST);

	w->flow.role = FLOW_OWNER;
	flow_owner_key(&w->owner, &w->flow);
	if (!flow_claim(&w->owner, &w->flow))
		return err;
	winner = flow_find(&w->owner);
	if (winner && flow_same(winner, &w->flow)) /* by who adopted it from here */
		return err;
	if (!err) {
		flow_unclaim(&w->inner);
		if (snat)
			flow_unclaim(&w->snat);
	}
	if (!winner || winner->role != FLOW_OWNER)
		return -DROP_FLOW_TABLE_FULL;
	w->flow = *winner;
	return 1;
}

static __always_inline int move_key(const struct flow_key *key, const struct flow *record)
{
	int err = bpf_map_update_elem(&flows, key, record, BPF_NOEXIST);

	return err == -EEXIST ? 0 : err;
}

/*
 * Both ends are there: the flow moves to where nothing is evicted, indexes first. Returns its owner there, or NULL when
 * the table is full; then the flow stays nascent and nothing of it is left in `flows`.
 */
static __noinline struct flow *flow_promote(struct work *w, const struct flow *owner)
{
	bool snat;

	if (!w || !owner)
		return NULL;
	w->flow = *owner;
	snat = w->flow.flags & FLOW_SNAT;
	flow_owner_key(&w->owner, &w->flow);
	flow_inner_key(&w->inner, &w->flow);
	flow_snat_key(&w->snat, &w->flow);
	w->flow.state |= FLOW_LASTING;
	w->flow.last_seen = w->now;
	w->flow.role = FLOW_INDEX;
	if (move_key(&w->inner, &w->flow))
		return NULL;
	if (snat && move_key(&w->snat, &w->flow))
		goto full;
	w->flow.role = FLOW_OWNER;
	if (move_key(&w->owner, &w->flow))
		goto full;
	bpf_map_delete_elem(&nascent, &w->inner);
	if (snat)
		bpf_map_delete_elem(&nascent, &w->snat);
	bpf_map_delete_elem(&nascent, &w->owner);
	return bpf_map_lookup_elem(&flows, &w->owner);
full:
	bpf_map_delete_elem(&flows, &w->inner);
	if (snat)
		bpf_map_delete_elem(&flows, &w->snat);
	return NULL;
}

/*
 * Forgets a flow that is over, because its client begins a new one on the same tuple. Its SNAT claim lingers from now
 * on: the backend may still be in TIME_WAIT.
 */
static __always_inline void flow_forget(struct work *w, const struct flow *over)
{
	struct flow *index;

	flow_owner_key(&w->owner, over);
	flow_inner_key(&w->inner, over);
	if (over->flags & FLOW_SNAT) {
		struct flow *claim;

		flow_snat_key(&w->snat, over);
		claim = flow_find(&w->snat);
		if (claim)
			claim->last_seen = w->now;
	}
	index = flow_find(&w->inner);
	if (index && flow_same(index, over)) /* after an eviction it may be another flow's */
		flow_unclaim(&w->inner);
	flow_unclaim(&w->owner);
}

/* Returns 0 when key stands for the flow of record, made again if it was gone; negative when it is another flow's. */
static __always_inline int restore_index(const struct flow_key *key, const struct flow *record)
{
	struct flow *holder = flow_find(key);
	int err;

	if (!holder) {
		err = flow_claim(key, record);
		if (err != -EEXIST)
			return err;
		holder = flow_find(key);
	}
	return holder && flow_same(holder, record) ? 0 : -EEXIST;
}

/*
 * Nascent records are evicted one by one: makes the indexes again that the flow has lost, or no reply would find it.
 * Returns 0, or negative when another flow holds its tuple now; then this one is over.
 */
static __noinline int flow_restore(struct work *w, const struct flow *owner)
{
	int err;

	if (!w || !owner || (owner->state & FLOW_LASTING))
		return 0;
	w->flow = *owner;
	w->flow.role = FLOW_INDEX;
	flow_inner_key(&w->inner, &w->flow);
	err = restore_index(&w->inner, &w->flow);
	if (err || !(w->flow.flags & FLOW_SNAT))
		return err;
	flow_snat_key(&w->snat, &w->flow);
	return restore_index(&w->snat, &w->flow);
}

#endif
