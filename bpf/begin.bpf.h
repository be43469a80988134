/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * begin.bpf.h: packets of no known flow at ingress: new connections through a frontend, TCP out of the blue, and direct
 * connections that meet a claimed tuple.
 */
#ifndef PORTOLAN_BEGIN_BPF_H
#define PORTOLAN_BEGIN_BPF_H

#include "edge.bpf.h"
#include "explain.bpf.h"
#include "peers.bpf.h"
#include "reply.bpf.h"
#include "select.bpf.h"

/*
 * Decides masquerade at ingress, where the client's kind is known (clause E8): the SNAT address is that of the device
 * the packet will leave by (clause E6); none on local delivery, nor where the stack is only to say that there is no
 * way. Returns 0 or a negative enum drop_reason.
 */
static __always_inline int plan_masquerade(struct __sk_buff *skb, struct flow *flow, const struct device *device)
{
	struct route route = {};
	struct device *out;

	route_lookup(skb, &flow->client, &flow->backend, device->bridge ? device->bridge : skb->ifindex, &route);
	if (route.kind == ROUTE_LOCAL)
		return 0;
	if (route.kind == ROUTE_UNKNOWN) /* it would leave all the same, as the client's */
		return -DROP_NO_ROUTE;
	if (route.kind == ROUTE_NONE) {
		flow->flags |= FLOW_UNROUTED;
		return 0;
	}
	out = bpf_map_lookup_elem(&devices, &route.ifindex);
	if (!out)
		return -DROP_NO_SNAT_ADDRESS;
	flow->snat = addr_is_v4(&flow->backend) ? out->snat4 : out->snat6;
	if (addr_is_unspecified(&flow->snat))
		return -DROP_NO_SNAT_ADDRESS;
	flow->flags |= FLOW_SNAT;
	if (from_outside(device) && from_outside(out))
		flow->flags |= FLOW_TRANSIT;
	return 0;
}

/* None of TC_ACT_* */
#define BEGIN 0x100  /* w->flow is to be made */
#define REFUSE 0x101 /* the client is told that there are no endpoints */

/*
 * Chooses where a new connection through a frontend goes, into w->flow. Returns BEGIN, REFUSE, or the verdict of a
 * silent refusal. Its frame is large and a chain of calls has 512 bytes, where 6.1 rounds each frame up to 32: so the
 * chains below flow_create(), to_backend() and refuse() do not hang below this one. test/matrix loads all of it there.
 */
static __noinline int plan(struct __sk_buff *skb, struct work *w, const struct device *device,
			   const struct frontend *frontend)
{
	struct choice chosen = {};
	struct packet *p;
	bool masquerade;
	int err;

	if (!w || !device || !frontend)
		return TC_ACT_SHOT;
	p = &w->packet;
	w->client.kind = client_kind(device, &p->src);
	w->client.source = p->src;
	w->client.netns = 0;
	err = choose_backend(frontend, &w->client, hash_flow(&p->src, &p->dst, p->sport, p->dport, p->proto), &chosen);
	if (err) {
		explain_choice(reason_rejects(-err) ? VERDICT_REJECT : VERDICT_DROP, -err, &chosen, false);
		if (dry_run)
			return TC_ACT_SHOT;
		if (reason_rejects(-err))
			return REFUSE;
		count_refusal(chosen.service, -err);
		return TC_ACT_SHOT;
	}
	describe_client(w);
	w->flow.backend = chosen.addr;
	w->flow.backend_port = chosen.port;
	w->flow.service = chosen.service;
	w->flow.backend_id = chosen.backend;
	w->flow.epoch = chosen.epoch;
	w->flow.flags = chosen.ends ? FLOW_ENDS : 0;
	masquerade = chosen.masquerade || addr_equal(&w->flow.client, &w->flow.backend);
	if (masquerade)
		err = plan_masquerade(skb, &w->flow, device);
	explain_choice(err ? VERDICT_DROP : VERDICT_DNAT, -err, &chosen, masquerade);
	if (dry_run)
		return TC_ACT_SHOT;
	return err ? drop(err) : BEGIN;
}

/* A new connection through a frontend. */
static __noinline int begin(struct __sk_buff *skb, struct work *w, const struct device *device,
			    const struct frontend *frontend)
{
	int err;

	if (!w || !device || !frontend)
		return TC_ACT_SHOT;
	err = plan(skb, w, device, frontend);
	if (err == REFUSE)
		return refuse(skb, w, frontend->service, DROP_NO_ENDPOINTS);
	if (err != BEGIN)
		return err;
	err = flow_create(skb, w);
	if (err < 0)
		return drop(err);
	if (!err)
		count_connection(w->flow.service, w->flow.backend_id);
	return to_backend(skb, &w->packet, device, &w->flow);
}

/* Which way a packet of no frontend goes from here, or from the bridge it came by, if not to another of its ports. */
static __always_inline int way_in(struct __sk_buff *skb, const struct packet *p, const struct device *device)
{
	if ((device->flags & DEVICE_BRIDGE_PORT) && !dry_run && to_another_mac(skb, device))
		return WAY_HERE;
	return way_of(skb, p, device->bridge ? device->bridge : skb->ifindex, 0);
}

