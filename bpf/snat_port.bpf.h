/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * snat_port.bpf.h: which ports a masqueraded connection may have, and how hard it is to come by one: pressure shows in
 * the tries long before no port is left.
 */
#ifndef PORTOLAN_SNAT_PORT_BPF_H
#define PORTOLAN_SNAT_PORT_BPF_H

#include "addr.bpf.h"
#include "config.bpf.h"
#include "maps.bpf.h"

static __always_inline bool port_usable(__u16 port)
{
	return port >= snat_port_min && port <= snat_port_max && (port < node_port_min || port > node_port_max);
}

/*
 * A frontend on the SNAT address would take the reply for a new connection; so would a NodePort, which may be outside
 * the range that port_usable() leaves out. In a frame of its own: its callers' have no room for the key.
 */
static __noinline int port_is_frontend(const struct flow *flow)
{
	struct frontend_key key = {.addr = flow->snat, .port = flow->snat_port, .proto = flow->proto};

	if (bpf_map_lookup_elem(&frontends, &key))
		return 1;
	key.addr = addr_wildcard(addr_is_v4(&flow->snat));
	return bpf_map_lookup_elem(&frontends, &key) != NULL;
}

/* Index: the smallest n with tries <= 2^n. Written when a port is claimed; read by the agent's metrics. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SNAT_TRIES_BUCKETS);
	__type(key, __u32);
	__type(value, struct snat_tries);
} snat_tries SEC(".maps");

/* tries: 1 or more. In a frame of its own, as port_is_frontend(). */
static __noinline int count_snat_port(__u32 tries)
{
	__u32 bucket = tries > 1 ? 32 - __builtin_clz(tries - 1) : 0;
	struct snat_tries *counted = bpf_map_lookup_elem(&snat_tries, &bucket);

	if (!counted)
		return 0;
	count(&counted->ports, 1);
	count(&counted->tries, tries);
	return 0;
}

#endif
