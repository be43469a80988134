/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * abi.h, with abi_services.h and abi_flows.h: the one contract between the BPF programs and TypeScript. The codec in
 * src/datapath/ebpf/abi.gen.ts is generated from the BTF of these types, so offsets and byte order are written here
 * once: __be16 and __be32 are wire order, plain __uNN are host order, struct ip_addr is 16 bytes in wire order. All
 * structs are naturally aligned with explicit padding, and every value of an mmapped array is a multiple of 8 bytes
 * (the kernel's stride).
 *
 * Both families share every type: an IPv4 address is stored IPv4-mapped (::ffff:a.b.c.d, RFC 4291 2.5.5.2).
 */
#ifndef PORTOLAN_ABI_H
#define PORTOLAN_ABI_H

#include <linux/types.h>

/* Bumped whenever a pinned layout changes; pins live below a directory of this name (v1, v2, ...). */
enum portolan_abi { ABI_VERSION = 1 };

enum limits {
	IDS_PER_ROW = 16,     /* backend ids in one row of a block */
	SLOTS_PER_ROW = 16,   /* lookup slots in one row of a Maglev table */
	NAME_SIZE = 64,       /* DNS label (63) and a NUL */
	LONG_NAME_SIZE = 256, /* DNS subdomain (253) and a NUL */
	SERVICE_RANGES = 32,  /* that ClusterIPs come from */
	SOCK_PEERS = 8,       /* frontends one unconnected UDP socket remembers */
	FLOW_MAX_SIZE = 512,  /* of a struct flow in any layout */
};

struct ip_addr {
	__be32 w[4];
};

/*
 * Which layout serves this node, pinned beside the directories of all of them. The same in every version: no field of
 * it may ever change.
 */
struct serving {
	__u32 generation; /* counts the times that another layout took over; written last, so that it is the word */
	__u16 version;    /* ABI_VERSION of the layout that serves */
	__u16 from;       /* the one whose flows it is still taking over; 0: none */
};

/* Where the programs of the layout before stand, for those that take over. */
enum before_program { BEFORE_INGRESS = 0, BEFORE_EGRESS = 1, BEFORE_PROGRAMS };

#include "abi_services.h"
#include "abi_flows.h"

#endif
