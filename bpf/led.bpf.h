/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* led.bpf.h: datagrams that a kube-proxy has begun to lead before us, and netfilter leads on without its rules. */
#ifndef PORTOLAN_LED_BPF_H
#define PORTOLAN_LED_BPF_H

#include <linux/in.h>
#include "conntrack.bpf.h"
#include "standing.bpf.h"
#include "work.bpf.h"

/*
 * Whether a datagram to a frontend goes on as netfilter knows it: as an answer, or to an endpoint that a kube-proxy
 * chose before us, for as long as that serves. A record that was made when there was no such Service, and leads
 * nowhere else, says nothing.
 */
static __noinline int left_to_netfilter(struct __sk_buff *skb, struct work *w, const struct frontend *frontend)
{
	struct remembered endpoint = {};
	struct destination to = {};
	int led;

	if (!w || !frontend || w->packet.proto != IPPROTO_UDP)
		return 0;
	led = conntrack_leads(skb, &w->tuple, &to);
	if (led != LED_TO)
		return led == LED_BACK;
	endpoint.service = frontend->service;
	endpoint.addr = &to.addr;
	endpoint.port = to.port;
	return still_serves(&endpoint);
}

#endif
