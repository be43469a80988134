/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fragment.bpf.h: the ports of fragments (clause E7). Both hooks see fragments: netfilter puts datagrams together only
 * between them, and only where something asks it to track, and the stack takes them apart again on the way out.
 */
#ifndef PORTOLAN_FRAGMENT_BPF_H
#define PORTOLAN_FRAGMENT_BPF_H

#include "maps.bpf.h"
#include "packet.bpf.h"

/*
 * The first fragment leaves its ports and length here, later ones take them. Returns 0, or NOT_OURS for a fragment that
 * overtook its first. That one passes: it may be anybody's, this host's as well, and a drop would cost all of them
 * their datagrams; what it leaves of one of ours nobody can put together.
 */
static __noinline int fragment_ports(struct packet *p, enum flow_space space)
{
	struct first_fragment *known, first = {};
	struct fragment_key key = {};

	if (!p)
		return NOT_OURS;
	key.src = p->src;
	key.dst = p->dst;
	key.id = p->fragment_id;
	key.proto = p->proto;
	key.space = space;
	if (!p->later) {
		first.sport = p->sport;
		first.dport = p->dport;
		first.length = p->end - p->l3;
		if (!dry_run)
			bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
		return 0;
	}
	known = bpf_map_lookup_elem(&fragments, &key);
	if (!known)
		return NOT_OURS;
	p->sport = known->sport;
	p->dport = known->dport;
	p->first_length = known->length;
	return 0;
}

#endif
