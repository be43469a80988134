/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* socket_table.bpf.h: does a socket of the host hold a tuple, or listen where a packet goes? */
#ifndef PORTOLAN_SOCKET_TABLE_BPF_H
#define PORTOLAN_SOCKET_TABLE_BPF_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include "addr.bpf.h"

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

/* Which sockets count that take what comes from anybody; of UDP those that are not connected, which may expect it. */
enum listeners {
	LISTENERS_NONE,  /* of TCP; all of UDP count */
	LISTENERS_BOUND, /* to the address: what listens on any is not meant for ours */
	LISTENERS_ALL,
};

/* Two copies of one sum: the verifier wants loads of its own for each kind of socket, sock_common here, sock there. */
#define IS_BOUND(sk, v4)                                                                                               \
	((v4) ? (sk)->src_ip4 != 0 : ((sk)->src_ip6[0] | (sk)->src_ip6[1] | (sk)->src_ip6[2] | (sk)->src_ip6[3]) != 0)

/* Whether a socket of the namespace of ctx would take this packet. */
static __noinline int socket_knows(void *ctx, const struct flow_key *packet, enum listeners listeners)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	__u32 size;
	int knows;

	if (!packet || packet->proto == IPPROTO_SCTP) /* no helper looks for its sockets */
		return 0;
	size = socket_tuple(&tuple, packet);
	if (packet->proto == IPPROTO_TCP) {
		sk = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
		if (!sk)
			return 0;
		knows = sk->state != BPF_TCP_LISTEN || listeners == LISTENERS_ALL ||
			(listeners == LISTENERS_BOUND && IS_BOUND(sk, addr_is_v4(&packet->dst)));
		bpf_sk_release(sk);
		return knows;
	}
	sk = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	knows = listeners != LISTENERS_BOUND || IS_BOUND(sk, addr_is_v4(&packet->dst));
	bpf_sk_release(sk);
	return knows;
}

#endif
