/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * select.bpf.h: from a destination to the backend a new connection goes to. The same functions serve sockets, tc and
 * explain, so that all of them choose alike.
 */
#ifndef PORTOLAN_SELECT_BPF_H
#define PORTOLAN_SELECT_BPF_H

#include "affinity.bpf.h"
#include "frontend.bpf.h"

#include <stdbool.h>

struct choice {
	__u32 service;
	__u32 backend;
	__u32 epoch;    /* of the service word */
	__u32 row;      /* of the block's header */
	__u32 position; /* in its set */
	struct ip_addr addr;
	__be16 port;
	__u8 kind;       /* enum frontend_kind */
	bool masquerade; /* on the wire the backend must not see the client */
	bool local_set;
	__u8 affinity; /* enum affinity_part */
	bool ends;     /* with its endpoint: BLOCK_ENDS_CONNECTIONS */
	bool affine;   /* the client's last endpoint comes first */
};

/* Neither a process of the host nor a pod, as far as anybody can tell. */
static __always_inline bool is_outsider(enum client_kind who)
{
	return who == CLIENT_OUTSIDE || who == CLIENT_UNTOLD;
}

/* Position in the set for a connection: from the consistent table where it counts, else uniformly random. */
static __always_inline __u32 choose_position(const struct block_header *block, const struct endpoint_set *set,
					     enum client_kind who, __u32 hash)
{
	bool table =
	    block->scheduler == SCHEDULER_MAGLEV || (block->scheduler == SCHEDULER_DEFAULT && is_outsider(who));

	if (table && set->table_row && set->table_size) {
		__u32 slot = hash % set->table_size;
		__u32 row = set->table_row + slot / SLOTS_PER_ROW;
		struct table_row *cells = bpf_map_lookup_elem(&tables, &row);

		if (cells)
			return cells->slot[slot & (SLOTS_PER_ROW - 1)];
	}
	return ((__u64)bpf_get_prandom_u32() * set->count) >> 32;
}

/* kube-proxy rows 34-37, 39; a hairpin is always masqueraded. */
static __always_inline bool must_masquerade(const struct block_header *block, __u8 kind, enum client_kind who)
{
	if (kind == FRONTEND_CLUSTER_IP) {
		if (masquerade_all)
			return true;
		return who == CLIENT_HOST || who == CLIENT_OUTSIDE;
	}
	if (block->flags & BLOCK_EXTERNAL_LOCAL)
		return who == CLIENT_HOST;
	return true;
}

/* The block in force of a frontend's service and the row of its header, or NULL. */
static __always_inline struct block_row *block_of(const struct frontend *frontend, __u32 *row, __u32 *epoch)
{
	__u32 service = frontend->service;
	struct service_word *word = bpf_map_lookup_elem(&services, &service);

	if (!word)
		return NULL;
	*epoch = *(volatile __u32 *)&word->epoch; /* before the row: a change in between is noticed later */
	*row = *(volatile __u32 *)&word->row;
	return *row ? bpf_map_lookup_elem(&members, row) : NULL;
}

static __always_inline bool asks_for_source(const struct block_header *block, __u8 kind)
{
	return block->source_kinds & (1 << (kind & 7));
}

/* In a frame of its own: the chains that choose a backend have none to spare. */
static __noinline int in_source_set(__u32 set, const struct ip_addr *source)
{
	struct source_key key = {.prefix_length = SOURCE_SET_BITS + 128, .set = set};
	struct source_verdict *verdict;

	if (!source)
		return 0;
	key.addr = *source;
	verdict = bpf_map_lookup_elem(&source_ranges, &key);
	return verdict && verdict->admit;
}

/*
 * Whether a frontend of this kind serves a client at source (row 44): asked before anything else, so that whom it does
 * not serve learns nothing of its endpoints. Only the node's own processes may leave source unspecified.
 */
static __always_inline bool admits(const struct block_header *block, __u8 kind, const struct ip_addr *source,
				   enum client_kind who)
{
	if (!asks_for_source(block, kind))
		return true;
	if (who != CLIENT_HOST && addr_is_unspecified(source))
		return false;
	return in_source_set(block->source_set, source);
}

static __always_inline void set_backend(struct choice *chosen, __u32 id, const struct backend *backend)
{
	chosen->backend = id;
	chosen->addr = backend->addr;
	chosen->port = backend->port;
}

