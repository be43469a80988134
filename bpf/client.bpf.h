/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* client.bpf.h: who begins a connection on the wire, as policy and masquerade ask (kube-proxy's detectLocalMode). */
#ifndef PORTOLAN_CLIENT_BPF_H
#define PORTOLAN_CLIENT_BPF_H

#include "maps.bpf.h"
#include "config.bpf.h"

static __always_inline bool from_outside(const struct device *device)
{
	return device->flags & (DEVICE_UPLINK | DEVICE_OVERLAY);
}

/* In a frame of its own: its callers' are full (begin.bpf.h, plan). */
static __noinline enum client_kind kind_by_source(const struct ip_addr *src)
{
	struct client_range key = {.prefix_length = 128};
	const struct client_range_kind *found;

	if (!src)
		return CLIENT_UNTOLD;
	key.addr = *src;
	found = bpf_map_lookup_elem(&client_kinds, &key);
	return found ? found->kind : CLIENT_UNTOLD;
}

/* Of a packet from src that came in by device. Never CLIENT_HOST: what the host sends passes no ingress of ours. */
static __always_inline enum client_kind client_kind(const struct device *device, const struct ip_addr *src)
{
	if (detect_local == DETECT_DEVICE)
		return from_outside(device) ? CLIENT_OUTSIDE : CLIENT_POD;
	if (detect_local == DETECT_CLUSTER_CIDR || detect_local == DETECT_NODE_CIDR)
		return kind_by_source(src);
	return device->flags & DEVICE_LOCAL ? CLIENT_POD : CLIENT_OUTSIDE;
}

#endif
