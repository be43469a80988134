/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * abi_flows.h: the part of abi.h that the programs write and the agent reads: flows, sockets, clients, counters, and
 * the answers to its questions. Included by abi.h.
 */
#ifndef PORTOLAN_ABI_FLOWS_H
#define PORTOLAN_ABI_FLOWS_H

/* ---- flows --------------------------------------------------------------------------------------------------------
 */

enum flow_space {
	SPACE_OUTER = 1, /* a packet as it arrives: (client -> vip) owner, (backend -> snat) index, or a PASS record */
	SPACE_INNER = 2, /* between our hooks: (backend, client), the two ends ordered by bytes; always an index */
};

struct flow_key {
	struct ip_addr src;
	struct ip_addr dst;
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 space; /* enum flow_space */
	__u16 pad;
};

enum flow_role {
	FLOW_OWNER = 1, /* the one record that counts: key (client, vip) in SPACE_OUTER */
	FLOW_INDEX = 2, /* a copy under another key; only as good as its owner */
	FLOW_PASS = 3,  /* not ours: a reply to it must not be taken for a new flow */
};

enum flow_flags {
	FLOW_SNAT = 1,      /* the backend sees snat:snat_port instead of client:mapped_port */
	FLOW_TRANSIT = 2,   /* enters and leaves by uplinks: both edges at once, conntrack never sees it */
	FLOW_DIRECT = 4,    /* no frontend: a direct or host connection whose tuple was taken (vip == backend) */
	FLOW_ENDS = 8,      /* began with BLOCK_ENDS_CONNECTIONS */
	FLOW_UNROUTED = 16, /* to be masqueraded, and had no way there when it began */
};

enum flow_state {
	FLOW_ANSWERED = 1, /* the backend has replied */
	FLOW_FIN_CLIENT = 2,
	FLOW_FIN_BACKEND = 4,
	FLOW_RST = 8,         /* closed: RST; SCTP's ABORT or SHUTDOWN COMPLETE */
	FLOW_LASTING = 16,    /* the client went on after the answer: not nascent any more */
	FLOW_ENDED = 32,      /* with FLOW_RST: by BLOCK_ENDS_CONNECTIONS */
	FLOW_RST_CLIENT = 64, /* with FLOW_RST: the client sent it */
};

/*
 * All that translation needs, so that removing an endpoint or a Service never touches an established connection.
 * Packets between our hooks are (client:mapped_port, backend:backend_port); mapped_port is client_port unless that
 * tuple was taken when the flow began. Everything but state, last_seen, service,
 * epoch and backend_id is immutable.
 */
struct flow {
	struct ip_addr client;
	struct ip_addr vip;
	struct ip_addr backend;
	struct ip_addr snat; /* valid with FLOW_SNAT */
	__be16 client_port;
	__be16 vip_port;
	__be16 backend_port;
	__be16 snat_port;
	__be16 mapped_port;
	__u8 role; /* enum flow_role */
	__u8 proto;
	__u32 service; /* 0 with FLOW_DIRECT and FLOW_PASS */
	__u32 backend_id;
	__u32 created;   /* seconds since boot */
	__u32 last_seen; /* seconds since boot; of the owner */
	__u32 state;     /* enum flow_state; of the owner; changed atomically */
	__u32 flags;     /* enum flow_flags */
	__u32 epoch;     /* of the service word that the backend was last seen in; of the owner */
};

/* Every field of struct flow: what an agent of another layout takes over (before.bpf.h). A name keeps its meaning. */
#define FLOW_FIELDS(F)                                                                                                 \
	F(client)                                                                                                      \
	F(vip)                                                                                                         \
	F(backend)                                                                                                     \
	F(snat)                                                                                                        \
	F(client_port)                                                                                                 \
	F(vip_port)                                                                                                    \
	F(backend_port)                                                                                                \
	F(snat_port)                                                                                                   \
	F(mapped_port)                                                                                                 \
	F(role)                                                                                                        \
	F(proto)                                                                                                       \
	F(service)                                                                                                     \
	F(backend_id)                                                                                                  \
	F(created)                                                                                                     \
	F(last_seen)                                                                                                   \
	F(state)                                                                                                       \
	F(flags)                                                                                                       \
	F(epoch)

/*
 * What pt_migrate did with the records of the layout before; its context, all out. Another version may run it, to
 * finish what an agent of this one was killed in: no field may ever change.
 */
struct migration {
	__u32 records;
	__u32 failed; /* of them */
	__u32 error;  /* errno of the last failure, or of a table that could not be walked */
	__u32 pad;
};

/* ---- sockets: life of the entry equals the socket's (sk_storage) ------------------------------------------------- */

struct sock_peer {
	struct ip_addr vip;
	struct ip_addr backend;
	__be16 vip_port;
	__be16 backend_port;
	__u32 backend_id;
	__u32 service;
	__u32 epoch;     /* of the service word that the backend was last seen in */
	__u32 sent;      /* sock_peers.clock at the last use; the greatest is the latest, 0 an empty slot */
	__u32 connected; /* 1: the last connect() chose this one */
};

struct sock_peers {
	struct sock_peer peer[SOCK_PEERS];
	__u32 clock; /* counts changes of the peer in use */
	__u32 pad;
	__u64 netns; /* cookie of the socket's namespace once it talks to a service with affinity, else 0 */
};

/* ---- session affinity --------------------------------------------------------------------------------------------
 */

/*
 * Who keeps to an endpoint of a service. A socket connects before the kernel chooses its source address, so clients on
 * this node are known by their network namespace as soon as a packet has told which address that has (client_netns).
 */
