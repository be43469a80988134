/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tc.bpf.c: the rule of the edge. Between these two hooks the kernel sees (client, backend); the VIP exists only
 * outside the client's edge, the SNAT address only outside the backend's. ingress: request VIP -> backend, reply SNAT
 * -> client. egress: request client -> SNAT, reply backend -> VIP. Clauses E1-E8 are named where they are kept.
 */
#include "begin.bpf.h"
#include "led.bpf.h"
#include "ongoing.bpf.h"

/* There is no room for a connection that both ends believe in: its client is told at once. */
static __always_inline int no_room(struct __sk_buff *skb, struct work *w)
{
	return w->packet.proto == IPPROTO_TCP ? refuse(skb, w, 0, DROP_FLOW_TABLE_FULL) : drop(-DROP_FLOW_TABLE_FULL);
}

/* The client hears that its connection is no more; the endpoint does when it next says something. */
static __noinline int end_connection(struct __sk_buff *skb, const struct packet *p, struct flow *owner)
{
	if (!p || !owner)
		return TC_ACT_SHOT;
	explain_refusal(VERDICT_DROP, DROP_ENDPOINT_LEFT, owner->service);
	if (dry_run)
		return TC_ACT_SHOT;
	__sync_fetch_and_or(&owner->state, FLOW_RST | FLOW_ENDED);
	count_drop(DROP_ENDPOINT_LEFT);
	return p->later ? TC_ACT_SHOT : reply_reset(skb, p); /* a later fragment has no TCP header */
}

/* A packet of a flow we know, seen from its client's side. */
static __always_inline int go_on(struct __sk_buff *skb, struct work *w, const struct device *device, struct flow *owner)
{
	explain_flow(owner);
	if (dry_run)
		return TC_ACT_SHOT;
	owner = heard_client(w, owner);
	return owner ? to_backend(skb, &w->packet, device, owner) : no_room(skb, w);
}

/* An ICMP error goes the way of the flow it is about, and is no word of either end (clause E7). */
static __noinline int error_in(struct __sk_buff *skb, struct work *w, const struct device *device,
			       const struct flow *record)
{
	const struct flow *owner = record;

	if (!w || !device || !record || record->role == FLOW_PASS)
		return TC_NEXT;
	if (record->role == FLOW_INDEX)
		owner = flow_owner_of(record, &w->probe);
	if (!owner || dry_run)
		return TC_NEXT;
	if (w->packet.redirect)
		return drop(-DROP_ICMP_REDIRECT);
	return owner == record ? to_backend(skb, &w->packet, device, owner) : to_client(skb, &w->packet, device, owner);
}

/*
 * What cannot be served as it is: malformed, or a fragment whose first is yet to come. No way leads it past a VIP: the
 * stack would forward it, whatever is wrong behind the IP header.
 */
static __always_inline int unfit(const struct work *w, int what)
{
	__u32 reason = what == MALFORMED ? DROP_MALFORMED : what == OVERTOOK ? DROP_OVERTOOK : DROP_NONE;

	return reason && is_vip_alone(address_flags(&w->packet.dst)) ? drop(-(__s32)reason) : TC_NEXT;
}

