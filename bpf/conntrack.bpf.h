/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* conntrack.bpf.h: does netfilter hold a tuple we are about to claim, and where does it lead what it translates? */
#ifndef PORTOLAN_CONNTRACK_BPF_H
#define PORTOLAN_CONNTRACK_BPF_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include "addr.bpf.h"
#include "config.bpf.h"
#include "socket_table.bpf.h"

/* Kernel types of the conntrack kfuncs (net/netfilter/nf_conntrack_bpf.c, kernel 5.18). */
union nf_inet_addr {
	__be32 ip6[4];
	__be32 ip;
} __attribute__((preserve_access_index));

union nf_conntrack_man_proto {
	__be16 all;
} __attribute__((preserve_access_index));

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union nf_conntrack_man_proto u;
} __attribute__((preserve_access_index));

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
} __attribute__((preserve_access_index));

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
} __attribute__((preserve_access_index));

struct nf_conn {
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status; /* bits of enum ip_conntrack_status (the kernel's nf_conntrack_common.h) */
} __attribute__((preserve_access_index));

#define CT_EXPECTED (1 << 0)   /* IPS_EXPECTED: it comes of another connection */
#define CT_SEEN_REPLY (1 << 1) /* IPS_SEEN_REPLY: both ends have spoken */
#define CT_REPLY 1             /* IP_CT_DIR_REPLY */

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

static __always_inline struct nf_conn *conntrack_find(struct __sk_buff *skb, const struct flow_key *packet,
						      struct bpf_ct_opts *opts)
{
	struct bpf_sock_tuple tuple = {};

	*opts = (struct bpf_ct_opts){.netns_id = -1 /* of this packet */, .l4proto = packet->proto};
	/* a constant size for each call: the kfunc wants one */
	if (socket_tuple(&tuple, packet) == sizeof(tuple.ipv4))
		return bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv4), opts, BPF_CT_OPTS_SIZE);
	return bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv6), opts, BPF_CT_OPTS_SIZE);
}

/*
 * What netfilter knows of a connection with this tuple, in either direction: enum tracked. It answers for TCP and UDP
 * only (-EPROTO): of SCTP nothing is known.
 */
__noinline int conntrack_state(struct __sk_buff *skb, const struct flow_key *packet)
{
	struct bpf_ct_opts opts;
	struct nf_conn *ct;
	int state;

	if (!packet || !has_conntrack)
		return TRACKED_NOT;
	ct = conntrack_find(skb, packet, &opts);
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

enum led {
	LED_NOWHERE = 0, /* unknown, or not translated: it goes where it says */
	LED_BACK,        /* an answer to something that netfilter tracks */
	LED_TO,          /* netfilter sends it to another destination: *to */
};

struct destination {
	struct ip_addr addr;
	__be16 port;
};

/*
 * Where netfilter leads a datagram with this tuple for a rule that it once met, be that still there or not; or IPVS,
 * which tells netfilter where answers come from, but not that it has translated anything (no IPS_DST_NAT).
 */
static __noinline int conntrack_leads(struct __sk_buff *skb, const struct flow_key *packet, struct destination *to)
{
	struct bpf_ct_opts opts;
	struct nf_conn *ct;
	int led = LED_NOWHERE;

	if (!packet || !to || !has_conntrack)
		return LED_NOWHERE;
	ct = conntrack_find(skb, packet, &opts);
	if (!ct)
		return LED_NOWHERE;
	if (opts.dir == CT_REPLY) {
		led = LED_BACK;
	} else {
		const struct nf_conntrack_man *end = &ct->tuplehash[CT_REPLY].tuple.src;

		to->port = end->u.all;
		if (addr_is_v4(&packet->dst))
			to->addr = addr_v4(end->u3.ip);
		else
			to->addr = (struct ip_addr){{end->u3.ip6[0], end->u3.ip6[1], end->u3.ip6[2], end->u3.ip6[3]}};
		if (to->port != packet->dport || !addr_equal(&to->addr, &packet->dst))
			led = LED_TO;
	}
	bpf_ct_release(ct);
	return led;
}

#endif
