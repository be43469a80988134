/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sweep.bpf.c: deletes what has expired from the flow tables, in the kernel, so that the agent never drags them through
 * user space. Run it with BPF_PROG_TEST_RUN, struct sweep_report as context in and out.
 *
 * Packets go on meanwhile. An owner goes only if nobody has touched it since it was judged, and before its indexes: a
 * packet then begins a new flow, rather than finding one whose replies nobody knows. An index goes only if it still
 * belongs to the flow that was judged. What slips through between a look and a delete is an index without an owner,
 * which no packet trusts and the next run takes.
 */
#include "flow.bpf.h"

/* Seconds an index may be without its owner: a flow is made and moved indexes first. */
#define ORPHAN_SECONDS 5

static __always_inline bool older_than(__u32 then, __u32 seconds, __u32 now)
{
	return (__s32)(now - then) > (__s32)seconds;
}

static __always_inline __u32 delete_index(void *table, const struct flow_key *key, const struct flow *owner)
{
	struct flow *index = bpf_map_lookup_elem(table, key);

	if (!index || index->role != FLOW_INDEX || !flow_same(index, owner))
		return 0;
	return bpf_map_delete_elem(table, key) == 0;
}

static __always_inline __u32 delete_indexes(void *table, const struct flow *owner)
{
	struct flow_key key;
	__u32 deleted;

	flow_inner_key(&key, owner);
	deleted = delete_index(table, &key, owner);
	if (owner->flags & FLOW_SNAT) {
		flow_snat_key(&key, owner);
		deleted += delete_index(table, &key, owner);
	}
	return deleted;
}

/* A SNAT port rests after its flow was forgotten: the backend may still hold the connection in TIME_WAIT. */
static __always_inline bool orphan_expired(const struct flow_key *key, const struct flow *index, __u32 now)
{
	if (!older_than(index->created, ORPHAN_SECONDS, now))
		return false;
	return key->space == SPACE_INNER || older_than(index->last_seen, timeout_tcp_closed, now);
}

static __always_inline void sweep_record(void *table, struct flow_key *at, struct flow *live,
					 struct sweep_report *report)
{
	struct flow_key key = *at;
	struct flow record = *live; /* its memory may be another record's once it is deleted */
	__u32 now = now_seconds();

	report->scanned++;
	if (record.role == FLOW_INDEX) {
		struct flow_key owner;

		if (orphan_expired(&key, &record, now) && !flow_owner_of(&record, &owner) &&
		    !bpf_map_delete_elem(table, &key))
			report->indexes_deleted++;
		return;
	}
	if (!flow_expired(&record, now) || *(volatile __u32 *)&live->last_seen != record.last_seen) {
		if (record.role == FLOW_OWNER) {
			report->owners++;
			report->snat += (record.flags & FLOW_SNAT) != 0;
		}
		return;
	}
	if (bpf_map_delete_elem(table, &key))
		return;
	report->owners_deleted++;
	if (record.role == FLOW_OWNER)
		report->indexes_deleted += delete_indexes(table, &record);
}

static long sweep_answered(void *table, struct flow_key *key, struct flow *flow, struct sweep_report *report)
{
	sweep_record(&flows, key, flow, report);
	return 0;
}

static long sweep_nascent(void *table, struct flow_key *key, struct flow *flow, struct sweep_report *report)
{
	report->nascent++;
	sweep_record(&nascent, key, flow, report);
	return 0;
}

SEC("syscall")
int pt_sweep(struct sweep_report *ctx)
{
	struct sweep_report report = {};
	long seen = bpf_for_each_map_elem(&flows, sweep_answered, &report, 0);

	if (seen >= 0)
		seen = bpf_for_each_map_elem(&nascent, sweep_nascent, &report, 0);
	if (seen < 0)
		report.failed = -seen;
	*ctx = report;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
