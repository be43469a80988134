/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* explain.bpf.h: in a dry run the packet path writes what it decided into one cell; otherwise this compiles to nothing.
 */
#ifndef PORTOLAN_EXPLAIN_BPF_H
#define PORTOLAN_EXPLAIN_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "maps.bpf.h"
#include "client.bpf.h"
#include "select.bpf.h"

static __always_inline struct explanation *explanation(void)
{
	__u32 zero = 0;

	return dry_run ? bpf_map_lookup_elem(&explained, &zero) : NULL;
}

static __always_inline void explain_client(const struct device *device, const struct ip_addr *src)
{
	struct explanation *out = explanation();

	if (out)
		out->client = client_kind(device, src);
}

static __always_inline void explain_choice(__u32 verdict, __u32 reason, const struct choice *chosen, bool masquerade)
{
	struct explanation *out = explanation();

	if (!out)
		return;
	out->verdict = verdict;
	out->reason = reason;
	out->service = chosen->service;
	out->backend = chosen->backend;
	out->kind = chosen->kind;
	out->local_set = chosen->local_set;
	out->affinity = chosen->affinity;
	out->masquerade = masquerade;
	out->existing = 0;
	out->backend_addr = chosen->addr;
	out->backend_port = chosen->port;
}

static __always_inline void explain_refusal(__u32 verdict, __u32 reason, __u32 service)
{
	struct explanation *out = explanation();

	if (!out)
		return;
	out->verdict = verdict;
	out->reason = reason;
	out->service = service;
}

static __always_inline void explain_flow(const struct flow *owner)
{
	struct explanation *out = explanation();

	if (!out)
		return;
	out->verdict = VERDICT_DNAT;
	out->service = owner->service;
	out->backend = owner->backend_id;
	out->masquerade = (owner->flags & FLOW_SNAT) != 0;
	out->existing = 1;
	out->backend_addr = owner->backend;
	out->backend_port = owner->backend_port;
}

#endif
