/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* endpoint.bpf.h: endpoints of a set by their position. */
#ifndef PORTOLAN_ENDPOINT_BPF_H
#define PORTOLAN_ENDPOINT_BPF_H

#include "maps.bpf.h"

/*
 * The endpoint at a position of the set whose ids begin at first_row of members, and its id; NULL when the block is not
 * in force any more.
 */
static __always_inline struct backend *endpoint_at(__u32 first_row, __u32 position, __u32 *id)
{
	__u32 row = first_row + position / IDS_PER_ROW;
	struct block_row *ids = bpf_map_lookup_elem(&members, &row);
	struct backend *backend;

	if (!ids)
		return NULL;
	*id = ids->ids.backend[position & (IDS_PER_ROW - 1)];
	backend = bpf_map_lookup_elem(&backends, id);
	return backend && (backend->flags & BACKEND_LIVE) ? backend : NULL;
}

#endif
