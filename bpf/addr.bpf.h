/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* addr.bpf.h: addresses of both families as one type (IPv4 mapped into IPv6), and hashes over them. */
#ifndef PORTOLAN_ADDR_BPF_H
#define PORTOLAN_ADDR_BPF_H

#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include "abi.h"

static __always_inline struct ip_addr addr_v4(__be32 v4)
{
	return (struct ip_addr){{0, 0, bpf_htonl(0xffff), v4}};
}

static __always_inline bool addr_is_v4(const struct ip_addr *a)
{
	return a->w[0] == 0 && a->w[1] == 0 && a->w[2] == bpf_htonl(0xffff);
}

/* The key under which NodePorts of a family stand. */
static __always_inline struct ip_addr addr_wildcard(bool v4)
{
	return (struct ip_addr){{0, 0, v4 ? bpf_htonl(0xffff) : 0, 0}};
}

/* 127.0.0.1 or ::1 */
static __always_inline struct ip_addr addr_loopback(bool v4)
{
	return v4 ? addr_v4(bpf_htonl(0x7f000001)) : (struct ip_addr){{0, 0, 0, bpf_htonl(1)}};
}

static __always_inline bool addr_is_unspecified(const struct ip_addr *a)
{
	return a->w[3] == 0 && a->w[0] == 0 && a->w[1] == 0 && (a->w[2] == 0 || a->w[2] == bpf_htonl(0xffff));
}

static __always_inline bool addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->w[0] == b->w[0] && a->w[1] == b->w[1] && a->w[2] == b->w[2] && a->w[3] == b->w[3];
}

/* Whether the leading bits of both are the same; bits 0 to 128. */
static __always_inline bool addr_same_prefix(const struct ip_addr *a, const struct ip_addr *b, __u32 bits)
{
	for (int i = 0; i < 4; i++) {
		__u32 differ = bpf_ntohl(a->w[i] ^ b->w[i]);

		if (bits < 32)
			return !bits || !(differ >> (32 - bits));
		if (differ)
			return false;
		bits -= 32;
	}
	return true;
}

/* One round of MurmurHash3's 32-bit mixing. */
static __always_inline __u32 hash_mix(__u32 h, __u32 word)
{
	word *= 0xcc9e2d51;
	word = (word << 15) | (word >> 17);
	h ^= word * 0x1b873593;
	h = (h << 13) | (h >> 19);
	return h * 5 + 0xe6546b64;
}

/* The same on every node and after every restart: only what the packet says goes in. */
static __always_inline __u32 hash_flow(const struct ip_addr *src, const struct ip_addr *dst, __be16 sport, __be16 dport,
				       __u8 proto)
{
	__u32 h = proto;

	for (int i = 0; i < 4; i++)
		h = hash_mix(h, src->w[i]);
	for (int i = 0; i < 4; i++)
		h = hash_mix(h, dst->w[i]);
	h = hash_mix(h, ((__u32)bpf_ntohs(sport) << 16) | bpf_ntohs(dport));
	h ^= h >> 16;
	h *= 0x85ebca6b;
	h ^= h >> 13;
	h *= 0xc2b2ae35;
	return h ^ (h >> 16);
}

#endif
