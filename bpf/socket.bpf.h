/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * socket.bpf.h: what a local socket meets at an address: shared by the cgroup programs and explain --socket, so that
 * both decide alike.
 */
#ifndef PORTOLAN_SOCKET_BPF_H
#define PORTOLAN_SOCKET_BPF_H

#include <linux/in.h>
#include "select.bpf.h"
#include "socket_table.bpf.h"

/*
 * Returns the frontend a socket of a process of this kind meets at dst:port, or NULL: the packets go out as they are,
 * unless *unserved is a reason to refuse them, for whoever is the one to do that. With masquerade_all a pod's
 * connections must be translated on the wire, so its sockets leave them to tc; the host's processes send from an
 * address of the node anyway, and have no edge. And all SCTP: its connect() runs no cgroup program (sctp_connect() in
 * the kernel's net/sctp/socket.c). The host's own datagrams are not refused: connect() only asks for a route
 * (getaddrinfo() and ping do it to learn their own address), and one that is sent may answer another process, which has
 * the ClusterIP for its address where that is routed to the node (AnyIP).
 */
static __always_inline struct frontend *socket_frontend(const struct ip_addr *dst, __be16 port, __u8 proto,
							enum client_kind who, __u32 *unserved)
{
	struct frontend *frontend;
	__u32 flags;

	*unserved = DROP_NONE;
	if ((masquerade_all && who != CLIENT_HOST) || proto == IPPROTO_SCTP)
		return NULL;
	frontend = frontend_lookup(dst, port, proto, who == CLIENT_HOST, &flags);
	if (frontend)
		return frontend;
	*unserved = unserved_reason(dst, flags);
	if (*unserved == DROP_UNUSED_PORT && who == CLIENT_HOST && proto != IPPROTO_TCP)
		*unserved = DROP_NONE;
	return NULL;
}

/* Whether a socket of the namespace of ctx takes what comes to dst:port, whoever sends it. */
static __noinline int listens_here(void *ctx, const struct ip_addr *dst, __be16 port, __u8 proto,
				   enum listeners listeners)
{
	struct flow_key packet = {.dst = *dst, .dport = port, .proto = proto};

	packet.src = addr_wildcard(addr_is_v4(dst));
	return socket_knows(ctx, &packet, listeners);
}

/*
 * Whether the packets go to the frontend's address as they are: a ClusterIP that an interface of this node has, and a
 * socket there is to take them. Of that a pod's hook knows nothing, for it sees the pod's sockets: the wire decides.
 */
static __always_inline bool left_to_node(void *ctx, const struct frontend *frontend, const struct ip_addr *dst,
					 __be16 port, __u8 proto, enum client_kind who)
{
	if (!(frontend->flags & FRONTEND_ON_NODE))
		return false;
	return who != CLIENT_HOST || listens_here(ctx, dst, port, proto, LISTENERS_BOUND);
}

/*
 * Chooses a backend as choose_backend() does. client->source counts for the host's processes, where it is unspecified
 * unless the socket is bound: the kernel picks it afterwards by the route to the backend, and the set of ranges says
 * itself what holds then. There is nothing to hash, and a random number stands for the hash. With a Maglev table that
 * keeps the table's shares.
 */
static __always_inline int socket_choose(const struct frontend *frontend, struct client *client,
					 const struct ip_addr *vip, struct choice *chosen)
{
	if (client->kind != CLIENT_HOST || addr_is_unspecified(&client->source))
		client->source = addr_wildcard(addr_is_v4(vip));
	return choose_backend(frontend, client, bpf_get_prandom_u32(), chosen);
}

/*
 * Whether a pod's socket, for which the choice failed so, leaves the frontend to its packets: whom it serves depends on
 * the address they come from, which the kernel chooses after this hook. The pod's edge sees it, and decides there; the
 * node's own packets have no such edge. The choice itself says so: ranges may come between two looks at the block.
 */
static __always_inline bool left_to_wire(int err, enum client_kind who)
{
	return err == -DROP_SOURCE_RANGE && who != CLIENT_HOST;
}

#endif