/*
 * TCP or SCTP to an address of ours that begins nothing and that we have no record of. Netfilter may know it (a
 * kube-proxy served it), or a socket of this host, or it was translated before it came to this device; else its peer is
 * told that there is no such connection, unless the frontend does not serve it: then it hears nothing at all. Of SCTP
 * the kernel lets nobody ask, so that passes: an association that lives on in netfilter's tables counts for more than a
 * quick answer to one that does not. frontend NULL: none serves that port; then what is routed to this host is the
 * host's to answer: with SYN cookies no socket knows the connection yet. So is what stays on a bridge, or has a route
 * of its own, another's.
 */
static __noinline int no_flow(struct __sk_buff *skb, struct work *w, const struct device *device,
			      const struct frontend *frontend)
{
	__u32 row = 0, epoch, reason = DROP_NO_FLOW, service = 0;
	struct block_row *block;
	struct packet *p;

	if (!w || !device)
		return TC_ACT_SHOT;
	p = &w->packet;
	flow_between(&w->probe, &p->src, p->sport, &p->dst, p->dport, p->proto);
	if (p->proto == IPPROTO_SCTP || flow_find(&w->probe) || conntrack_knows(skb, &w->tuple) ||
	    socket_knows(skb, &w->tuple, LISTENERS_NONE))
		return TC_NEXT;
	if (!frontend && way_in(skb, p, device) != WAY_OF_ALL)
		return TC_NEXT;
	if (p->later) /* its first was refused */
		return drop(-DROP_FRAGMENT);
	if (frontend) {
		service = frontend->service;
		block = block_of(frontend, &row, &epoch);
		if (block && !admits(&block->header, frontend->kind, &p->src, client_kind(device, &p->src)))
			reason = DROP_SOURCE_RANGE;
	}
	explain_refusal(VERDICT_DROP, reason, service);
	if (dry_run)
		return TC_ACT_SHOT;
	if (reason == DROP_NO_FLOW && !(p->tcp_flags & TCP_RST))
		return refuse(skb, w, service, DROP_NO_FLOW);
	count_refusal(service, reason);
	return TC_ACT_SHOT;
}

/*
 * A packet that a pod's socket sends to the backend it was given, at the one hook that sees both the socket, with what
 * it remembers, and the address the kernel has chosen for it: the two are one client for session affinity. Only the one
 * aligned word is read, for nobody holds the socket's lock here.
 */
static __always_inline void learn_client(struct __sk_buff *skb, const struct packet *p)
{
	struct bpf_sock *sk = skb->sk;
	struct client_netns *known, now;
	struct sock_peers *peers;

	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	peers = sk ? bpf_sk_storage_get(&sockets, sk, NULL, 0) : NULL;
	if (!peers || !peers->netns)
		return;
	now.cookie = peers->netns;
	known = bpf_map_lookup_elem(&client_netns, &p->src);
	if (!known || known->cookie != now.cookie)
		bpf_map_update_elem(&client_netns, &p->src, &now, BPF_ANY);
}

/*
 * Whether this begins something, as only packets do that meet silence: all others may be answers. A datagram shows no
 * beginning, and what comes from outside may be for a namespace that shares the device (ipvlan): netfilter tells where
 * these leave (leaves_for_nobody). A dry run ends here, and asks for what begins.
 */
static __always_inline bool begins_here(const struct packet *p, const struct device *device)
{
	if (dry_run)
		return packet_is_syn(p) || p->echo || p->proto == IPPROTO_UDP;
	return (packet_is_syn(p) || p->echo) && !from_outside(device);
}

/*
 * A packet to a port or protocol of a ClusterIP that nothing serves, or to a ClusterIP that no Service has (row 46). A
 * datagram that netfilter knows is not new: a kube-proxy may have served it. What is routed to this host (a whole range
 * may be) is the host's to answer, and what a bridge hands to another of its ports, another's. And nobody's is only
 * what has no route of its own. TC_NEXT: it passes, as if there were no such rule.
 */
static __noinline int unserved(struct __sk_buff *skb, struct work *w, const struct device *device, __u32 reason)
{
	int way;

	if (!w || !device)
		return TC_ACT_SHOT;
	if (reason == DROP_UNALLOCATED && !begins_here(&w->packet, device))
		return TC_NEXT;
	if (w->packet.proto == IPPROTO_UDP && conntrack_knows(skb, &w->tuple))
		return TC_NEXT;
	way = way_in(skb, &w->packet, device);
	if (way == WAY_HERE || (way != WAY_OF_ALL && reason == DROP_UNALLOCATED))
		return TC_NEXT;
	if (w->packet.later) /* its first was refused */
		return drop(-DROP_FRAGMENT);
	explain_refusal(reason_rejects(reason) ? VERDICT_REJECT : VERDICT_DROP, reason, 0);
	if (dry_run)
		return TC_ACT_SHOT;
	return reason_rejects(reason) ? refuse(skb, w, 0, reason) : drop(-(__s32)reason);
}

