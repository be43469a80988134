/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * migrate.bpf.c: brings what is left in the flow tables of the layout before (before.bpf.h), in the kernel, while
 * packets go on. Run it with BPF_PROG_TEST_RUN, struct migration as context out.
 */
#include "flow.bpf.h"

static long bring_record(void *table, struct flow_key *at, void *record, struct migration *done)
{
	struct flow_key key = *at;
	int brought;

	done->records++;
	if (flow_look(&key))
		return 0;
	brought = flow_bring(&key);
	if (brought < 0) {
		done->failed++;
		done->error = -brought;
	}
	return 0;
}

SEC("syscall")
int pt_migrate(struct migration *ctx)
{
	struct migration done = {};
	long walked = bpf_for_each_map_elem(&flows_before, bring_record, &done, 0);

	if (walked >= 0)
		walked = bpf_for_each_map_elem(&nascent_before, bring_record, &done, 0);
	if (walked < 0)
		done.error = -walked;
	*ctx = done;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
