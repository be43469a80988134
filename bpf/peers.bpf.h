/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * peers.bpf.h: what a socket remembers of the frontends it talked to: which backend stands for which VIP. The kernel
 * holds the socket's lock around every hook that comes here, so the entries need none of their own.
 */
#ifndef PORTOLAN_PEERS_BPF_H
#define PORTOLAN_PEERS_BPF_H

#include "standing.bpf.h"

/* socket -> its peers; lives and dies with the socket. Programs write; by its pin a new program knows old sockets. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sock_peers);
} sockets SEC(".maps");

/* The socket may be connected to one that the VIP has no more, and have another for its datagrams: the latest. */
static __always_inline struct sock_peer *peers_find_vip(struct sock_peers *peers, const struct ip_addr *vip,
							__be16 port)
{
	struct sock_peer *latest = NULL;
	__u32 sent = 0;

	for (int i = 0; i < SOCK_PEERS; i++) {
		struct sock_peer *peer = &peers->peer[i];

		if (peer->sent > sent && peer->vip_port == port && addr_equal(&peer->vip, vip)) {
			latest = peer;
			sent = peer->sent;
		}
	}
	return latest;
}

/* The peer whose replies come from backend:port. Two VIPs may share a backend: the one last sent to wins. */
static __always_inline struct sock_peer *peers_find_backend(struct sock_peers *peers, const struct ip_addr *backend,
							    __be16 port)
{
	struct sock_peer *latest = NULL;
	__u32 sent = 0;

	for (int i = 0; i < SOCK_PEERS; i++) {
		struct sock_peer *peer = &peers->peer[i];

		if (peer->sent > sent && peer->backend_port == port && addr_equal(&peer->backend, backend)) {
			latest = peer;
			sent = peer->sent;
		}
	}
	return latest;
}

/*
 * The peer that connect() chose, if the socket is connected to backend:port. Without one it is connected to that
 * address itself, be it a VIP's backend too.
 */
static __always_inline struct sock_peer *peers_connected(struct sock_peers *peers, const struct ip_addr *backend,
							 __be16 port)
{
	for (int i = 0; i < SOCK_PEERS; i++) {
		struct sock_peer *peer = &peers->peer[i];

		if (peer->connected && peer->backend_port == port && addr_equal(&peer->backend, backend))
			return peer;
	}
	return NULL;
}

/* The socket connects anew. */
static __always_inline void peers_disconnect(struct sock_peers *peers)
{
	for (int i = 0; i < SOCK_PEERS; i++)
		peers->peer[i].connected = 0;
}

static __always_inline bool peers_full(struct sock_peers *peers)
{
	for (int i = 0; i < SOCK_PEERS; i++)
		if (!peers->peer[i].sent)
			return false;
	return true;
}

/* An empty slot, or the one used longest ago; not the one that the socket is connected to. */
static __always_inline struct sock_peer *peers_oldest(struct sock_peers *peers)
{
	struct sock_peer *oldest = NULL;
	__u32 sent = ~0U;

	for (int i = 0; i < SOCK_PEERS; i++) {
		struct sock_peer *peer = &peers->peer[i];

		if (!peer->connected && peer->sent < sent) {
			oldest = peer;
			sent = peer->sent;
		}
	}
	return oldest;
}

static __always_inline void peer_touch(struct sock_peers *peers, struct sock_peer *peer)
{
	if (peer->sent != peers->clock || !peers->clock)
		peer->sent = ++peers->clock;
}

/* The socket talks to backend:port itself now: replies from there are no VIP's. */
static __always_inline void peers_forget(struct sock_peers *peers, const struct ip_addr *backend, __be16 port)
{
	for (int i = 0; i < SOCK_PEERS; i++) {
		struct sock_peer *peer = &peers->peer[i];

		if (peer->backend_port == port && addr_equal(&peer->backend, backend))
			peer->sent = 0;
	}
}

/* Datagrams to the VIP go on as they are: their flow on the wire has an endpoint, which it is to keep. */
static __always_inline void peer_on_wire(struct sock_peers *peers, const struct ip_addr *vip, __be16 port)
{
	struct sock_peer *peer = peers_find_vip(peers, vip, port);

	if (!peer || peer->connected)
		peer = peers_oldest(peers);
	if (!peer)
		return; /* never: one slot at most is connected */
	*peer = (struct sock_peer){
	    .vip = *vip, .vip_port = port, .backend = *vip, .backend_port = port, .sent = peer->sent};
	peer_touch(peers, peer);
}

/*
 * Whether datagrams to the VIP still belong on the backend this socket used last: as on the wire, they keep to it as
 * long as it serves the Service, be it one that was made anew for the same VIP.
 */
static __always_inline bool peer_still_serves(struct sock_peer *peer, __u32 service)
{
	if (!peer->backend_id)
		return true; /* the VIP itself, by peer_on_wire(): each packet looks for its endpoint */
	struct remembered endpoint = {
	    .service = service,
	    .epoch = peer->service == service ? peer->epoch : 0, /* no word in use has that */
	    .id = peer->backend_id,
	    .addr = &peer->backend,
	    .port = peer->backend_port,
	};

	if (!still_serves(&endpoint))
		return false;
	peer->service = service;
	peer->epoch = endpoint.epoch;
	peer->backend_id = endpoint.id;
	return true;
}

#endif
