/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * explain.bpf.c: answers what a connecting socket would meet, with the functions the socket hooks themselves run; the
 * kernel has no test run for those. Reads the maps of the datapath and writes to none. Run it with BPF_PROG_TEST_RUN,
 * struct socket_question as the packet in and out; an XDP program, since those of type syscall may sleep, and must not
 * look into an LPM trie.
 */
#include "socket.bpf.h"

static __always_inline __u32 verdict_of(int reason)
{
	if (!reason)
		return VERDICT_DNAT;
	return reason_rejects(reason) ? VERDICT_REJECT : VERDICT_DROP;
}

SEC("xdp")
int pt_explain_socket(struct xdp_md *ctx)
{
	struct socket_question *question = (void *)(long)ctx->data;
	struct client client = {};
	struct explanation answer = {.verdict = VERDICT_PASS};
	struct choice chosen = {};
	struct frontend *frontend;
	struct ip_addr dst;
	__u32 unserved;
	int err = 0;

	if ((void *)(question + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	client.kind = question->who == CLIENT_HOST ? CLIENT_HOST : CLIENT_POD;
	client.source = question->client;
	answer.client = client.kind;
	client.netns = client.kind == CLIENT_HOST ? host_netns_cookie : netns_at(&client.source);
	dst = question->dst;
	frontend = socket_frontend(&dst, question->port, question->proto, client.kind, &unserved);
	if (frontend)
		answer.service = frontend->service;
	if (frontend && left_to_node(ctx, frontend, &dst, question->port, question->proto, client.kind)) {
		answer.on_wire = client.kind != CLIENT_HOST;
		frontend = NULL;
	} else if (frontend) {
		err = socket_choose(frontend, &client, &dst, &chosen);
	}
	if (left_to_wire(err, client.kind)) {
		answer.on_wire = 1;
	} else if (frontend) {
		answer.verdict = verdict_of(-err);
		answer.reason = -err;
		answer.service = chosen.service;
		answer.kind = chosen.kind;
		answer.local_set = chosen.local_set;
		answer.affinity = chosen.affinity;
		/* A socket connects to the backend itself, so that sees the client: masquerade stays 0. */
		answer.backend = chosen.backend;
		answer.backend_addr = chosen.addr;
		answer.backend_port = chosen.port;
	} else if (unserved && client.kind != CLIENT_HOST) {
		answer.on_wire = 1;
	} else if (unserved && !listens_here(ctx, &dst, question->port, question->proto,
					     unserved == DROP_UNUSED_PORT ? LISTENERS_ALL : LISTENERS_BOUND)) {
		answer.verdict = verdict_of(unserved);
		answer.reason = unserved;
	}
	question->answer = answer;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
