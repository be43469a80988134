/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * abi_services.h: the part of abi.h that the agent writes and the programs read: Services and this node. Included by
 * abi.h.
 */
#ifndef PORTOLAN_ABI_SERVICES_H
#define PORTOLAN_ABI_SERVICES_H

/* ---- frontends: which service an address:port belongs to ------------------------------------------------------- */

enum frontend_kind {
	FRONTEND_CLUSTER_IP = 1,
	FRONTEND_NODE_PORT = 2,
	FRONTEND_EXTERNAL_IP = 3,
	FRONTEND_LOAD_BALANCER = 4,
};

/* NodePorts stand once, under the family's wildcard (:: or ::ffff:0.0.0.0), behind the set of node addresses. */
struct frontend_key {
	struct ip_addr addr;
	__be16 port;
	__u8 proto; /* IPPROTO_TCP 6, IPPROTO_UDP 17, IPPROTO_SCTP 132 */
	__u8 pad;
};

enum frontend_flags {
	FRONTEND_ON_NODE = 1, /* a ClusterIP that an interface of this node has: who listens there comes first */
};

struct frontend {
	__u32 service; /* index into services, service_meta, service_stats; never 0 */
	__u8 kind;     /* enum frontend_kind */
	__u8 flags;    /* enum frontend_flags */
	__u8 pad[2];
};

/* What an address is, whatever the port; never 0. */
enum address_flags {
	ADDRESS_NODE_PORT = 1,  /* NodePorts are served here */
	ADDRESS_LOOPBACK = 2,   /* 127/8, ::1: only for sockets of the host's own network namespace */
	ADDRESS_NODE = 4,       /* of this node */
	ADDRESS_CLUSTER_IP = 8, /* some port is served here as a ClusterIP's: the others are refused */
	ADDRESS_EXTERNAL = 16,  /* likewise as an external IP's or a load balancer's: the others are left alone */
	ADDRESS_FOREIGN = 32, /* the ClusterIP of a Service that is not served here: all but frontends is left alone */
	ADDRESS_UNSURE = 64,  /* some port of a Service may not be a frontend yet: all others are left alone */
};

struct address {
	__u32 flags; /* enum address_flags */
	__u32 pad;
};

/* Leading bits of addr that count, of an IPv4 range 96 more than it says; 0: none, the slot is free. */
struct service_range {
	struct ip_addr addr;
	__u32 prefix;
};

/* Ranges that the cluster gives ClusterIPs from, both families. A slot's prefix is written after its address. */
struct service_ranges {
	__u32 used; /* slots to look at */
	struct service_range range[SERVICE_RANGES];
	__u32 pad;
};

/* ---- services -> block of members -> backends ------------------------------------------------------------------ */

/*
 * One 64-bit word names the block in force, so that one store publishes a change: row is the index of the block's
 * header in members (0: the service has no block), epoch grows with every change of the word.
 */
struct service_word {
	__u32 row;
	__u32 epoch;
};

/* A set of endpoints: count ids beginning first_row rows after the block's header. table_row 0: no Maglev table. */
struct endpoint_set {
	__u32 count;
	__u32 first_row;
	__u32 table_row;  /* absolute row in tables */
	__u32 table_size; /* slots, a prime */
};

enum scheduler {
	SCHEDULER_DEFAULT = 0, /* Maglev for clients from outside if there is a table, else random */
	SCHEDULER_RANDOM = 1,
	SCHEDULER_MAGLEV = 2,
};

enum block_flags {
	BLOCK_INTERNAL_LOCAL = 1,   /* internalTrafficPolicy: Local */
	BLOCK_EXTERNAL_LOCAL = 2,   /* externalTrafficPolicy: Local */
	BLOCK_HAS_ENDPOINTS = 4,    /* any node has a usable endpoint: an empty set drops instead of rejecting */
	BLOCK_ENDS_CONNECTIONS = 8, /* of TCP: connections to an endpoint that serves no more are ended */
};

/*
 * The first row of a block; immutable once a service_word names it. Where the local set is a prefix of the cluster
 * set, local.first_row == cluster.first_row and only the count is smaller.
 */
