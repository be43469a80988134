/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * standing.bpf.h: how the endpoint stands that a flow or a socket was sent to: whether it still serves its Service, and
 * whether a connection to it is over.
 */
#ifndef PORTOLAN_STANDING_BPF_H
#define PORTOLAN_STANDING_BPF_H

#include "select.bpf.h"

/* Looks for an endpoint in a block: as one of its backend ids, or as an address among its backends. */
struct block_search {
	__u32 first_row;
	__u32 found; /* the id it has there; 0: none */
	struct ip_addr addr;
	__u32 id;
	__be16 port;
};

static __always_inline bool backend_is(__u32 id, const struct ip_addr *addr, __be16 port)
{
	struct backend *backend = bpf_map_lookup_elem(&backends, &id);

	return backend && (backend->flags & BACKEND_LIVE) && backend->port == port && addr_equal(&backend->addr, addr);
}

/* Without a branch for each of the sixteen, which the verifier (6.18) would follow in all combinations. */
static long search_id(__u32 i, struct block_search *search)
{
	__u32 row = search->first_row + i;
	struct block_row *ids = bpf_map_lookup_elem(&members, &row);
	__u64 found = 0;

	if (!ids)
		return 1;
	for (int j = 0; j < IDS_PER_ROW; j++)
		found |= (__u64)(ids->ids.backend[j] ^ search->id) - 1; /* the highest bit: they were the same */
	if (!(found >> 63))
		return 0;
	search->found = search->id;
	return 1;
}

/* i counts ids, not rows: one comparison of addresses has branches enough. */
static long search_address(__u32 i, struct block_search *search)
{
	__u32 row = search->first_row + i / IDS_PER_ROW, id;
	struct block_row *ids = bpf_map_lookup_elem(&members, &row);

	if (!ids)
		return 1;
	id = ids->ids.backend[i & (IDS_PER_ROW - 1)];
	if (!id || !backend_is(id, &search->addr, search->port))
		return 0;
	search->found = id;
	return 1;
}

/*
 * Returns the id that the block at row has for the endpoint addr:port, in whatever set or beside them; 0: none. An
 * endpoint that begins to terminate, or changes zone, gets another id than the one a flow remembers (id): only then are
 * addresses compared. Global, so that it is verified once, not per caller.
 */
__noinline int block_find(__u32 row, __u32 id, const struct ip_addr *addr, __be16 port)
{
	struct block_row *block = bpf_map_lookup_elem(&members, &row);
	struct block_search search = {.first_row = row + 1, .id = id, .port = port};
	__u32 rows = block ? block->header.rows : 0;

	if (!addr || rows < 2)
		return 0;
	search.addr = *addr;
	if (id && backend_is(id, addr, port))
		bpf_loop(rows - 1, search_id, &search, 0);
	if (!search.found)
		bpf_loop((rows - 1) * IDS_PER_ROW, search_address, &search, 0);
	return search.found;
}

/* The endpoint a flow or a socket was sent to, as it remembers it. */
struct remembered {
	__u32 service;
	__u32 epoch; /* of the service word that the endpoint was last seen in */
	__u32 id;
	const struct ip_addr *addr;
	__be16 port;
};

/* Nothing of the service has changed since its word had this epoch. */
static __always_inline bool word_stands(__u32 service, __u32 epoch)
{
	struct service_word *word = bpf_map_lookup_elem(&services, &service);

	return word && *(volatile __u32 *)&word->epoch == epoch;
}

/*
 * Whether an endpoint still serves its Service, wherever policy, topology or its termination leave it (row 58): nothing
 * to ask while the service's word is the same. Brings epoch and id up to date.
 */
static __always_inline bool still_serves(struct remembered *endpoint)
{
	struct service_word *word = bpf_map_lookup_elem(&services, &endpoint->service);
	__u32 epoch, id;

	if (!word)
		return false;
	epoch = *(volatile __u32 *)&word->epoch; /* before the row: a change in between is noticed later */
	if (endpoint->epoch == epoch)
		return true;
	id = block_find(*(volatile __u32 *)&word->row, endpoint->id, endpoint->addr, endpoint->port);
	if (!id)
		return false;
	endpoint->epoch = epoch;
	endpoint->id = id;
	return true;
}

/*
 * Whether a TCP connection is over because its Service wants it ended with its endpoint (row 61 by option). service: to
 * which the connection's VIP belongs now; another one, or one made anew, be it with the same id, has never named the
 * endpoint and says nothing of it, nor does the same one of connections from before the option. Brings epoch and id up
 * to date, of such as the option covers.
 */
static __always_inline bool connection_ends(struct remembered *endpoint, __u32 service)
{
	const struct frontend frontend = {.service = service};
	__u32 row = 0, epoch = 0, id;
	struct block_row *block;

	if (!service || service != endpoint->service)
		return false;
	block = block_of(&frontend, &row, &epoch);
	if (!block || !(block->header.flags & BLOCK_ENDS_CONNECTIONS) || epoch == endpoint->epoch ||
	    (__s32)(endpoint->epoch - block->header.ends_epoch) < 0)
		return false;
	id = block_find(row, endpoint->id, endpoint->addr, endpoint->port);
	if (!id)
		return true;
	endpoint->epoch = epoch;
	endpoint->id = id;
	return false;
}

#endif