SEC("tc")
int pt_ingress(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex, flags, reason;
	struct flow *record, *owner;
	struct frontend *frontend;
	struct device *device;
	struct packet *p;
	struct work *w;
	int other;

	if (takes_over && still_before())
		bpf_tail_call(skb, &programs_before, BEFORE_INGRESS);
	if (skb->mark & mark_in) /* clause E3 */
		return TC_NEXT;
	device = bpf_map_lookup_elem(&devices, &ifindex);
	w = work_here();
	if (!device || !w || skb->vlan_present || for_other_host(skb, device))
		return TC_NEXT;
	p = &w->packet;
	other = read_packet(skb, p, device, SPACE_OUTER);
	if (other == PORTLESS)
		return portless(skb, w, device);
	if (other)
		return unfit(w, other);

	explain_client(device, &p->src);
	w->now = now_seconds();
	flow_outer_key(&w->tuple, &p->src, p->sport, &p->dst, p->dport, p->proto);
	record = flow_find(&w->tuple);
	if (p->quote)
		return error_in(skb, w, device, record);
	if (record && record->role == FLOW_PASS) {
		if (!packet_is_syn(p)) {
			if (!dry_run)
				record->last_seen = w->now;
			return TC_NEXT;
		}
		if (!dry_run) /* a SYN answers nobody: it comes to the frontend */
			flow_unclaim(&w->tuple);
		record = NULL;
	}
	if (record && record->role == FLOW_INDEX) {
		owner = flow_owner_of(record, &w->probe);
		if (owner) {
			if (dry_run) /* a reply begins nothing */
				return TC_NEXT;
			heard_backend(w, owner);
			return to_client(skb, p, device, owner);
		}
		record = NULL; /* it outlived its flow */
	}
	if (record && begins_anew(p, record, w->now)) {
		if (!dry_run)
			flow_forget(w, record);
		record = NULL;
	}
	if (record && ends_here(p, record))
		return end_connection(skb, p, record);
	if (record && !dry_run && flow_restore(w, record)) {
		flow_forget(w, record);
		record = NULL;
	}
	if (record)
		return go_on(skb, w, device, record);

	frontend = frontend_lookup(&p->dst, p->dport, p->proto, false, &flags);
	if (frontend && (frontend->flags & FRONTEND_ON_NODE) && socket_knows(skb, &w->tuple, LISTENERS_BOUND)) {
		explain_refusal(VERDICT_PASS, DROP_NONE, frontend->service);
		frontend = NULL;
		flags = ADDRESS_NODE;
	}
	if (frontend && left_to_netfilter(skb, w, frontend)) {
		explain_refusal(VERDICT_PASS, DROP_NONE, frontend->service);
		return TC_NEXT;
	}
	if (frontend && p->later) /* its first begins, or is refused */
		return drop(-DROP_FRAGMENT);
	if (proto_connects(p->proto) && !packet_is_syn(p)) {
		if (frontend || refuses_ports(flags))
			return no_flow(skb, w, device, frontend);
		return TC_NEXT;
	}
	if (frontend)
		return begin(skb, w, device, frontend);
	reason = unserved_reason(&p->dst, flags);
	other = reason ? unserved(skb, w, device, reason) : TC_NEXT;
	if (other != TC_NEXT)
		return other;
	return p->later ? TC_NEXT : direct(skb, w, device);
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
 * replies, which would arrive on w->tuple, must not be taken for new connections (clause E2). Whoever sends this way, a
 * pod behind netfilter's masquerade too, may do so to any number of others: the records may be evicted. What netfilter
 * translates needs none, and a datagram's would outlive its endpoint: there ingress asks netfilter (left_to_netfilter).
 */
static __always_inline void note_pass(struct __sk_buff *skb, struct work *w)
{
	const struct packet *p = &w->packet;
	struct destination to = {};
	struct frontend *frontend;
	__u32 flags;

	frontend = frontend_lookup(&p->src, p->sport, p->proto, false, &flags);
	if (!frontend || (frontend->flags & FRONTEND_ON_NODE)) /* there ingress asks for the socket itself */
		return;
	if (p->proto == IPPROTO_UDP && conntrack_leads(skb, &w->tuple, &to) == LED_TO)
		return;
	describe_client(w);
	w->flow.role = FLOW_PASS;
	bpf_map_update_elem(&nascent, &w->tuple, &w->flow, BPF_ANY);
}

/* A packet of no flow of ours. */
static __always_inline int leave_foreign(struct __sk_buff *skb, struct work *w, const struct device *device)
{
	const struct packet *p = &w->packet;
	struct flow *record;

	flow_outer_key(&w->tuple, &p->dst, p->dport, &p->src, p->sport, p->proto);
	if (leaves_for_nobody(skb, w, device))
		return drop(-DROP_UNALLOCATED);
	record = flow_find(&w->tuple);
	if (record && record->role == FLOW_INDEX && flow_owner_of(record, &w->probe))
		return leave_claimed(skb, w);
	if (!record)
		note_pass(skb, w);
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

	if (takes_over && still_before())
		bpf_tail_call(skb, &programs_before, BEFORE_EGRESS);
	if (skb->mark & mark_out) /* clause E3 */
		return TC_NEXT;
	device = bpf_map_lookup_elem(&devices, &ifindex);
	w = work_here();
	if (!device || !w)
		return TC_NEXT;
	p = &w->packet;
	if (read_packet(skb, p, device, SPACE_INNER))
		return TC_NEXT;

	w->now = now_seconds();
	flow_between(&w->inner, &p->src, p->sport, &p->dst, p->dport, p->proto);
	record = flow_find(&w->inner);
	owner = record ? flow_owner_of(record, &w->probe) : NULL;
	if (!owner)
		return p->quote ? TC_NEXT : leave_foreign(skb, w, device);
	if (p->quote && p->redirect)
		return drop(-DROP_ICMP_REDIRECT);
	if (p->overtaken)
		return send_in_order(skb, p, 0);

	if (addr_equal(&p->src, &owner->client) && p->sport == owner->mapped_port) {
		if (!(owner->flags & FLOW_SNAT))
			return TC_NEXT;
		if ((owner->flags & FLOW_DIRECT) && !p->quote) /* began here (leave_claimed): no ingress notes it */
			owner = heard_client(w, owner);
		if (!owner)
			return drop(-DROP_FLOW_TABLE_FULL);
		skb->mark |= mark_out;
		if (set_end(skb, p, true, &owner->snat, owner->snat_port))
			return drop(-DROP_REWRITE_FAILED);
		return TC_NEXT;
	}
	if (!p->quote) {
		if (speaks_to_another(p, owner)) {
			give_way(w, owner);
			return TC_NEXT;
		}
		heard_backend(w, owner);
	}
	count_traffic(owner, skb->len);
	skb->mark |= mark_out;
	if (set_end(skb, p, true, &owner->vip, owner->vip_port) ||
	    set_end(skb, p, false, &owner->client, owner->client_port))
		return drop(-DROP_REWRITE_FAILED);
	return TC_NEXT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
