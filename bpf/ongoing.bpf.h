/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ongoing.bpf.h: whether a known flow goes on as it is, for all that has become of its endpoint and its Service since
 * it began: it may begin anew (rows 50 and 58), or end with its endpoint (row 61).
 */
#ifndef PORTOLAN_ONGOING_BPF_H
#define PORTOLAN_ONGOING_BPF_H

#include "explain.bpf.h"
#include "flow.bpf.h"
#include "packet.bpf.h"
#include "standing.bpf.h"

#define SYN_HEED_SECONDS 60 /* of silence, after which a SYN is believed to begin a connection */

/* The Service that has the flow's VIP now, be it one that was made anew; 0: nobody has it. */
static __noinline __u32 service_now(const struct flow *owner)
{
	struct frontend *frontend;
	__u32 flags;

	if (!owner)
		return 0;
	frontend = frontend_lookup(&owner->vip, owner->vip_port, owner->proto, false, &flags);
	return frontend ? frontend->service : 0;
}

enum standing {
	ENDPOINT_SERVES = 0,
	ENDPOINT_LEFT = 1,
	VIP_IS_NOBODYS = 2, /* its Service is gone: nothing begins there, and what exists keeps its endpoint (row 50) */
};

/* How the endpoint stands that the flow goes to. In a frame of its own: pt_ingress' is full. */
static __noinline enum standing standing_of(struct flow *owner)
{
	struct remembered endpoint = {};

	if (!owner)
		return ENDPOINT_SERVES;
	endpoint.epoch = owner->epoch;
	endpoint.id = owner->backend_id;
	endpoint.addr = &owner->backend;
	endpoint.port = owner->backend_port;
	if ((owner->flags & FLOW_DIRECT) || word_stands(owner->service, owner->epoch))
		return ENDPOINT_SERVES;
	endpoint.service = service_now(owner);
	if (!endpoint.service)
		return VIP_IS_NOBODYS;
	if (endpoint.service != owner->service)
		endpoint.epoch = 0; /* no word in use has that */
	if (!still_serves(&endpoint))
		return ENDPOINT_LEFT;
	if (!dry_run) {
		owner->service = endpoint.service;
		owner->epoch = endpoint.epoch;
		owner->backend_id = endpoint.id;
	}
	return ENDPOINT_SERVES;
}

/*
 * A SYN to a connection whose endpoint serves no more. Anybody can send one: while the two talk it goes to that
 * endpoint, which answers it with an ACK that makes a client of the past reset the connection (RFC 5961, section 4), so
 * that its next SYN begins anew; one of SCTP, that restarts the association, likewise. With nobody there it does so a
 * minute after the last packet of the connection.
 */
static __always_inline bool outlives_syn(const struct flow *owner, enum standing standing, __u32 now)
{
	return (owner->state & FLOW_LASTING) && (__s32)(now - owner->last_seen) <= SYN_HEED_SECONDS &&
	       !(standing == ENDPOINT_LEFT && (owner->flags & FLOW_ENDS));
}

/*
 * Whether the client's packet needs another flow than the one it had. A connection keeps its backend for as long as
 * both ends wish, also when the endpoint has left its Service (row 50); datagrams keep theirs only while it serves (row
 * 58), and so does what is known of a port from which a new connection comes, unless the old one is in use.
 */
static __always_inline bool begins_anew(const struct packet *p, struct flow *owner, __u32 now)
{
	bool syn = packet_is_syn(p);
	enum standing standing;

	if (!syn && p->proto != IPPROTO_UDP)
		return false;
	if (owner->flags & FLOW_UNROUTED) /* there may be a way now, which takes an address of its own */
		return !p->later;
	if (syn && flow_closed(owner))
		return true;
	standing = standing_of(owner);
	if (!syn)
		return standing == ENDPOINT_LEFT;
	return standing != ENDPOINT_SERVES && !outlives_syn(owner, standing, now);
}

/* Whether the endpoint of a connection that began with the option has left its Service. Keeps what it learned. */
static __noinline int endpoint_left(struct flow *owner)
{
	struct remembered endpoint = {};

	if (!owner)
		return 0;
	endpoint.service = owner->service;
	endpoint.epoch = owner->epoch;
	endpoint.id = owner->backend_id;
	endpoint.addr = &owner->backend;
	endpoint.port = owner->backend_port;
	if (connection_ends(&endpoint, service_now(owner)))
		return 1;
	if (!dry_run) {
		owner->epoch = endpoint.epoch;
		owner->backend_id = endpoint.id;
	}
	return 0;
}

/* Whether this connection is over, or has been ended before: what comes late hears the same. */
static __always_inline bool ends_here(const struct packet *p, struct flow *owner)
{
	if (!(owner->flags & FLOW_ENDS) || (p->tcp_flags & TCP_RST))
		return false;
	if (owner->state & FLOW_ENDED)
		return true;
	return !word_stands(owner->service, owner->epoch) && endpoint_left(owner);
}

#endif
