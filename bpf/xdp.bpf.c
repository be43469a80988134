/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xdp.bpf.c: packets of transit flows (clause E5) that both ends have taken up, on uplinks, before the kernel has made
 * anything of them: translated at both edges at once and out again. What begins a flow or ends in doubt, and all that
 * is not plain TCP or UDP, goes up to tc, which does the same work by the same records.
 */
#include "flow.bpf.h"
#include "standing.bpf.h"
#include "xdp_frame.bpf.h"

#define AF_INET 2
#define AF_INET6 10

/*
 * The owner of a lasting transit flow that this packet goes on with, whichever way it goes; NULL: tc is asked. A
 * datagram keeps its backend only while that serves, a connection that ends with its endpoint likewise: when the
 * Service has changed tc looks whether it does, and brings the record up to date.
 */
static __always_inline struct flow *ongoing(const struct frame *f, bool *request)
{
	struct flow_key key;
	struct flow *owner;

	flow_outer_key(&key, &f->ends.src, f->ends.sport, &f->ends.dst, f->ends.dport, f->proto);
	owner = bpf_map_lookup_elem(&flows, &key);
	if (!owner)
		return NULL;
	*request = owner->role == FLOW_OWNER;
	if (owner->role == FLOW_INDEX) {
		struct flow *index = owner;

		flow_owner_key(&key, index);
		owner = bpf_map_lookup_elem(&flows, &key);
		if (!owner || owner->role != FLOW_OWNER || !flow_same(owner, index))
			return NULL;
	} else if (!*request) {
		return NULL;
	}
	if ((owner->flags & (FLOW_TRANSIT | FLOW_DIRECT)) != FLOW_TRANSIT || !(owner->state & FLOW_LASTING) ||
	    (owner->state & FLOW_ENDED))
		return NULL;
	if (*request && (f->proto == IPPROTO_UDP || (owner->flags & FLOW_ENDS)) &&
	    !word_stands(owner->service, owner->epoch))
		return NULL;
	return owner;
}

/* Asks where a packet between these ends goes that came in by ifindex. Returns false where tc is to see to it. */
static __always_inline bool find_way(struct xdp_md *ctx, const struct frame *f, const struct ends *to,
				     struct bpf_fib_lookup *fib)
{
	fib->family = f->ip4 ? AF_INET : AF_INET6;
	fib->tot_len = f->length;
	fib->ifindex = ctx->ingress_ifindex;
	if (f->ip4) {
		fib->ipv4_src = to->src.w[3];
		fib->ipv4_dst = to->dst.w[3];
	} else {
		__builtin_memcpy(fib->ipv6_src, &to->src, sizeof(fib->ipv6_src));
		__builtin_memcpy(fib->ipv6_dst, &to->dst, sizeof(fib->ipv6_dst));
	}
	return bpf_fib_lookup(ctx, fib, sizeof(*fib), 0) == BPF_FIB_LKUP_RET_SUCCESS;
}

SEC("xdp")
int pt_xdp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 ifindex = ctx->ingress_ifindex, now = now_seconds();
	struct bpf_fib_lookup fib = {};
	struct device *device;
	struct flow *owner;
	struct frame f;
	struct ends to;
	bool request;

	device = bpf_map_lookup_elem(&devices, &ifindex);
	if (!device || !read_frame(&f, data, end) || (f.tcp_flags & TCP_SYN) ||
	    __builtin_memcmp(f.eth->h_dest, device->mac, ETH_ALEN))
		return XDP_PASS;
	owner = ongoing(&f, &request);
	if (!owner)
		return XDP_PASS;
	to.src = request ? owner->snat : owner->vip;
	to.sport = request ? owner->snat_port : owner->vip_port;
	to.dst = request ? owner->backend : owner->client;
	to.dport = request ? owner->backend_port : owner->client_port;
	if (!find_way(ctx, &f, &to, &fib) || fib.ifindex != ifindex)
		return XDP_PASS;

	if (!request && !(owner->state & FLOW_ANSWERED))
		__sync_fetch_and_or(&owner->state, FLOW_ANSWERED);
	flow_touch(owner, f.tcp_flags, request, now);
	count_traffic(owner, end - data);
	set_ends(&f, &to);
	__builtin_memcpy(f.eth->h_dest, fib.dmac, ETH_ALEN);
	__builtin_memcpy(f.eth->h_source, fib.smac, ETH_ALEN);
	return XDP_TX;
}

char _license[] SEC("license") = "Dual BSD/GPL";