struct block_header {
	__u32 service;
	__u32 rows; /* of the whole block, this one included */
	struct endpoint_set cluster;
	struct endpoint_set local;
	__u8 scheduler;         /* enum scheduler */
	__u8 source_kinds;      /* bits 1 << enum frontend_kind: these serve whom source_set admits, and nobody else */
	__u16 flags;            /* enum block_flags */
	__u32 affinity_timeout; /* seconds a client keeps its endpoint after its last connection; 0: no affinity */
	__u32 serving_count;  /* endpoints that flows may stay with and that are in neither set, in rows behind both */
	__u32 ends_epoch;     /* of the service word when BLOCK_ENDS_CONNECTIONS came to be: it ends none from before */
	__u32 affinity_epoch; /* of the service word when affinity began: what clients had before is void */
	__u32 source_set;     /* in source_ranges; 0: admits nobody */
};

/*
 * Whom a block's frontends serve: the longest prefix of a set that matches a client's address decides, and whom none
 * matches is not admitted. The unspecified address of a family stands for the node's own processes that leave the
 * choice of their address to the kernel. A set is immutable while a block names it.
 */
struct source_key {
	__u32 prefix_length; /* SOURCE_SET_BITS + 0..128 */
	__u32 set;           /* never 0 */
	struct ip_addr addr;
};

enum source_bits { SOURCE_SET_BITS = 32 };

struct source_verdict {
	__u32 admit;   /* 1 or 0 */
	__u32 entries; /* of the whole set: fewer in the map are one that is not finished */
};

struct block_ids {
	__u32 backend[IDS_PER_ROW]; /* index into backends, never 0; unused tail is 0 */
};

struct block_row {
	union {
		struct block_header header;
		struct block_ids ids;
	};
};

struct table_row {
	__u16 slot[SLOTS_PER_ROW]; /* position in the endpoint set */
};

enum backend_flags {
	BACKEND_LIVE = 1,  /* the cell is in use */
	BACKEND_LOCAL = 2, /* on this node */
	BACKEND_TERMINATING = 4,
};

struct backend {
	struct ip_addr addr;
	__be16 port;
	__u8 proto;
	__u8 flags; /* enum backend_flags */
	__u16 weight;
	__u16 pad;
	__u32 node; /* row in names, 0 unknown */
	__u32 zone; /* row in names, 0 unknown */
};

/* ---- what people call things: read by the CLI and by adoption, never by the packet path ------------------------- */

enum service_meta_flags { SERVICE_IN_USE = 1 };

struct service_meta {
	char namespace_[NAME_SIZE];
	char name[NAME_SIZE];
	char port_name[NAME_SIZE];
	__u8 proto;
	__u8 family; /* 4 or 6 */
	__u8 type;   /* enum service_type */
	__u8 flags;  /* enum service_meta_flags */
	__u32 pad[15];
};

enum service_type {
	SERVICE_CLUSTER_IP = 1,
	SERVICE_NODE_PORT = 2,
	SERVICE_LOAD_BALANCER = 3,
};

struct name_row {
	char text[LONG_NAME_SIZE]; /* UTF-8, NUL-terminated; empty: unused */
};

/* What the programs were loaded with, so that explain loads the same. */
enum agent_config {
	AGENT_MASQUERADE_ALL = 1,
};

/* How clients on the wire are told apart: kube-proxy's detectLocalMode (row 38), and our own way before it. */
enum detect_local {
	DETECT_DEVICE = 0,                /* by what lies behind the device: DEVICE_UPLINK, DEVICE_OVERLAY or neither */
	DETECT_CLUSTER_CIDR = 1,          /* by source address, in client_kinds */
	DETECT_NODE_CIDR = 2,             /* likewise */
	DETECT_BRIDGE_INTERFACE = 3,      /* by DEVICE_LOCAL */
	DETECT_INTERFACE_NAME_PREFIX = 4, /* likewise */
};

