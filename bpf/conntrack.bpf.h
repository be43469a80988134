/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* conntrack.bpf.h: does netfilter, or a socket of the host, hold a tuple we are about to claim? */
#ifndef PORTOLAN_CONNTRACK_BPF_H
#define PORTOLAN_CONNTRACK_BPF_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include "addr.bpf.h"
#include "config.bpf.h"

/* Kernel types of the conntrack kfuncs (net/netfilter/nf_conntrack_bpf.c, kernel 5.18). */
struct nf_conn {
	long opaque;
} __attribute__((preserve_access_index));

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

static __always_inline __u32 socket_tuple(struct bpf_sock_tuple *tuple, const struct flow_key *packet)
{
	if (addr_is_v4(&packet->src)) {
		tuple->ipv4.saddr = packet->src.w[3];
		tuple->ipv4.daddr = packet->dst.w[3];
		tuple->ipv4.sport = packet->sport;
		tuple->ipv4.dport = packet->dport;
		return sizeof(tuple->ipv4);
	}
	__builtin_memcpy(tuple->ipv6.saddr, packet->src.w, 16);
	__builtin_memcpy(tuple->ipv6.daddr, packet->dst.w, 16);
	tuple->ipv6.sport = packet->sport;
	tuple->ipv6.dport = packet->dport;
	return sizeof(tuple->ipv6);
}

/* Whether netfilter tracks a connection with the tuple of this packet, in either direction. It answers for TCP and UDP
 * only (-EPROTO): of SCTP nothing is known.
 */
static __noinline int conntrack_knows(struct __sk_buff *skb, const struct flow_key *packet)
{
	struct bpf_ct_opts opts = {.netns_id = -1 /* of this packet */};
	struct bpf_sock_tuple tuple = {};
	struct nf_conn *ct;

	if (!packet || !has_conntrack)
		return 0;
	opts.l4proto = packet->proto;
	/* a constant size for each call: the kfunc wants one */
	if (socket_tuple(&tuple, packet) == sizeof(tuple.ipv4))
		ct = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv4), &opts, BPF_CT_OPTS_SIZE);
	else
		ct = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv6), &opts, BPF_CT_OPTS_SIZE);
	if (!ct)
		return 0;
	bpf_ct_release(ct);
	return 1;
}

/*
 * Whether a socket of this namespace would take this packet. One that listens on any address would take it for every
 * address, ours and others: listeners says whether that counts.
 */
static __noinline int socket_knows(struct __sk_buff *skb, const struct flow_key *packet, bool listeners)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	__u32 size;
	int knows;

	if (!packet || packet->proto == IPPROTO_SCTP) /* no helper looks for its sockets */
		return 0;
	size = socket_tuple(&tuple, packet);
	/* the verifier wants a load of its own for each kind of socket: sock_common here, sock there */
	if (packet->proto == IPPROTO_TCP) {
		sk = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
		if (!sk)
			return 0;
		knows = listeners || sk->state != BPF_TCP_LISTEN;
		bpf_sk_release(sk);
		return knows;
	}
	sk = bpf_sk_lookup_udp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return 1;
}

#endif
