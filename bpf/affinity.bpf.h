/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * affinity.bpf.h: session affinity ClientIP (kube-proxy rows 51, 52, 56): a client's next connection to a service port,
 * through whichever frontend, goes to the endpoint of its last one, as long as that is in the set in force for it.
 */
#ifndef PORTOLAN_AFFINITY_BPF_H
#define PORTOLAN_AFFINITY_BPF_H

#include <linux/errno.h>
#include "addr.bpf.h"
#include "clock.bpf.h"
#include "config.bpf.h"
#include "endpoint.bpf.h"

/* Positions tried for the endpoint a client had, nearest to where it stood first. */
#define SEARCHED_POSITIONS 4096

/* A client's question to one set of endpoints. */
struct affinity_search {
	__u32 first_row; /* of the set's ids, in members */
	__u32 count;
	__u32 timeout;
	__u32 position;         /* offered, then the endpoint's */
	__u32 found;            /* 1: memory's endpoint is in the set */
	struct affinity memory; /* what is sought, or to be remembered; .epoch is the set's */
};

/* Who makes a new connection, as far as the choice of its backend asks. */
struct client {
	enum client_kind kind;
	struct ip_addr source; /* before any translation; of a socket what it is bound to, else unspecified */
	__u64 netns;           /* cookie, of a socket; of a packet 0 */
};

/* Cookie of the network namespace whose sockets were seen to use an address, or 0. */
static __always_inline __u64 netns_at(const struct ip_addr *addr)
{
	struct client_netns *netns = bpf_map_lookup_elem(&client_netns, addr);

	return netns ? netns->cookie : 0;
}

/*
 * A pod's sockets and its packets are one client: its network namespace, by the address that its sockets were seen to
 * use. Every other client on the wire is its address.
 */
static __always_inline void identify(const struct client *client, struct affinity_key *key)
{
	if (!client->netns)
		key->client = client->source;
	key->netns = client->netns ? client->netns : netns_at(&key->client);
	if (key->netns)
		__builtin_memset(&key->client, 0, sizeof(key->client));
}

/* i-th of all positions by their distance from where the endpoint stood, on a ring. */
static long try_position(__u32 i, struct affinity_search **walk)
{
	struct affinity_search *search = *walk;
	__u32 from = search->memory.position, step = (i + 1) / 2;
	__u32 position = i & 1 ? from + step : from + search->count - step;
	struct backend *backend;
	__u32 id;

	if (position >= search->count)
		position -= search->count;
	backend = endpoint_at(search->first_row, position, &id);
	if (!backend || backend->port != search->memory.port || !addr_equal(&backend->addr, &search->memory.backend))
		return 0;
	search->position = position;
	search->found = 1;
	return 1;
}

/*
 * Whether the client has an endpoint that counts: one of the set in force for it. Then search->position is the
 * endpoint's, and the timeout begins anew.
 */
static __noinline bool affinity_recall(struct affinity *known, struct affinity_search *search)
{
	__u32 now = now_seconds();
	__u32 last;

	if (!known || !search || !search->count)
		return false;
	if (known->epoch != search->memory.epoch || (__s32)(now - known->last_used) > (__s32)search->timeout)
		return false;
	last = search->count - 1;
	search->memory.backend = known->backend;
	search->memory.port = known->port;
	search->memory.position = known->position < last ? known->position : last;
	search->found = 0;
	bpf_loop(last < SEARCHED_POSITIONS ? last + 1 : SEARCHED_POSITIONS, try_position, &search, 0);
	if (!search->found)
		return false;
	if (!dry_run) {
		known->position = search->position;
		known->last_used = now;
	}
	return true;
}

/*
 * Leaves in search->position the endpoint that the client keeps to: if it has none in this set, the one offered there,
 * and from now on that. Connections that begin at the same moment on several CPUs agree on the first one's, unless they
 * replace an endpoint that is gone.
 */
static __always_inline enum affinity_part affinity_keep(const struct affinity_key *key, struct affinity_search *search)
{
	struct affinity *known = bpf_map_lookup_elem(&affinity, key);
	struct backend *backend;
	__u32 id;

	if (affinity_recall(known, search))
		return AFFINITY_KEPT;
	backend = endpoint_at(search->first_row, search->position, &id);
	if (!backend || dry_run)
		return AFFINITY_BEGUN;
	search->memory.backend = backend->addr;
	search->memory.port = backend->port;
	search->memory.position = search->position;
	search->memory.last_used = now_seconds();
	if (bpf_map_update_elem(&affinity, key, &search->memory, known ? BPF_ANY : BPF_NOEXIST) != -EEXIST)
		return AFFINITY_BEGUN;
	known = bpf_map_lookup_elem(&affinity, key);
	return affinity_recall(known, search) ? AFFINITY_KEPT : AFFINITY_BEGUN;
}

#endif
