/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cgroup.bpf.c: balances local sockets where they connect or send, so that no packet of theirs costs anything
 * afterwards. The destination VIP is replaced by a backend before the kernel routes; recvmsg and getpeername show the
 * application the VIP again. Both families run through the same functions on 16-byte addresses, an IPv6 socket that
 * uses IPv4-mapped addresses included.
 *
 * The hooks return 1 to go on and 0 to refuse.
 */
#include <linux/errno.h>
#include <linux/in.h>
#include "socket.bpf.h"
#include "peers.bpf.h"
#include "optout.bpf.h"

enum hook_result { REFUSE = 0, PROCEED = 1 };

static __always_inline struct ip_addr get_address(const struct bpf_sock_addr *ctx, bool v4)
{
	if (v4)
		return addr_v4(ctx->user_ip4);
	return (struct ip_addr){{ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]}};
}

/* What a datagram asks for, else where its socket is bound; unspecified: the kernel is to choose. */
static __always_inline struct ip_addr get_source(const struct bpf_sock_addr *ctx, const struct bpf_sock *sk, bool v4,
						 bool datagram)
{
	if (datagram && v4)
		return addr_v4(ctx->msg_src_ip4);
	if (datagram)
		return (struct ip_addr){
		    {ctx->msg_src_ip6[0], ctx->msg_src_ip6[1], ctx->msg_src_ip6[2], ctx->msg_src_ip6[3]}};
	if (!sk)
		return (struct ip_addr){};
	if (v4)
		return addr_v4(sk->src_ip4);
	return (struct ip_addr){{sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3]}};
}

static __always_inline void set_address(struct bpf_sock_addr *ctx, bool v4, const struct ip_addr *addr, __be16 port)
{
	if (v4) {
		ctx->user_ip4 = addr->w[3];
	} else {
		ctx->user_ip6[0] = addr->w[0];
		ctx->user_ip6[1] = addr->w[1];
		ctx->user_ip6[2] = addr->w[2];
		ctx->user_ip6[3] = addr->w[3];
	}
	ctx->user_port = port;
}

/* sk is ctx->sk, read once: LLVM 19 shares the address of several reads, and the verifier refuses `ctx + 64`. */
static __always_inline struct sock_peers *socket_peers(struct bpf_sock *sk, __u64 flags)
{
	return sk ? bpf_sk_storage_get(&sockets, sk, NULL, flags) : NULL;
}

/*
 * What REJECT says on the wire is ECONNREFUSED. A policy's silent DROP would leave the client to
 * its own timeout, which this hook cannot do; EHOSTUNREACH is what clients retry and, unlike EPERM or a hang, a reader
 * of their logs understands. A source that is not served gets what connect(2) has for a rule of the local firewall.
 */
static __always_inline int errno_of(int reason)
{
	if (reason_rejects(reason))
		return ECONNREFUSED;
	return reason == DROP_SOURCE_RANGE ? EACCES : EHOSTUNREACH;
}

static __always_inline int refuse(__u32 service, int reason)
{
	count_refusal(service, reason);
	if (has_set_retval)
		bpf_set_retval(-errno_of(reason));
	return REFUSE;
}

/*
 * A datagram to the peer the socket is connected to: connect() has chosen already. The kernel shows these here only
 * for IPv6 sockets with an IPv4-mapped peer, whose send() it hands on to IPv4 as a sendto().
 */
static __always_inline bool to_own_peer(const struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	return sk && sk->state == BPF_TCP_ESTABLISHED && sk->dst_ip4 == ctx->user_ip4 &&
	       sk->dst_port == (__be16)ctx->user_port;
}

/* The frontend's change counter, read before a choice: if it moves in between, the next datagram looks again. */
static __always_inline __u32 service_epoch(__u32 service)
{
	struct service_word *word = bpf_map_lookup_elem(&services, &service);

	return word ? *(volatile __u32 *)&word->epoch : 0;
}

/*
 * Chooses a backend, rewrites the destination, and leaves in *slot what the socket is to remember. Returns 0, or a
 * negative enum drop_reason and nothing has changed.
 */
static __always_inline int choose_for(struct bpf_sock_addr *ctx, bool v4, const struct frontend *frontend,
				      struct client *client, struct choice *chosen, struct sock_peer *slot)
{
	int err;

