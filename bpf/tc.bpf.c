/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tc.bpf.c: the rule of the edge. Between these two hooks the kernel sees (client, backend); the VIP exists only
 * outside the client's edge, the SNAT address only outside the backend's. ingress: request VIP -> backend, reply SNAT
 * -> client. egress: request client -> SNAT, reply backend -> VIP. Clauses E1-E6 and E8 are named where they are kept.
 */
#include "claim.bpf.h"
#include "explain.bpf.h"
#include "reply.bpf.h"
#include "route.bpf.h"
#include "select.bpf.h"

static __always_inline bool from_outside(const struct device *device)
{
	return device->flags & (DEVICE_UPLINK | DEVICE_OVERLAY);
}

static __always_inline __u16 header_offset(const struct device *device)
{
	return device->flags & DEVICE_L3 ? 0 : ETH_HLEN;
}

static __always_inline int drop(__s32 err)
{
	count_drop(-err);
	return TC_ACT_SHOT;
}

static __always_inline void count_traffic(struct __sk_buff *skb, const struct flow *flow)
{
	struct service_stats *stats;

	if (flow->flags & FLOW_DIRECT) /* of no Service */
		return;
	stats = bpf_map_lookup_elem(&service_stats, &flow->service);
	if (stats) {
		stats->packets++;
		stats->bytes += skb->len;
	}
}

/* The request of a flow on its way in: VIP -> backend, and out again at once if it only passes through (clause E5). */
static __noinline int to_backend(struct __sk_buff *skb, struct packet *p, const struct device *device,
				 const struct flow *flow)
{
	int verdict;

	if (!p || !device || !flow)
		return TC_ACT_SHOT;
	count_traffic(skb, flow);
	skb->mark |= mark_in;
	if (packet_set_end(skb, p, false, &flow->backend, flow->backend_port))
		return drop(-DROP_REWRITE_FAILED);
	if (flow->flags & FLOW_TRANSIT) {
		if (packet_set_end(skb, p, true, &flow->snat, flow->snat_port))
			return drop(-DROP_REWRITE_FAILED);
		verdict = route_transit(skb, p);
		return verdict < 0 ? drop(verdict) : verdict;
	}
	if (packet_set_end(skb, p, true, &flow->client, flow->mapped_port))
		return drop(-DROP_REWRITE_FAILED);
	return device->flags & DEVICE_BRIDGE_PORT ? route_bridged(skb, p, device) : TC_NEXT;
}

/* The reply to a masqueraded flow on its way in: SNAT -> client, a transit flow through both edges. */
static __noinline int to_client(struct __sk_buff *skb, struct packet *p, const struct device *device,
				const struct flow *flow)
{
	int verdict;

	if (!p || !device || !flow)
		return TC_ACT_SHOT;
	skb->mark |= mark_in;
	if (flow->flags & FLOW_TRANSIT) {
		count_traffic(skb, flow);
		if (packet_set_end(skb, p, true, &flow->vip, flow->vip_port) ||
		    packet_set_end(skb, p, false, &flow->client, flow->client_port))
			return drop(-DROP_REWRITE_FAILED);
		verdict = route_transit(skb, p);
		return verdict < 0 ? drop(verdict) : verdict;
	}
	if (packet_set_end(skb, p, false, &flow->client, flow->mapped_port))
		return drop(-DROP_REWRITE_FAILED);
	return device->flags & DEVICE_BRIDGE_PORT ? route_bridged(skb, p, device) : TC_NEXT;
}

/*
 * Notes a reply. The first one makes the flow lasting; returns the owner as it is then, or NULL when the table is full
 * and the flow is refused.
 */
static __always_inline struct flow *answered(struct work *w, struct flow *owner)
{
	if (!(owner->state & FLOW_ANSWERED))
		owner = flow_promote(w, owner);
	if (owner)
		flow_touch(owner, w->packet.tcp_flags, false, w->now);
	return owner;
}

/*
 * Decides masquerade at ingress, where the client's kind is known (clause E8): the SNAT address is that of the device
 * the packet will leave by (clause E6); none on local delivery. Returns 0 or a negative enum drop_reason.
 */
