/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * frontend.bpf.h: what an address and port is to us: a frontend, or a ClusterIP's unused port, or an address that no
 * Service has.
 */
#ifndef PORTOLAN_FRONTEND_BPF_H
#define PORTOLAN_FRONTEND_BPF_H

#include "addr.bpf.h"
#include "maps.bpf.h"

#include <stdbool.h>

/* The NodePort of a family, whichever addresses serve it; or NULL. */
static __always_inline struct frontend *node_port_lookup(bool v4, __be16 port, __u8 proto)
{
	struct frontend_key key = {.addr = addr_wildcard(v4), .port = port, .proto = proto};

	return bpf_map_lookup_elem(&frontends, &key);
}

/* enum address_flags; 0: an address that means nothing to us. */
static __always_inline __u32 address_flags(const struct ip_addr *addr)
{
	struct address *known = bpf_map_lookup_elem(&addresses, addr);

	return known ? known->flags : 0;
}

/*
 * Returns the frontend of addr:port, or NULL when nothing is served there; *flags then says what the address is.
 * NodePorts come last, on the addresses of this node (row 27); loopback is the node only for its own processes (row
 * 29), and the unspecified address is loopback, as it is to connect().
 */
static __always_inline struct frontend *frontend_lookup(const struct ip_addr *addr, __be16 port, __u8 proto,
							bool own_process, __u32 *flags)
{
	struct frontend_key key = {.addr = *addr, .port = port, .proto = proto};
	struct frontend *frontend;

	*flags = 0;
	if (addr_is_unspecified(addr)) { /* a NodePort's own key: not to be found by it */
		key.addr = addr_loopback(addr_is_v4(addr));
	} else {
		frontend = bpf_map_lookup_elem(&frontends, &key);
		if (frontend)
			return frontend;
	}
	*flags = address_flags(&key.addr);
	if (!(*flags & ADDRESS_NODE_PORT))
		return NULL;
	if ((*flags & ADDRESS_LOOPBACK) && !own_process)
		return NULL;
	key.addr = addr_wildcard(addr_is_v4(addr));
	return bpf_map_lookup_elem(&frontends,
				   &key); /* not node_port_lookup(): a second key would not fit tc's frame */
}

/* Whether ClusterIPs come from where addr is. Global, so that it is verified once, not per caller. */
__noinline int in_service_range(const struct ip_addr *addr)
{
	__u32 zero = 0;
	struct service_ranges *ranges = bpf_map_lookup_elem(&service_ranges, &zero);

	if (!addr || !ranges)
		return 0;
	for (__u32 i = 0; i < SERVICE_RANGES && i < ranges->used; i++) {
		struct service_range *range = &ranges->range[i];
		__u32 prefix = *(volatile __u32 *)&range->prefix;

		if (prefix && addr_same_prefix(addr, &range->addr, prefix))
			return 1;
	}
	return 0;
}

/*
 * Whether ports that frontend_lookup() does not find are refused at an address with these flags: a ClusterIP that is
 * served, all of it. The node answers for its own addresses, and another proxy for the Services it serves.
 */
static __always_inline bool refuses_ports(__u32 flags)
{
	const __u32 others = ADDRESS_NODE | ADDRESS_FOREIGN | ADDRESS_UNSURE;

	return (flags & (ADDRESS_CLUSTER_IP | others)) == ADDRESS_CLUSTER_IP;
}

/* A VIP that is an address of the node too has the node to answer for it. */
static __always_inline bool is_vip_alone(__u32 flags)
{
	return (flags & (ADDRESS_CLUSTER_IP | ADDRESS_EXTERNAL)) && !(flags & (ADDRESS_NODE | ADDRESS_FOREIGN));
}

/*
 * What a new connection to an address meets where frontend_lookup() finds nothing (row 46), flags from there: refused
 * at a ClusterIP that is served, silence at one that no Service has; DROP_NONE anywhere else.
 */
static __always_inline __u32 unserved_reason(const struct ip_addr *addr, __u32 flags)
{
	if (refuses_ports(flags))
		return DROP_UNUSED_PORT;
	return !flags && in_service_range(addr) ? DROP_UNALLOCATED : DROP_NONE;
}

/* Whether REJECT is the word: the client is told, where a silent DROP would leave it to its timeouts. */
static __always_inline bool reason_rejects(__u32 reason)
{
	return reason == DROP_NO_ENDPOINTS || reason == DROP_UNUSED_PORT;
}

#endif
