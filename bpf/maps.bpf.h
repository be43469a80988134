/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.bpf.h: every map, once. All objects share them by pin, under the names given here. Sizes are defaults: the agent
 * sets max_entries before load. "agent" writes through mmap or syscalls, "programs" are the BPF side.
 */
#ifndef PORTOLAN_MAPS_BPF_H
#define PORTOLAN_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "abi.h"

/* (address, port, protocol) -> service and kind; agent writes, programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct frontend_key);
	__type(value, struct frontend);
} frontends SEC(".maps");

/* Addresses of this node and of Services; agent writes, programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 266240);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ip_addr);
	__type(value, struct address);
} addresses SEC(".maps");

/* One cell: where ClusterIPs come from; agent writes, programs read. No trie: sleepable programs may not use one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct service_ranges);
} service_ranges SEC(".maps");

/* service id -> the word that names its block in force; agent publishes with one 64-bit store. Id 0 is never used. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct service_word);
} services SEC(".maps");

/* Rows of immutable blocks: a header row, then rows of backend ids. Row 0 is never used. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct block_row);
} members SEC(".maps");

/* Rows of Maglev tables; published and reclaimed with the block that names them. Row 0 is never used. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct table_row);
} tables SEC(".maps");

/*
 * (set, prefix of an address) -> whether such clients are admitted; agent writes a set before the first block that
 * names it and deletes it an RCU period after the last. Only asked by blocks with source_kinds.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1048576);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct source_key);
	__type(value, struct source_verdict);
} source_ranges SEC(".maps");

/* backend id -> address; written before any block names it, freed after an RCU period. Id 0 is never used. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

/* service id -> its names; agent writes, the CLI and adoption read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct service_meta);
} service_meta SEC(".maps");

/* Node and zone names, each once. Row 0 is never used. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct name_row);
} names SEC(".maps");

/* One cell: what the agent last said of itself. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct agent_state);
} agent_state SEC(".maps");

/* ifindex -> what lies behind the device; agent writes, tc programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct device);
} devices SEC(".maps");

/*
 * Source addresses -> who that is, where detect_local tells clients by address: the whole of each family, and the pods'
 * ranges within. Not there: CLIENT_UNTOLD. Agent writes, tc programs read, once for a connection.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct client_range);
	__type(value, struct client_range_kind);
} client_kinds SEC(".maps");

/*
 * Flows whose client went on after the backend's answer, so that forged senders leave nothing here. Full: new flows are
 * refused, old ones never evicted. Programs write, the sweeper deletes. A masqueraded flow takes three records and
 * keeps them for a minute after its end: a million records bear 5 800 such connections a second.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1048576);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows SEC(".maps");

/* Flows that may come to nothing: not answered yet, or the client has not been heard since. Eviction forgets them. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct flow_key);
	__type(value, struct flow);
} nascent SEC(".maps");

/* A datagram in pieces, as seen at one of the hooks. */
struct fragment_key {
	struct ip_addr src;
	struct ip_addr dst;
	__be32 id; /* of IPv4 the lower 16 bits */
	__u8 proto;
	__u8 space;  /* enum flow_space: outer at ingress, inner at egress */
	__u16 piece; /* which of those that overtook the first (fragment.bpf.h), else 0 */
};

struct first_fragment {
	__be16 sport;
	__be16 dport;
	__u32 length; /* of the IP packet */
};

/* What a first fragment said to the later ones. Programs write; pieces follow within moments, so it may be small. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct fragment_key);
	__type(value, struct first_fragment);
} fragments SEC(".maps");

/* Which endpoint a client has by session affinity. Programs write; eviction lets a client choose anew. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct affinity_key);
	__type(value, struct affinity);
} affinity SEC(".maps");

/* Address of a pod on this node -> its network namespace, of those that use services with affinity. Programs write. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct ip_addr);
	__type(value, struct client_netns);
} client_netns SEC(".maps");

/* Cgroups and network namespaces of pods whose sockets are not balanced; agent writes, socket hooks read. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct opt_out_key);
	__type(value, struct opt_out);
} opted_out SEC(".maps");

/* One cell: which levels opted_out is asked for; set before, and cleared after, a key of the level is there. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct opt_out_levels);
} opted_out_at SEC(".maps");

/* Per service id; programs count, the CLI reads. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct service_stats);
} service_stats SEC(".maps");

/*
 * Per backend id; touched once a connection, so all CPUs share a cell: a quarter of a million cells for each CPU would
 * take 0.2 s to make, and on large machines more memory than everything else.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 262144);
	__type(key, __u32);
	__type(value, struct backend_stats);
} backend_stats SEC(".maps");

/* Per enum drop_reason: packets or connect() calls. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DROP_REASONS);
	__type(key, __u32);
	__type(value, __u64);
} drops SEC(".maps");

/* One cell: what the last dry run decided. Not pinned. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct explanation);
} explained SEC(".maps");

/* A socket's hook may be interrupted by a packet's on its CPU: without an atomic add one of two counts would be lost.
 */
static __always_inline void count(__u64 *counter, __u64 n)
{
	__sync_fetch_and_add(counter, n);
}

static __always_inline void count_drop(__u32 reason)
{
	__u64 *counter = bpf_map_lookup_elem(&drops, &reason);

	if (counter)
		count(counter, 1);
}

#endif