	slot->epoch = service_epoch(frontend->service);
	err = socket_choose(frontend, client, &slot->vip, chosen);
	if (err)
		return err;
	set_address(ctx, v4, &chosen->addr, chosen->port);
	count_connection(chosen->service, chosen->backend);
	slot->backend = chosen->addr;
	slot->backend_port = chosen->port;
	slot->backend_id = chosen->backend;
	slot->service = chosen->service;
	return 0;
}

/* The destination is no VIP to this socket, or no longer. */
static __always_inline int go_untranslated(struct sock_peers *peers, const struct sock_peer *slot, bool datagram)
{
	if (!peers)
		return PROCEED;
	peers_forget(peers, &slot->vip, slot->vip_port);
	if (!datagram)
		peers_disconnect(peers);
	return PROCEED;
}

/*
 * The pod wants the VIP on the wire. Whatever way a socket's datagrams to a VIP began, they go on: the annotation may
 * be taken off while their flow has an endpoint. A connect() needs no memory, for nothing asks here afterwards.
 */
static __always_inline int leave_alone(struct bpf_sock_addr *ctx, bool datagram, struct sock_peers *peers,
				       const struct sock_peer *slot)
{
	if (!datagram)
		return go_untranslated(peers, slot, datagram);
	if (!peers)
		peers = socket_peers(ctx->sk, BPF_SK_STORAGE_GET_F_CREATE);
	if (peers)
		peer_on_wire(peers, &slot->vip, slot->vip_port);
	return PROCEED;
}

/*
 * The same for connect() and for a datagram with an address; only the latter keeps to the backend it had. A port that
 * nothing serves is refused to the host's processes. A pod's namespace may translate the address yet: its packets are
 * judged on the wire, and so is silence, where the way is known.
 */
static __always_inline int to_backend(struct bpf_sock_addr *ctx, bool v4, bool sticky)
{
	struct sock_peer slot = {.vip = get_address(ctx, v4), .vip_port = ctx->user_port};
	struct client client = {.netns = bpf_get_netns_cookie(ctx)};
	__u32 unserved;
	struct bpf_sock *sk = ctx->sk;
	struct sock_peers *peers = socket_peers(sk, 0);
	struct choice chosen = {};
	struct frontend *frontend;
	struct sock_peer *peer;
	bool refused;
	int err;

	client.kind = client.netns == host_netns_cookie ? CLIENT_HOST : CLIENT_POD;
	frontend = socket_frontend(&slot.vip, slot.vip_port, ctx->protocol, client.kind, &unserved);
	refused = unserved == DROP_UNUSED_PORT && client.kind == CLIENT_HOST;
	peer = frontend && peers ? peers_find_vip(peers, &slot.vip, slot.vip_port) : NULL;
	if (sticky && peer && peer_still_serves(peer, frontend->service)) {
		peer_touch(peers, peer);
		set_address(ctx, v4, &peer->backend, peer->backend_port);
		return PROCEED;
	}
	if (frontend && opted_out_socket(client.kind, client.netns, sticky))
		return leave_alone(ctx, sticky, peers, &slot);
	if (!sticky && refused &&
	    !listens_here(ctx, &slot.vip, slot.vip_port, ctx->protocol, LISTENERS_ALL)) /* by a local route (AnyIP) */
		return refuse(0, DROP_UNUSED_PORT);
	if (!frontend || left_to_node(ctx, frontend, &slot.vip, slot.vip_port, ctx->protocol, client.kind))
		return go_untranslated(peers, &slot, sticky);
	/*
	 * A socket that talks to more frontends than it can remember would take the answers of one for an endpoint's. A
	 * pod's datagrams meet our edge, where each flow has a record of its own.
	 */
	if (sticky && !peer && client.kind == CLIENT_POD && peers && peers_full(peers))
		return PROCEED;
	client.source = get_source(ctx, sk, v4, sticky);
	err = choose_for(ctx, v4, frontend, &client, &chosen, &slot);
	if (left_to_wire(err, client.kind))
		return go_untranslated(peers, &slot, sticky);
	if (err)
		return refuse(chosen.service, -err);

	if (!peers)
		peers = socket_peers(sk, BPF_SK_STORAGE_GET_F_CREATE);
	if (!peers)
		return PROCEED; /* out of memory: served, but the application sees the backend's address */
	if (!sticky)
		peers_disconnect(peers);
	if (!peer || peer->connected)
		peer = peers_oldest(peers);
	if (!peer)
		return PROCEED; /* never: one slot at most is connected */
	slot.connected = !sticky;
	slot.sent = peer->sent;
	*peer = slot;
	peer_touch(peers, peer);
	if (chosen.affinity)
		peers->netns = client.netns;
	return PROCEED;
}

