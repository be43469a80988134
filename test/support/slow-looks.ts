// SPDX-License-Identifier: Apache-2.0
// flow_find() as an interrupt or a hypervisor makes it now and then: between its looks at one table and at the other,
// another CPU gets far.

import type { Mutation } from "./mutant.ts";

export const SLOW_LOOKS: Mutation = {
  file: "flow.bpf.h",
  from: `static __always_inline struct flow *flow_look(const struct flow_key *key)
{
	struct flow *f = bpf_map_lookup_elem(&flows, key);

`,
  to: `__noinline int dally(void)
{
	__u64 sum = 0;

	for (int i = 0; i < 100; i++)
		sum += bpf_ktime_get_ns();
	return sum != 0;
}

static __always_inline struct flow *flow_look(const struct flow_key *key)
{
	struct flow *f = bpf_map_lookup_elem(&flows, key);

	if (!f)
		dally();
`,
};

/** What stands behind it, to the end of the function. */
export const SECOND_LOOK = `	if (!f)
		f = bpf_map_lookup_elem(&nascent, key);
	/* one that another CPU promoted after the first look and before the second stands in flows by then */
	return f ? f : bpf_map_lookup_elem(&flows, key);
`;