/*
 * At egress: the packet of no flow, whose answer's tuple is w->tuple, begins something with a ClusterIP that no Service
 * has. A SYN of a socket does if it is of this node's own: one without an address of the node is that of a namespace
 * which shares the device (macvlan). Of what is forwarded netfilter says that it is new, and of a datagram, whoever
 * sends it: that may be an answer. A bridge's ports have their neighbours.
 */
static __always_inline bool leaves_for_nobody(struct __sk_buff *skb, const struct work *w, const struct device *device)
{
	const struct packet *p = &w->packet;
	bool datagram = p->proto == IPPROTO_UDP;

	if ((!datagram && !packet_is_syn(p)) || (device->flags & DEVICE_BRIDGE_PORT))
		return false;
	if (!in_service_range(&p->dst) || address_flags(&p->dst)) /* most nodes know no range */
		return false;
	if (datagram || !skb->sk ? conntrack_state(skb, &w->tuple) != TRACKED_NEW
				 : !(address_flags(&p->src) & ADDRESS_NODE))
		return false;
	return way_of(skb, p, skb->ifindex, BPF_FIB_LOOKUP_OUTPUT) == WAY_OF_ALL;
}

/* Whether a VIP answers this ping. */
static __always_inline bool pings_vip(const struct packet *p, __u32 flags)
{
	__u32 header = p->v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	return vip_ping && p->echo && is_vip_alone(flags) && p->l4 - p->l3 == header; /* options do not come back */
}

/*
 * A packet without ports that asks its addressee for something: an echo request, or one of a protocol that no Service
 * has.
 */
static __noinline int portless(struct __sk_buff *skb, struct work *w, const struct device *device)
{
	struct packet *p;
	__u32 flags, reason;

	if (!w || !device)
		return TC_ACT_SHOT;
	p = &w->packet;
	if (p->fragment)
		return TC_NEXT;
	flags = address_flags(&p->dst);
	if (pings_vip(p, flags)) {
		if (dry_run)
			return TC_NEXT;
		return may_reply(w) ? reply_echo(skb, p) : drop(-DROP_REPLY_LIMIT);
	}
	reason = unserved_reason(&p->dst, flags);
	return reason ? unserved(skb, w, device, reason) : TC_NEXT;
}

/*
 * A packet to an address that is no frontend, of TCP a SYN. If its tuple is claimed by a connection through a frontend,
 * its backend would take one for the other: the direct one gets a client port of its own (clause E1).
 */
static __noinline int direct(struct __sk_buff *skb, struct work *w, const struct device *device)
{
	struct flow *holder;
	struct packet *p;
	int err;

	if (!w || !device)
		return TC_NEXT;
	p = &w->packet;
	if (dry_run)
		return TC_NEXT;
	if (!from_outside(device))
		learn_client(skb, p);
	flow_between(&w->inner, &p->src, p->sport, &p->dst, p->dport, p->proto);
	holder = flow_find(&w->inner);
	if (!holder)
		return TC_NEXT;
	holder = flow_owner_of(holder, &w->probe);
	/* its own packets do not come here untranslated; its backend may be sending from the port it serves on */
	if (!holder || !addr_equal(&holder->client, &p->src) || holder->mapped_port != p->sport)
		return TC_NEXT;
	if (flow_closed(holder)) { /* else it would take the direct one's replies for its own */
		flow_forget(w, holder);
		return TC_NEXT;
	}
	describe_client(w);
	w->flow.backend = p->dst;
	w->flow.backend_port = p->dport;
	w->flow.flags = FLOW_DIRECT;
	err = flow_create(skb, w);
	return err < 0 ? drop(err) : to_backend(skb, p, device, &w->flow);
}

/* The backend speaks in the middle of a connection although it has answered no SYN of this flow. */
static __always_inline bool speaks_to_another(const struct packet *p, const struct flow *owner)
{
	return proto_connects(p->proto) && !p->later && (p->tcp_flags & (TCP_SYN | TCP_RST)) == 0 &&
	       !(owner->state & FLOW_ANSWERED) && !(owner->flags & (FLOW_SNAT | FLOW_DIRECT));
}

/*
 * A direct connection that nobody tracks held the tuple before this flow claimed it (clause E1): the tuple becomes its
 * own. The flow is forgotten and begins anew, on another port, when its client repeats the SYN.
 */
static __noinline int give_way(struct work *w, const struct flow *owner)
{
	if (!w || !owner)
		return 0;
	flow_owner_key(&w->owner, owner);
	w->flow = *owner;
	flow_unclaim(&w->owner);
	w->flow.client_port = w->flow.mapped_port;
	w->flow.vip = w->flow.backend;
	w->flow.vip_port = w->flow.backend_port;
	w->flow.service = 0;
	w->flow.backend_id = 0;
	w->flow.flags = FLOW_DIRECT;
	w->flow.role = FLOW_INDEX;
	flow_inner_key(&w->inner, &w->flow);
	bpf_map_update_elem(&nascent, &w->inner, &w->flow, BPF_ANY);
	w->flow.role = FLOW_OWNER;
	flow_owner_key(&w->owner, &w->flow);
	flow_claim(&w->owner, &w->flow);
	return 0;
}

#endif
