/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* conntrack.bpf.h: does netfilter hold a tuple we are about to claim? */
#ifndef PORTOLAN_CONNTRACK_BPF_H
#define PORTOLAN_CONNTRACK_BPF_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include "addr.bpf.h"
#include "config.bpf.h"
#include "socket_table.bpf.h"

/* Kernel types of the conntrack kfuncs (net/netfilter/nf_conntrack_bpf.c, kernel 5.18). */
struct nf_conn {
	unsigned long status; /* bits of enum ip_conntrack_status (the kernel's nf_conntrack_common.h) */
} __attribute__((preserve_access_index));

#define CT_EXPECTED (1 << 0)   /* IPS_EXPECTED: it comes of another connection */
#define CT_SEEN_REPLY (1 << 1) /* IPS_SEEN_REPLY: both ends have spoken */

struct bpf_ct_opts {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u16 ct_zone_id;
	__u8 ct_zone_dir;
	__u8 reserved[3];
};

/* Weak, and called only if the agent's probe found them: without conntrack in the kernel nothing is tracked. */
extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *, struct bpf_sock_tuple *, __u32, struct bpf_ct_opts *,
					 __u32)
__ksym __weak;
extern void bpf_ct_release(struct nf_conn *) __ksym __weak;

#define BPF_CT_OPTS_SIZE 12 /* the size every kernel with the kfunc takes */

enum tracked {
	TRACKED_NOT, /* nor is anything known of who tracks nothing */
	TRACKED_NEW, /* what "ct state new" means: one end alone has spoken */
	TRACKED_ON,  /* established, or related */
};

/*
 * What netfilter knows of a connection with this tuple, in either direction: enum tracked. It answers for TCP and UDP
 * only (-EPROTO): of SCTP nothing is known.
 */
__noinline int conntrack_state(struct __sk_buff *skb, const struct flow_key *packet)
{
	struct bpf_ct_opts opts = {.netns_id = -1 /* of this packet */};
	struct bpf_sock_tuple tuple = {};
	struct nf_conn *ct;
	int state;

	if (!packet || !has_conntrack)
		return TRACKED_NOT;
	opts.l4proto = packet->proto;
	/* a constant size for each call: the kfunc wants one */
	if (socket_tuple(&tuple, packet) == sizeof(tuple.ipv4))
		ct = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv4), &opts, BPF_CT_OPTS_SIZE);
	else
		ct = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv6), &opts, BPF_CT_OPTS_SIZE);
	if (!ct)
		return TRACKED_NOT;
	state = ct->status & (CT_EXPECTED | CT_SEEN_REPLY) ? TRACKED_ON : TRACKED_NEW;
	bpf_ct_release(ct);
	return state;
}

static __always_inline bool conntrack_knows(struct __sk_buff *skb, const struct flow_key *packet)
{
	return conntrack_state(skb, packet) != TRACKED_NOT;
}

#endif