struct affinity_key {
	__u64 netns;           /* cookie, or 0 */
	struct ip_addr client; /* the address when there is no .netns, else all zero */
	__u32 service;
	__u32 pad;
};

/* Addresses, not ids: an id may be another endpoint's by now. */
struct affinity {
	struct ip_addr backend;
	__be16 port;
	__u16 position;  /* where its set had it at the last use: looked at first */
	__u32 epoch;     /* block_header.affinity_epoch when it was chosen */
	__u32 last_used; /* seconds since boot */
};

/* How affinity took part in a choice. */
enum affinity_part {
	AFFINITY_NONE = 0,
	AFFINITY_BEGUN = 1, /* the client had no endpoint that still serves, and keeps this one from now on */
	AFFINITY_KEPT = 2,
};

struct client_netns {
	__u64 cookie;
};

/* ---- counters ------------------------------------------------------------------------------------------------------
 */

struct service_stats {
	__u64 connections;
	__u64 packets; /* on the wire path, both directions */
	__u64 bytes;
	__u64 rejects; /* REJECT and DROP verdicts: no endpoint, or a client that is not admitted */
};

struct backend_stats {
	__u64 connections;
};

enum snat_tries_buckets { SNAT_TRIES_BUCKETS = 17 };

/* Bucket n: SNAT ports that took at most 2^n tries, and more than half as many; a try is a look at one port. */
struct snat_tries {
	__u64 ports;
	__u64 tries; /* of all of them together */
};

/* Why a packet or a connect() was not served. The numbers are ABI: append only, a retired one is UNUSEDn. */
enum drop_reason {
	DROP_NONE = 0,
	DROP_NO_ENDPOINTS,       /* the Service has none anywhere: REJECT */
	DROP_NO_LOCAL_ENDPOINTS, /* policy Local, none on this node: silent */
	DROP_NO_FLOW,            /* TCP that belongs to no connection we know */
	DROP_FLOW_TABLE_FULL,
	DROP_SNAT_EXHAUSTED,  /* no free SNAT port towards this backend */
	DROP_REMAP_EXHAUSTED, /* no free client port for a taken tuple */
	DROP_NO_SNAT_ADDRESS, /* the device it leaves by has no address of this family */
	DROP_NO_ROUTE,        /* to the other end of a transit flow, or none that masquerade could know */
	DROP_UNUSED9,         /* was for a TTL that ran out in transit, where the stack answers now */
	DROP_STALE_SERVICE,   /* a frontend names a service without a block */
	DROP_REWRITE_FAILED,  /* the kernel refused to change the packet; or a port in SCTP fragments must change */
	DROP_ICMP_REDIRECT,   /* it would teach one end a way to an address that only the other edge knows */
	DROP_FRAGMENT,        /* a later fragment to a frontend, whose first was refused */
	DROP_SOURCE_RANGE,    /* the frontend does not serve this client's address: silent */
	DROP_ENDPOINT_LEFT,   /* the connection's endpoint serves no more, and its Service wants it ended: RST */
	DROP_UNUSED_PORT,     /* a ClusterIP that serves other ports or protocols: REJECT */
	DROP_UNALLOCATED,     /* in a range of ClusterIPs, but no Service's: silent */
	DROP_REPLY_LIMIT,     /* a refusal that its sender is not told of, or a ping of a VIP: there were too many */
	DROP_MALFORMED,       /* to a VIP, and its lengths contradict each other: silent */
	DROP_OVERTOOK,        /* a fragment to a VIP before its first: a copy waits for that */
	DROP_REASONS          /* count; not a reason */
};

/* ---- sweeping ------------------------------------------------------------------------------------------------------
 */

/* What one run of pt_sweep did; its context, all out. */
struct sweep_report {
	__u32 scanned;         /* records seen; of them .nascent in nascent, the others in flows */
	__u32 owners_deleted;  /* expired flows, PASS records included */
	__u32 indexes_deleted; /* of expired flows, or left behind without an owner */
	__u32 failed;          /* 0 or the errno of a table that could not be walked */
	__u32 nascent;
	__u32 owners; /* that stay, of both tables: connections, PASS records left out */
	__u32 snat;   /* of them with FLOW_SNAT: each holds a port */
	__u32 pad;
};

/* ---- explain: what a dry run of the packet path decided ------------------------------------------------------------
 */

enum verdict {
	VERDICT_PASS = 0, /* not ours */
	VERDICT_DNAT = 1,
	VERDICT_REJECT = 2,
	VERDICT_DROP = 3,
};

struct explanation {
	__u32 verdict; /* enum verdict */
	__u32 reason;  /* enum drop_reason */
	__u32 service;
	__u32 backend;   /* id of the chosen one */
	__u8 kind;       /* enum frontend_kind */
	__u8 local_set;  /* 1: chosen from the local set */
	__u8 masquerade; /* 1: the backend will see a node address */
	__u8 existing;   /* 1: an established flow answered, not the frontend */
	struct ip_addr backend_addr;
	__be16 backend_port;
	__u8 affinity; /* enum affinity_part */
	__u8 client;   /* enum client_kind */
	__u8 on_wire;  /* 1: the socket leaves this frontend to its packets, verdict is VERDICT_PASS */
	__u8 pad[3];
};

/* The packet of pt_explain_socket: asks what a connecting socket meets; answer is written back. */
struct socket_question {
	struct ip_addr dst;
	__be16 port;
	__u8 proto;
	__u8 who;              /* enum client_kind; a socket is never CLIENT_OUTSIDE */
	struct ip_addr client; /* its address; unspecified: the kernel is to choose it */
	struct explanation answer;
};

#endif
