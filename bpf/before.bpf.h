/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * before.bpf.h: what is left of the layout before, while an agent takes over from one whose struct flow lay otherwise
 * in memory. Its programs are loaded for that alone (takes_over), and replaced once all is moved:
 *
 * 1. They come to every hook and hand each packet on to the program that was there (still_before).
 * 2. The agent stores their generation in `serving`: from that moment all hooks are theirs. What their tables do not
 *    have they look for in the old ones, record by record (flow_bring). What an old program may begin at that very
 *    moment, its packet under way, is found there as well; and both sides' claims are seen by both (flow_claim_before).
 * 3. migrate.bpf.c brings the rest.
 */
#ifndef PORTOLAN_BEFORE_BPF_H
#define PORTOLAN_BEFORE_BPF_H

#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include "config.bpf.h"
#include "maps.bpf.h"

#define NOWHERE 0xffff

/* Where the fields of struct flow stood: bytes from its beginning, or NOWHERE. */
#define PLACE(field) const volatile __u16 before_##field = NOWHERE;
FLOW_FIELDS(PLACE)

/* The tables of the layout before. Key sizes are as now; the agent puts the maps themselves in place of these. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows_before SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct flow_key);
	__type(value, struct flow);
} nascent_before SEC(".maps");

/* enum before_program -> the programs of the layout before. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, BEFORE_PROGRAMS);
	__type(key, __u32);
	__type(value, __u32);
} programs_before SEC(".maps");

/* One cell: which layout serves. The agent writes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct serving);
} serving SEC(".maps");

/* A record on its way, and its key. */
struct moving {
	struct flow flow;
	struct flow_key key;
};

/* Not pinned: of each load of each object alone. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct moving);
} moving SEC(".maps");

/* What a claim leaves in the old table: a record without a role, which old programs take for somebody's. */
static const __u8 claimed_after[FLOW_MAX_SIZE] = {};

/* The layout before is still in force: its programs are to be asked. */
static __always_inline bool still_before(void)
{
	__u32 zero = 0;
	struct serving *now = bpf_map_lookup_elem(&serving, &zero);

	return now && (__s32)(*(volatile __u32 *)&now->generation - generation) < 0;
}

/*
 * The global functions below are verified once, not per caller, and know nothing of where their key lies: Linux 6.1
 * takes no such pointer for a map's key. Callers' stacks have no room for another copy.
 */
static __always_inline struct moving *moving_here(const struct flow_key *key)
{
	__u32 zero = 0;
	struct moving *here = takes_over && key ? bpf_map_lookup_elem(&moving, &zero) : NULL;

	if (here)
		here->key = *key;
	return here;
}

/* Not a claim (claimed_after). */
static __always_inline bool stands(const void *record)
{
	return record && *(const __u8 *)(record + before_role);
}

static __always_inline void *record_before(const struct flow_key *key, bool *lasting)
{
	void *record = bpf_map_lookup_elem(&flows_before, key);

	*lasting = true;
	if (stands(record))
		return record;
	record = bpf_map_lookup_elem(&nascent_before, key);
	if (stands(record)) {
		*lasting = false;
		return record;
	}
	/* one that an old program promoted between the two looks */
	record = bpf_map_lookup_elem(&flows_before, key);
	return stands(record) ? record : NULL;
}

#define TAKE(field)                                                                                                    \
	if (before_##field != NOWHERE)                                                                                 \
		to->field = *(typeof(to->field) *)(from + before_##field);

/* Fields that are new are 0. */
static __always_inline void flow_translate(struct flow *to, const void *from)
{
	__builtin_memset(to, 0, sizeof(*to));
	FLOW_FIELDS(TAKE)
}

/* What became of a key that the new tables do not have. */
enum brought {
	BROUGHT_NOTHING = 0,
	BROUGHT = 1,
	BROUGHT_TO_NASCENT = 2, /* though it has lasted: `flows` has no room for it, or not now */
};

/*
 * Copies the record that the old tables have for key into the new table of the same name. Returns enum brought; the
 * first of all: there is no such flow, or no room for it anywhere.
 */
__noinline int flow_bring(const struct flow_key *key)
{
	struct moving *here = moving_here(key);
	bool lasting, still;
	void *from;
	long err;

	if (!here)
		return BROUGHT_NOTHING;
	from = record_before(&here->key, &lasting);
	if (!from)
		return BROUGHT_NOTHING;
	flow_translate(&here->flow, from);
	err = lasting ? bpf_map_update_elem(&flows, &here->key, &here->flow, BPF_NOEXIST) : -ENOENT;
	if (err == -EEXIST)
		return BROUGHT;
	if (err) {
		long placed = bpf_map_update_elem(&nascent, &here->key, &here->flow, BPF_NOEXIST);

		if (placed == -EEXIST)
			return lasting ? BROUGHT_TO_NASCENT : BROUGHT;
		if (placed)
			return BROUGHT_NOTHING;
	}
	if (record_before(&here->key, &still))
		return lasting && err ? BROUGHT_TO_NASCENT : BROUGHT;
	/* forgotten meanwhile, on another CPU: flow_unclaim() takes the old record first */
	if (err)
		bpf_map_delete_elem(&nascent, &here->key);
	else
		bpf_map_delete_elem(&flows, &here->key);
	return BROUGHT_NOTHING;
}

/*
 * Takes key in the old tables too, so that no old program takes it whose packet is under way while the hooks change
 * hands: those look into `flows` before and after they write to `nascent`. A claim that is there already is of our own
 * programs, among which `nascent` decides. Returns 0 or -EEXIST.
 */
__noinline int flow_claim_before(const struct flow_key *key)
{
	struct moving *here = moving_here(key);
	bool lasting;

	if (!here)
		return 0;
	bpf_map_update_elem(&flows_before, &here->key, claimed_after, BPF_NOEXIST); /* full: so is it to them */
	return record_before(&here->key, &lasting) ? -EEXIST : 0;
}

__noinline int flow_unclaim_before(const struct flow_key *key)
{
	struct moving *here = moving_here(key);

	if (!here)
		return 0;
	bpf_map_delete_elem(&nascent_before, &here->key);
	bpf_map_delete_elem(&flows_before, &here->key);
	return 0;
}

#endif
