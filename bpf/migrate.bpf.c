/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * migrate.bpf.c: brings what is left in the flow tables of the layout before (before.bpf.h), in the kernel, while
 * packets go on. Run it with BPF_PROG_TEST_RUN, struct migration as context out, an RCU period after the hooks have
 * changed hands. If all is brought, the old tables are empty in the end: nothing of theirs comes back later.
 */
#include "flow.bpf.h"

static long bring_lasting(void *table, struct flow_key *at, void *record, struct migration *done)
{
	struct flow_key key = *at;

	done->records++;
	if (bpf_map_lookup_elem(&flows, &key) || flow_bring(&key) != BROUGHT_TO_NASCENT)
		return 0;
	done->failed++;
	done->error = E2BIG;
	return 0;
}

static long bring_nascent(void *table, struct flow_key *at, void *record, struct migration *done)
{
	struct flow_key key = *at;

	done->records++;
	if (!flow_look(&key))
		flow_bring(&key);
	return 0;
}

/*
 * Not before all is brought: flow_bring() takes a record that goes meanwhile for a flow that was forgotten. The walk
 * may have missed one, for others are deleted: it is brought now.
 */
static long delete_record(void *table, struct flow_key *at, void *record, void *unused)
{
	struct flow_key key = *at;

	if (!flow_look(&key))
		flow_bring(&key);
	flow_unclaim_before(&key);
	return 0;
}

SEC("syscall")
int pt_migrate(struct migration *ctx)
{
	struct migration done = {};
	long walked = bpf_for_each_map_elem(&flows_before, bring_lasting, &done, 0);

	if (walked >= 0)
		walked = bpf_for_each_map_elem(&nascent_before, bring_nascent, &done, 0);
	if (walked < 0)
		done.error = -walked;
	if (!done.error) {
		bpf_for_each_map_elem(&flows_before, delete_record, NULL, 0);
		bpf_for_each_map_elem(&nascent_before, delete_record, NULL, 0);
	}
	*ctx = done;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
