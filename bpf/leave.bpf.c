/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * leave.bpf.c: takes connected UDP sockets off endpoints that serve no more. connect() chose once, so nothing of ours
 * sees what such a socket sends: it would go on into the void for ever. Its owner gets ECONNABORTED, also from a recv()
 * that waits, and connects anew. Run by reading an iterator over the UDP sockets of a network namespace; the kernel
 * holds each socket's lock meanwhile.
 */
#include <linux/in.h>
#include <bpf/bpf_core_read.h>
#include "peers.bpf.h"

#define AF_INET 2 /* <sys/socket.h> is for user space */

/* Kernel types; only what is read of them. */
struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
	__be32 skc_daddr;
	__be16 skc_dport;
	struct ip_addr skc_v6_daddr; /* struct in6_addr */
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

/* Kernel 6.5; the agent does not load this object where its probe did not find it. */
extern int bpf_sock_destroy(struct sock_common *sock) __ksym;

/* What the socket is connected to. */
static __always_inline void read_peer(const struct sock_common *sk, struct ip_addr *addr)
{
	if (sk->skc_family == AF_INET)
		*addr = addr_v4(sk->skc_daddr);
	else
		bpf_core_read(addr, sizeof(*addr), &sk->skc_v6_daddr);
}

/*
 * The VIP is still a frontend and the endpoint does not serve it any more. A VIP that is nobody's says nothing of the
 * endpoint: as with flows on the wire (row 58), and a Service that is deleted breaks nothing (row 50).
 */
static __always_inline bool left_behind(struct sock_peer *peer)
{
	struct frontend *frontend = frontend_lookup(&peer->vip, peer->vip_port, IPPROTO_UDP, true);

	return frontend && !peer_still_serves(peer, frontend->service);
}

/* Writes the service id of each socket it took away. */
SEC("iter/udp")
int pt_leave_udp(struct bpf_iter__udp *ctx)
{
	struct sock_common *sk = (struct sock_common *)ctx->udp_sk;
	struct sock_peers *peers;
	struct sock_peer *peer;
	struct ip_addr addr;
	__u32 service;

	if (!sk || sk->skc_state != BPF_TCP_ESTABLISHED)
		return 0;
	peers = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!peers)
		return 0;
	read_peer(sk, &addr);
	peer = peers_find_backend(peers, &addr, sk->skc_dport);
	if (!peer || !left_behind(peer))
		return 0;
	service = peer->service;
	if (!bpf_sock_destroy(sk))
		bpf_seq_write(ctx->meta->seq, &service, sizeof(service));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
