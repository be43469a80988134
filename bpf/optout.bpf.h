/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * optout.bpf.h: whose sockets are left alone, so that the VIP stays on the wire: pods whose annotation says so. The
 * agent names them by their cgroup, with all that is below it, or by their network namespace.
 */
#ifndef PORTOLAN_OPTOUT_BPF_H
#define PORTOLAN_OPTOUT_BPF_H

#include "maps.bpf.h"

static __always_inline bool is_opted_out(__u64 id, __u32 level)
{
	struct opt_out_key key = {.id = id, .level = level};

	return bpf_map_lookup_elem(&opted_out, &key);
}

/*
 * Whether the calling process is such a pod's. Never one in the host's network namespace, where no tc program would
 * serve its packets. datagram: of a socket that is not connected; which may have gone to an endpoint that a kube-proxy
 * chose, and only netfilter knows: while that may be, all go by the wire, where it is asked. While IPVS is there, all
 * sockets do: it takes an answer for one to a connection that it remembers of the same two ends, and only on the wire
 * such a connection gets another port (clause E1). One test where no pod asks
 * for it, else a look at each level that a pod's cgroup is on. Global, so that it is verified once, not for each way
 * that leads to it: a quarter of all that the verifier does for sendmsg.
 */
__noinline int opted_out_socket(enum client_kind who, __u64 netns, bool datagram)
{
	__u32 zero = 0;
	struct opt_out_levels *in_use = bpf_map_lookup_elem(&opted_out_at, &zero);

	if (!in_use || !in_use->bits || who == CLIENT_HOST)
		return 0;
	if (datagram && in_use->bits & 1ULL << OPT_OUT_DATAGRAMS)
		return 1;
	if (in_use->bits & 1ULL << OPT_OUT_SOCKETS)
		return 1;
	if (in_use->bits & 1 << OPT_OUT_NETNS && is_opted_out(netns, OPT_OUT_NETNS))
		return 1;
	for (int level = 1; level < OPT_OUT_LEVELS; level++) {
		if (in_use->bits & 1 << level && is_opted_out(bpf_get_current_ancestor_cgroup_id(level), level))
			return 1;
	}
	return 0;
}

#endif