/*
 * choose_backend() but for session affinity. Global, so that it is verified once, not for each way that leads to it,
 * which was most of what the verifier did for a socket hook. So are others that ask no map by memory of their
 * callers: 6.1 does not let a global function do that.
 */
__noinline int offer_backend(const struct frontend *frontend, const struct client *client, __u32 hash,
			     struct choice *chosen)
{
	const struct endpoint_set *set;
	struct block_row *block;
	struct backend *backend;
	__u32 row = 0, id;

	if (!frontend || !client || !chosen)
		return -DROP_STALE_SERVICE;
	chosen->service = frontend->service;
	chosen->kind = frontend->kind;
	block = block_of(frontend, &row, &chosen->epoch);
	if (!block)
		return -DROP_STALE_SERVICE;
	if (!admits(&block->header, chosen->kind, &client->source, client->kind))
		return -DROP_SOURCE_RANGE;

	chosen->local_set = chosen->kind == FRONTEND_CLUSTER_IP
				? (block->header.flags & BLOCK_INTERNAL_LOCAL)
				: (block->header.flags & BLOCK_EXTERNAL_LOCAL) && is_outsider(client->kind);
	set = chosen->local_set ? &block->header.local : &block->header.cluster;
	if (!set->count)
		return block->header.flags & BLOCK_HAS_ENDPOINTS ? -DROP_NO_LOCAL_ENDPOINTS : -DROP_NO_ENDPOINTS;

	chosen->row = row;
	chosen->position = choose_position(&block->header, set, client->kind, hash);
	backend = endpoint_at(row + set->first_row, chosen->position, &id);
	if (!backend)
		return -DROP_STALE_SERVICE;
	set_backend(chosen, id, backend);
	chosen->masquerade = must_masquerade(&block->header, chosen->kind, client->kind);
	chosen->ends = block->header.flags & BLOCK_ENDS_CONNECTIONS;
	chosen->affine = block->header.affinity_timeout != 0;
	return 0;
}

/*
 * The endpoint that the client has takes the place of the one that was offered. Apart from that offer, and not below
 * it: a chain of calls has 512 bytes of stack. Returns enum affinity_part.
 */
__noinline int keep_endpoint(const struct client *client, struct choice *chosen)
{
	struct affinity_search search = {};
	const struct endpoint_set *set;
	struct affinity_key key = {};
	struct block_row *block;
	struct backend *backend;
	enum affinity_part part;
	__u32 row, id;

	if (!client || !chosen)
		return AFFINITY_NONE;
	row = chosen->row;
	block = bpf_map_lookup_elem(&members, &row);
	if (!block)
		return AFFINITY_NONE;
	set = chosen->local_set ? &block->header.local : &block->header.cluster;
	key.service = chosen->service;
	identify(client, &key);
	search.first_row = row + set->first_row;
	search.count = set->count;
	search.timeout = block->header.affinity_timeout;
	search.position = chosen->position;
	search.memory.epoch = block->header.affinity_epoch;
	part = affinity_keep(&key, &search);
	backend = endpoint_at(search.first_row, search.position, &id);
	if (part == AFFINITY_KEPT && backend)
		set_backend(chosen, id, backend);
	return part;
}

/*
 * Chooses a backend for a new connection through frontend. hash decides with a Maglev table; hash_flow() makes it the
 * same on every node. client->source is asked where the frontend does not serve everybody. Returns 0 and fills chosen,
 * or a negative enum drop_reason; chosen->service and ->kind are valid in both cases.
 */
static __always_inline int choose_backend(const struct frontend *frontend, const struct client *client, __u32 hash,
					  struct choice *chosen)
{
	int err = offer_backend(frontend, client, hash, chosen);

	if (!err && chosen->affine)
		chosen->affinity = keep_endpoint(client, chosen);
	return err;
}

static __always_inline void count_connection(__u32 service, __u32 backend)
{
	struct service_stats *of_service = bpf_map_lookup_elem(&service_stats, &service);
	struct backend_stats *of_backend = bpf_map_lookup_elem(&backend_stats, &backend);

	if (of_service)
		count(&of_service->connections, 1);
	if (of_backend)
		count(&of_backend->connections, 1);
}

/* service 0: none is to blame. */
static __always_inline void count_refusal(__u32 service, __u32 reason)
{
	struct service_stats *stats = service ? bpf_map_lookup_elem(&service_stats, &service) : NULL;

	if (stats)
		count(&stats->rejects, 1);
	count_drop(reason);
}

#endif