static __always_inline int plan_masquerade(struct __sk_buff *skb, struct flow *flow, const struct device *device)
{
	struct route route = {};
	struct device *out;

	route_lookup(skb, &flow->client, &flow->backend, device->bridge ? device->bridge : skb->ifindex, &route);
	if (route.kind == ROUTE_LOCAL || route.kind == ROUTE_NONE)
		return 0;
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

static __always_inline void describe_client(struct work *w)
{
	const struct packet *p = &w->packet;
	struct flow *flow = &w->flow;

	__builtin_memset(flow, 0, sizeof(*flow));
	flow->client = p->src;
	flow->client_port = p->sport;
	flow->mapped_port = p->sport;
	flow->vip = p->dst;
	flow->vip_port = p->dport;
	flow->proto = p->proto;
	flow->created = w->now;
	flow->last_seen = w->now;
}

/* A new connection through a frontend. */
static __noinline int begin(struct __sk_buff *skb, struct work *w, const struct device *device,
			    const struct frontend *frontend)
{
	struct choice chosen = {};
	struct packet *p;
	bool masquerade;
	int err;

	if (!w || !device || !frontend)
		return TC_ACT_SHOT;
	p = &w->packet;
	err = choose_backend(frontend, from_outside(device) ? CLIENT_OUTSIDE : CLIENT_POD,
			     hash_flow(&p->src, &p->dst, p->sport, p->dport, p->proto), &chosen);
	if (err) {
		explain_choice(err == -DROP_NO_ENDPOINTS ? VERDICT_REJECT : VERDICT_DROP, -err, &chosen, false);
		if (dry_run)
			return TC_ACT_SHOT;
		count_refusal(chosen.service, -err);
		return err == -DROP_NO_ENDPOINTS ? reply_unreachable(skb, w) : TC_ACT_SHOT;
	}
	describe_client(w);
	w->flow.backend = chosen.addr;
	w->flow.backend_port = chosen.port;
	w->flow.service = chosen.service;
	w->flow.backend_id = chosen.backend;
	masquerade = chosen.masquerade || addr_equal(&w->flow.client, &w->flow.backend);
	if (masquerade)
		err = plan_masquerade(skb, &w->flow, device);
	explain_choice(err ? VERDICT_DROP : VERDICT_DNAT, -err, &chosen, masquerade);
	if (dry_run)
		return TC_ACT_SHOT;
	if (!err)
		err = flow_create(skb, w);
	if (err < 0)
		return drop(err);
	if (!err)
		count_connection(&chosen);
	return to_backend(skb, p, device, &w->flow);
}

/*
 * TCP to a frontend that begins nothing and that we have no record of. Netfilter may know it (a kube-proxy served it),
 * or a socket of this host, or it was translated before it came to this device; else its peer is told that there is no
 * such connection.
 */
static __noinline int no_flow(struct __sk_buff *skb, struct work *w, const struct frontend *frontend)
{
	struct packet *p;

	if (!w || !frontend)
		return TC_ACT_SHOT;
	p = &w->packet;
	flow_between(&w->probe, &p->src, p->sport, &p->dst, p->dport, p->proto);
	if (flow_find(&w->probe) || conntrack_knows(skb, &w->tuple) || socket_knows(skb, &w->tuple, false))
		return TC_NEXT;
	explain_refusal(VERDICT_DROP, DROP_NO_FLOW, frontend->service);
	if (dry_run)
		return TC_ACT_SHOT;
	count_refusal(frontend->service, DROP_NO_FLOW);
	return p->tcp_flags & TCP_RST ? TC_ACT_SHOT : reply_reset(skb, p);
}

/*
 * A packet to an address that is no frontend. If its tuple is claimed by a connection through a frontend, its backend
 * would take one for the other: the direct one gets a client port of its own (clause E1).
 */
static __noinline int direct(struct __sk_buff *skb, struct work *w, const struct device *device)
{
	struct flow *holder;
	struct packet *p;
	int err;

	if (!w || !device)
		return TC_NEXT;
	p = &w->packet;
	if (dry_run || (p->proto == IPPROTO_TCP && !packet_is_syn(p)))
		return TC_NEXT;
	flow_between(&w->inner, &p->src, p->sport, &p->dst, p->dport, p->proto);
	holder = flow_find(&w->inner);
	if (!holder)
		return TC_NEXT;
	holder = flow_owner_of(holder, &w->probe);
	/* its own packets do not come here untranslated; its backend may be sending from the port it serves on */
	if (!holder || !addr_equal(&holder->client, &p->src) || holder->mapped_port != p->sport || flow_closed(holder))
		return TC_NEXT;
	describe_client(w);
	w->flow.backend = p->dst;
	w->flow.backend_port = p->dport;
	w->flow.flags = FLOW_DIRECT;
	err = flow_create(skb, w);
	return err < 0 ? drop(err) : to_backend(skb, p, device, &w->flow);
}

/* A packet of a flow we know, seen from its client's side. */
static __always_inline int go_on(struct __sk_buff *skb, struct work *w, const struct device *device, struct flow *owner)
{
	explain_flow(owner);
	if (dry_run)
		return TC_ACT_SHOT;
	flow_touch(owner, w->packet.tcp_flags, true, w->now);
	return to_backend(skb, &w->packet, device, owner);
}

SEC("tc")
int pt_ingress(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct flow *record, *owner;
	struct frontend *frontend;
	struct device *device;
	struct packet *p;
	struct work *w;

	if (skb->mark & mark_in) /* clause E3 */
		return TC_NEXT;
	device = bpf_map_lookup_elem(&devices, &ifindex);
	w = work_here();
	if (!device || !w || skb->vlan_present)
		return TC_NEXT;
	p = &w->packet;
	if (packet_parse(skb, header_offset(device), p) || p->fragment)
		return TC_NEXT;

	w->now = now_seconds();
	flow_outer_key(&w->tuple, &p->src, p->sport, &p->dst, p->dport, p->proto);
	record = flow_find(&w->tuple);
	if (record && record->role == FLOW_PASS) {
		if (!dry_run)
			record->last_seen = w->now;
		return TC_NEXT;
	}
	if (record && record->role == FLOW_INDEX) {
		owner = flow_owner_of(record, &w->probe);
		if (owner) {
			if (dry_run) /* a reply begins nothing */
				return TC_NEXT;
			owner = answered(w, owner);
			return owner ? to_client(skb, p, device, owner) : drop(-DROP_FLOW_TABLE_FULL);
		}
		record = NULL; /* it outlived its flow */
	}
	if (record && packet_is_syn(p) && flow_closed(record)) {
		if (!dry_run)
			flow_forget(w, record);
		record = NULL;
	}
	if (record && !dry_run && flow_restore(w, record)) {
		flow_forget(w, record);
		record = NULL;
	}
	if (record)
		return go_on(skb, w, device, record);

	frontend = frontend_lookup(&p->dst, p->dport, p->proto, false);
	if (!frontend)
		return direct(skb, w, device);
	if (p->proto == IPPROTO_TCP && !packet_is_syn(p))
		return no_flow(skb, w, frontend);
	return begin(skb, w, device, frontend);
}

/*
 * A packet that leaves on a tuple some flow claimed for its SNAT, but is none of that flow's: a socket of this host, or
 * netfilter's masquerade. It gets a port of its own (clause E2).
 */
static __noinline int leave_claimed(struct __sk_buff *skb, struct work *w)
{
	int err;

	if (!w)
		return TC_ACT_SHOT;
	describe_client(w);
	w->flow.backend = w->packet.dst;
	w->flow.backend_port = w->packet.dport;
	w->flow.snat = w->packet.src;
	w->flow.flags = FLOW_DIRECT | FLOW_SNAT;
	err = flow_create(skb, w);
	if (err < 0)
		return drop(err);
	skb->mark |= mark_out;
	if (packet_set_end(skb, &w->packet, true, &w->flow.snat, w->flow.snat_port))
		return drop(-DROP_REWRITE_FAILED);
	return TC_NEXT;
}

/*
 * A packet of no flow leaves from a frontend's address and port: a socket of this host that happens to use it. Its
 * replies, which would arrive on w->tuple, must not be taken for new connections (clause E2).
 */
static __always_inline void note_pass(struct work *w)
{
	const struct packet *p = &w->packet;

	if (!frontend_lookup(&p->src, p->sport, p->proto, false))
		return;
	describe_client(w);
	w->flow.role = FLOW_PASS;
	bpf_map_update_elem(&flows, &w->tuple, &w->flow, BPF_ANY);
}

/* A packet of no flow of ours. */
static __always_inline int leave_foreign(struct __sk_buff *skb, struct work *w)
{
	const struct packet *p = &w->packet;
	struct flow *record;

	flow_outer_key(&w->tuple, &p->dst, p->dport, &p->src, p->sport, p->proto);
	record = flow_find(&w->tuple);
	if (record && record->role == FLOW_INDEX && flow_owner_of(record, &w->probe))
		return leave_claimed(skb, w);
	if (!record)
		note_pass(w);
	return TC_NEXT;
}

SEC("tc")
int pt_egress(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct flow *record, *owner;
	struct device *device;
	struct packet *p;
	struct work *w;

	if (skb->mark & mark_out) /* clause E3 */
		return TC_NEXT;
	device = bpf_map_lookup_elem(&devices, &ifindex);
	w = work_here();
	if (!device || !w)
		return TC_NEXT;
	p = &w->packet;
	if (packet_parse(skb, header_offset(device), p) || p->fragment)
		return TC_NEXT;

	w->now = now_seconds();
	flow_between(&w->inner, &p->src, p->sport, &p->dst, p->dport, p->proto);
	record = flow_find(&w->inner);
	owner = record ? flow_owner_of(record, &w->probe) : NULL;
	if (!owner)
		return leave_foreign(skb, w);

	if (addr_equal(&p->src, &owner->client) && p->sport == owner->mapped_port) {
		if (!(owner->flags & FLOW_SNAT) || (owner->flags & FLOW_TRANSIT))
			return TC_NEXT;
		skb->mark |= mark_out;
		if (packet_set_end(skb, p, true, &owner->snat, owner->snat_port))
			return drop(-DROP_REWRITE_FAILED);
		return TC_NEXT;
	}
	owner = answered(w, owner);
	if (!owner)
		return drop(-DROP_FLOW_TABLE_FULL);
	count_traffic(skb, owner);
	skb->mark |= mark_out;
	if (packet_set_end(skb, p, true, &owner->vip, owner->vip_port) ||
	    packet_set_end(skb, p, false, &owner->client, owner->client_port))
		return drop(-DROP_REWRITE_FAILED);
	return TC_NEXT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
