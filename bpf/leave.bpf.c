/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * leave.bpf.c: takes connected sockets off endpoints that serve no more: UDP always, TCP where the Service asks for it.
 * connect() chose once, so nothing of ours sees what such a socket sends: it would go on into the void for ever. Its
 * owner gets ECONNABORTED, also from a recv() that waits, and connects anew. Run by reading an iterator over the
 * sockets of a network namespace; since 6.5 the kernel holds each socket's lock meanwhile. What an older one shows of a
 * socket that is just connecting may be half old: its reader destroys by tuple and cookie, and so nothing that has
 * become another connection.
 */
#include <linux/in.h>
#include <linux/inet_diag.h>
#include <bpf/bpf_core_read.h>
#include "peers.bpf.h"

#define AF_INET 2 /* <sys/socket.h> is for user space */

/* Kernel types; only what is read of them. */
struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num; /* own port, host order */
	int skc_bound_dev_if;
	struct ip_addr skc_v6_daddr; /* struct in6_addr */
	struct ip_addr skc_v6_rcv_saddr;
} __attribute__((preserve_access_index));

struct sock {
	struct socket *sk_socket;
} __attribute__((preserve_access_index));

struct udp_sock;
struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__udp {
	struct bpf_iter_meta *meta;
	struct udp_sock *udp_sk;
} __attribute__((preserve_access_index));

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
} __attribute__((preserve_access_index));

/* 1: the kernel has bpf_sock_destroy() (6.5); 0: who reads the iterator destroys, by SOCK_DESTROY of sock_diag. */
const volatile __u32 has_sock_destroy = 1;

extern int bpf_sock_destroy(struct sock_common *sock) __ksym __weak;

/* One socket that is to go, or has gone: what SOCK_DESTROY takes. */
struct left_socket {
	__u16 family;
	__u16 proto;
	struct inet_diag_sockid id;
};

/* What the socket is connected to. */
static __always_inline void read_peer(const struct sock_common *sk, struct ip_addr *addr)
{
	if (sk->skc_family == AF_INET)
		*addr = addr_v4(sk->skc_daddr);
	else
		bpf_core_read(addr, sizeof(*addr), &sk->skc_v6_daddr);
}

/* As with connections on the wire: the Service that chose the endpoint, and it alone, may say that it has left. */
static __always_inline bool connection_left(struct sock_peer *peer, __u32 service)
{
	struct remembered endpoint = {
	    .service = peer->service,
	    .epoch = peer->epoch,
	    .id = peer->backend_id,
	    .addr = &peer->backend,
	    .port = peer->backend_port,
	};

	if (connection_ends(&endpoint, service))
		return true;
	peer->epoch = endpoint.epoch;
	peer->backend_id = endpoint.id;
	return false;
}

/*
 * The VIP is still a frontend and the endpoint does not serve it any more. A VIP that is nobody's says nothing of the
 * endpoint: as with flows on the wire (row 58), and a Service that is deleted breaks nothing (row 50).
 */
static __always_inline bool left_behind(struct sock_peer *peer, __u8 proto)
{
	__u32 flags;
	struct frontend *frontend = frontend_lookup(&peer->vip, peer->vip_port, proto, true, &flags);

	if (!frontend)
		return false;
	if (proto == IPPROTO_TCP)
		return connection_left(peer, frontend->service);
	return !peer_still_serves(peer, frontend->service);
}

static __always_inline void describe(struct sock_common *sk, __u8 proto, const struct ip_addr *peer,
				     struct left_socket *left)
{
	__u64 cookie = bpf_get_socket_cookie(sk);

	left->family = sk->skc_family;
	left->proto = proto;
	left->id.idiag_sport = bpf_htons(sk->skc_num);
	left->id.idiag_dport = sk->skc_dport;
	left->id.idiag_if = sk->skc_bound_dev_if;
	left->id.idiag_cookie[0] = cookie;
	left->id.idiag_cookie[1] = cookie >> 32;
	if (sk->skc_family == AF_INET) {
		left->id.idiag_src[0] = sk->skc_rcv_saddr;
		left->id.idiag_dst[0] = sk->skc_daddr;
		return;
	}
	bpf_core_read(left->id.idiag_src, sizeof(left->id.idiag_src), &sk->skc_v6_rcv_saddr);
	__builtin_memcpy(left->id.idiag_dst, peer, sizeof(left->id.idiag_dst));
}

/* Writes a struct left_socket for each. */
static __always_inline void leave(struct seq_file *seq, struct sock_common *sk, __u8 proto)
{
	struct left_socket left = {};
	struct sock_peers *peers;
	struct sock_peer *peer;
	struct ip_addr addr;

	peers = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!peers)
		return;
	read_peer(sk, &addr);
	peer = peers_connected(peers, &addr, sk->skc_dport);
	if (!peer || !left_behind(peer, proto))
		return;
	describe(sk, proto, &addr, &left);
	if (!has_sock_destroy || !bpf_sock_destroy(sk))
		bpf_seq_write(seq, &left, sizeof(left));
}

SEC("iter/udp")
int pt_leave_udp(struct bpf_iter__udp *ctx)
{
	struct sock_common *sk = (struct sock_common *)ctx->udp_sk;

	if (sk && sk->skc_state == BPF_TCP_ESTABLISHED)
		leave(ctx->meta->seq, sk, IPPROTO_UDP);
	return 0;
}

/* Whether anybody waits for the peer: a socket that its owner has closed has nobody to tell. */
static __always_inline bool has_owner(struct sock_common *sk)
{
	struct socket *owner = NULL;

	bpf_core_read(&owner, sizeof(owner), &((struct sock *)sk)->sk_socket);
	return owner;
}

/* In FIN_WAIT the owner may have said its last and still listen. */
static __always_inline bool is_open(struct sock_common *sk)
{
	switch (sk->skc_state) {
	case BPF_TCP_ESTABLISHED:
	case BPF_TCP_SYN_SENT:
	case BPF_TCP_CLOSE_WAIT:
		return true;
	case BPF_TCP_FIN_WAIT1:
	case BPF_TCP_FIN_WAIT2:
		return has_owner(sk);
	default:
		return false;
	}
}

SEC("iter/tcp")
int pt_leave_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;

	if (sk && is_open(sk))
		leave(ctx->meta->seq, sk, IPPROTO_TCP);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