struct agent_state {
	__u32 abi_version;
	__u32 synced;       /* 1 once the first complete state is in the kernel */
	__u64 last_sync_ms; /* Unix time, milliseconds */
	__u64 started_ms;
	__u64 netns_cookie; /* the host's network namespace, as bpf_get_netns_cookie() says it */
	__u32 pid;
	__u32 node;        /* row in names */
	__u32 config;      /* enum agent_config, of the programs in force */
	__u8 pods4_prefix; /* 0: the node has no such range */
	__u8 pods6_prefix;
	__u16 problems;       /* objects of which something cannot be used; 65535: so many or more */
	struct ip_addr pods4; /* the node's own pod ranges, as its Node object names them: explain tells pods by them */
	struct ip_addr pods6;
	__u8 detect_local; /* enum detect_local, of the programs in force */
	__u8 ranges_of;    /* the mode that client_kinds was written for; DETECT_DEVICE: none, or not to its end */
	__u8 pad[6];
	char version[NAME_SIZE];
};

/* ---- devices ------------------------------------------------------------------------------------------------------
 */

enum device_flags {
	DEVICE_UPLINK = 1,      /* clients and backends beyond it are outside this node */
	DEVICE_POD = 2,         /* host end of a pod's veth: clients behind it are local pods */
	DEVICE_BRIDGE_PORT = 4, /* enslaved to .bridge */
	DEVICE_BRIDGE = 8,
	DEVICE_L3 = 16,      /* no Ethernet header (tun, wireguard) */
	DEVICE_OVERLAY = 32, /* a tunnel, with or without Ethernet: an uplink whose packets travel inside others */
	DEVICE_LOCAL = 64,   /* clients behind it are local pods by its name: detectLocalMode */
};

struct device {
	__u32 flags;          /* enum device_flags */
	__u32 bridge;         /* ifindex of the bridge this is a port of, else 0 */
	struct ip_addr snat4; /* preferred source for packets that leave here; all zero: none */
	struct ip_addr snat6;
	__u8 mac[6]; /* the bridge's for a bridge port, else the device's own */
	__u8 pad[2];
};

/* ---- clients -----------------------------------------------------------------------------------------------------
 */

/* Where a connection comes from, as far as policy and masquerade ask (kube-proxy rows 34-38). */
enum client_kind {
	CLIENT_HOST = 0,    /* a process in the host's network namespace */
	CLIENT_POD = 1,     /* a local pod; what that is on the wire enum detect_local says */
	CLIENT_OUTSIDE = 2, /* anybody else */
	CLIENT_UNTOLD =
	    3, /* nothing tells pods from others in its family (row 35): no pod, and no reason to masquerade */
};

/* Key of an LPM trie; prefix_length counts from the first of the 128 bits, so IPv4 ranges begin at 96. */
struct client_range {
	__u32 prefix_length;
	struct ip_addr addr;
};

struct client_range_kind {
	__u32 kind; /* enum client_kind */
};

/* ---- pods whose sockets are not balanced -------------------------------------------------------------------------
 */

enum opt_out_level {
	OPT_OUT_NETNS = 0,      /* opt_out_key.id is the cookie of a network namespace */
	OPT_OUT_LEVELS = 16,    /* 1 to 15: .id is a cgroup so far below the root of cgroup2, as inode number */
	OPT_OUT_SOCKETS = 62,   /* no level, and without keys: sockets of all pods, while IPVS may carry connections */
	OPT_OUT_DATAGRAMS = 63, /* likewise: their datagrams, while flows of a kube-proxy live */
};

struct opt_out_key {
	__u64 id;
	__u32 level; /* enum opt_out_level */
	__u32 pad;
};

/* Which pod that is: for people, never read by a hook. */
struct opt_out {
	char namespace_[NAME_SIZE];
	char pod[LONG_NAME_SIZE];
	struct ip_addr addr4; /* all zero: none, or not known yet */
	struct ip_addr addr6;
};

struct opt_out_levels {
	__u64 bits; /* 1 << level of the keys there are, 1 << those without; 0: nobody is opted out */
};

#endif
