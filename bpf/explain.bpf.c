/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * explain.bpf.c: answers what a connecting socket would meet, with the functions the socket hooks themselves run; the
 * kernel has no test run for those. Reads the maps of the datapath and writes to none. Run it with BPF_PROG_TEST_RUN,
 * struct socket_question as context in and out.
 */
#include "socket.bpf.h"

static __always_inline __u32 verdict_of(int reason)
{
	if (!reason)
		return VERDICT_DNAT;
	return reason_rejects(reason) ? VERDICT_REJECT : VERDICT_DROP;
}

SEC("syscall")
int pt_explain_socket(struct socket_question *question)
{
	struct client client = {.kind = question->who == CLIENT_HOST ? CLIENT_HOST : CLIENT_POD};
	struct explanation answer = {.verdict = VERDICT_PASS, .client = client.kind};
	struct ip_addr dst = question->dst;
	struct choice chosen = {};
	struct frontend *frontend;
	__u32 unserved;

	if (client.kind == CLIENT_HOST)
		client.key.netns = host_netns_cookie;
	else
		client.key.client = question->client;
	frontend = socket_frontend(&dst, question->port, question->proto, client.kind, &unserved);
	if (frontend) {
		int err = socket_choose(frontend, &client, &chosen);

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
	} else if (unserved) {
		answer.verdict = verdict_of(unserved);
		answer.reason = unserved;
	}
	question->answer = answer;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
