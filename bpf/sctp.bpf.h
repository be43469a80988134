/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sctp.bpf.h: what translation has to know of SCTP (RFC 9260): which chunks begin and end an association, said in TCP's
 * terms so that flows have one life, and how its checksum follows a port. That covers the packet alone, no pseudo
 * header: addresses change without it.
 */
#ifndef PORTOLAN_SCTP_BPF_H
#define PORTOLAN_SCTP_BPF_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include "crc32c.bpf.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define SCTP_HEADER 12
#define SCTP_CHECKSUM 8 /* its offset there */
#define SCTP_CHUNKS_MAX 4
#define SCTP_INIT_SIZE 20

enum sctp_chunk_type {
	SCTP_DATA = 0,
	SCTP_INIT = 1,
	SCTP_INIT_ACK = 2,
	SCTP_ABORT = 6,
	SCTP_SHUTDOWN_COMPLETE = 14,
};

struct sctp_chunk {
	__u8 type; /* enum sctp_chunk_type, and others */
	__u8 flags;
	__be16 length; /* with this header, without padding to a multiple of 4 */
};

/* The first packet of a connection says so, and the last. */
static __always_inline bool proto_connects(__u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_SCTP;
}

/*
 * What the chunks of a packet at an offset say: INIT is a SYN, INIT ACK a SYN with ACK; after ABORT and SHUTDOWN
 * COMPLETE nothing more is to come, as after RST. Those but ABORT stand alone; it may follow other control chunks,
 * never DATA. Returns TCP flags, or -1 when the chunks do not fit the packet; of a first fragment only the first one
 * has to begin there.
 */
static __always_inline int sctp_flags(struct __sk_buff *skb, __u32 at, __u32 end, bool fragment)
{
	struct sctp_chunk chunk;
	__u32 length;

	at += SCTP_HEADER;
	for (int i = 0; i < SCTP_CHUNKS_MAX; i++) {
		if (at + sizeof(chunk) > end)
			return i ? 0 : -1;
		if (bpf_skb_load_bytes(skb, at, &chunk, sizeof(chunk)) < 0)
			return -1;
		length = bpf_ntohs(chunk.length);
		if (length < sizeof(chunk) || (at + length > end && !fragment))
			return -1;
		if (chunk.type == SCTP_INIT)
			return length < SCTP_INIT_SIZE ? -1 : TCP_SYN;
		if (chunk.type == SCTP_INIT_ACK)
			return TCP_SYN | TCP_ACK;
		if (chunk.type == SCTP_ABORT || chunk.type == SCTP_SHUTDOWN_COMPLETE)
			return TCP_RST;
		if (chunk.type == SCTP_DATA)
			return 0;
		at += (length + 3) & ~3;
	}
	return 0;
}

/*
 * The checksum of a packet of length bytes after one of its ports changed. 0 stays: such a packet is yet without one,
 * the kernel or the device that sends it puts it in (CHECKSUM_PARTIAL), and programs cannot ask for that. So one of
 * 2^32 packets, whose checksum is 0, comes out with a wrong one, as if the wire had damaged it.
 */
static __always_inline __u32 sctp_checksum(__u32 checksum, bool source, __be16 old, __be16 port, __u32 length)
{
	__u32 difference = (__u32)(old ^ port) << (source ? 0 : 16);

	return checksum ? checksum ^ crc32c_change(difference, length) : 0;
}

#endif
