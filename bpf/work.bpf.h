/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * work.bpf.h: what one packet needs while it is handled. A chain of calls has 512 bytes of stack and a flow with its
 * keys is larger, so they live in a per-CPU cell. tc programs run with bottom halves off and do not
 * nest, but for send_in_order().
 */
#ifndef PORTOLAN_WORK_BPF_H
#define PORTOLAN_WORK_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "abi.h"
#include "affinity.bpf.h"
#include "packet.bpf.h"

#define QUOTE_MAX 128 /* IP header with options or extension headers, and 20 bytes behind it */

struct work {
	struct packet packet;
	struct flow_key tuple; /* the packet's, as it arrived */
	struct flow_key inner; /* keys of .flow */
	struct flow_key snat;
	struct flow_key owner;
	struct flow_key probe; /* lookups in passing */
	struct client client;
	struct flow flow;      /* under construction, or on the move */
	__u8 quote[QUOTE_MAX]; /* headers an ICMP error quotes */
	__u32 now;             /* seconds since boot */
	__u64 replies_due;     /* ns since boot up to which this CPU's replies have used up their rate; kept */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct work);
} work SEC(".maps");

#define REPLY_SOURCES 1024

/* Hash of a sender's address -> replies_due of this CPU's replies to such senders. Not pinned. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REPLY_SOURCES);
	__type(key, __u32);
	__type(value, __u64);
} reply_sources SEC(".maps");

static __always_inline struct work *work_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&work, &zero);
}

#endif