/*
 * Shows the VIP where the kernel knows the backend: the source of a datagram, the peer of a connection. Not the peer of
 * Multipath TCP: there the subflow connects, and has the memory, but its parent is asked.
 */
static __always_inline int to_vip(struct bpf_sock_addr *ctx, bool v4, bool of_connection)
{
	struct sock_peers *peers = socket_peers(ctx->sk, 0);
	struct sock_peer *peer;
	struct ip_addr backend;

	if (!peers)
		return PROCEED;
	backend = get_address(ctx, v4);
	peer = of_connection ? peers_connected(peers, &backend, ctx->user_port)
			     : peers_find_backend(peers, &backend, ctx->user_port);
	if (peer)
		set_address(ctx, v4, &peer->vip, peer->vip_port);
	return PROCEED;
}

/*
 * No socket holds the port of a NodePort, so a process of the host may take it and wait for connections that never
 * reach it. Attached only when asked for (--protect-nodeports): such a bind() then fails as if the port were held. ::
 * takes the port of both families, for whether the socket is IPv6 only cannot be seen here.
 */
static __always_inline int leave_node_ports(struct bpf_sock_addr *ctx, bool v4)
{
	struct ip_addr addr = get_address(ctx, v4);
	struct frontend *frontend;
	__u32 flags;

	if (!ctx->user_port || bpf_get_netns_cookie(ctx) != host_netns_cookie)
		return PROCEED;
	if (addr_is_unspecified(&addr)) {
		frontend = node_port_lookup(addr_is_v4(&addr), ctx->user_port, ctx->protocol);
		if (!frontend && !v4)
			frontend = node_port_lookup(true, ctx->user_port, ctx->protocol);
	} else {
		frontend = frontend_lookup(&addr, ctx->user_port, ctx->protocol, true, &flags);
	}
	if (!frontend || frontend->kind != FRONTEND_NODE_PORT)
		return PROCEED;
	if (has_set_retval)
		bpf_set_retval(-EADDRINUSE);
	return REFUSE;
}

SEC("cgroup/bind4")
int pt_bind4(struct bpf_sock_addr *ctx)
{
	return leave_node_ports(ctx, true);
}

SEC("cgroup/bind6")
int pt_bind6(struct bpf_sock_addr *ctx)
{
	return leave_node_ports(ctx, false);
}

SEC("cgroup/connect4")
int pt_connect4(struct bpf_sock_addr *ctx)
{
	return to_backend(ctx, true, false);
}

SEC("cgroup/connect6")
int pt_connect6(struct bpf_sock_addr *ctx)
{
	return to_backend(ctx, false, false);
}

SEC("cgroup/sendmsg4")
int pt_sendmsg4(struct bpf_sock_addr *ctx)
{
	if (to_own_peer(ctx))
		return PROCEED;
	return to_backend(ctx, true, true);
}

SEC("cgroup/sendmsg6")
int pt_sendmsg6(struct bpf_sock_addr *ctx)
{
	return to_backend(ctx, false, true);
}

SEC("cgroup/recvmsg4")
int pt_recvmsg4(struct bpf_sock_addr *ctx)
{
	return to_vip(ctx, true, false);
}

SEC("cgroup/recvmsg6")
int pt_recvmsg6(struct bpf_sock_addr *ctx)
{
	return to_vip(ctx, false, false);
}

SEC("cgroup/getpeername4")
int pt_getpeername4(struct bpf_sock_addr *ctx)
{
	return to_vip(ctx, true, true);
}

SEC("cgroup/getpeername6")
int pt_getpeername6(struct bpf_sock_addr *ctx)
{
	return to_vip(ctx, false, true);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
