/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * crc32c.bpf.h: how a CRC32c (RFC 9260 appendix A) changes with some of the bytes that it covers. A CRC is linear, so
 * the difference of two is that of their messages, carried on over the bytes behind: a product modulo the polynomial,
 * whatever those bytes are. It takes as many steps as the length has bits set, and reads nothing of the packet.
 */
#ifndef PORTOLAN_CRC32C_BPF_H
#define PORTOLAN_CRC32C_BPF_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define CRC32C_POLYNOMIAL 0x82f63b78 /* reflected, as all values here: bit 31 is x^0 */
#define CRC32C_LENGTH_BITS 16

/* x^(8 * 2^i) modulo the polynomial: what 2^i bytes are worth. Each is the square of the one before. */
static const __u32 crc32c_powers[CRC32C_LENGTH_BITS] = {
    0x00800000, 0x00008000, 0x82f63b78, 0x6ea2d55c, 0x18b8ea18, 0x510ac59a, 0xb82be955, 0xb8fdb1e7,
    0x88e56f72, 0x74c360a4, 0xe4172b16, 0x0d65762a, 0x35d73a62, 0x28461564, 0xbf455269, 0xe2ea32dc,
};

/*
 * The product modulo the polynomial. No branch hangs on the data: the verifier would follow both ways of each. Global,
 * so that it is verified once, not for each bit of a length.
 */
__noinline __u32 crc32c_multiply(__u32 a, __u32 b)
{
	__u32 product = 0;

	for (int bit = 31; bit >= 0; bit--) {
		product ^= b & -((a >> bit) & 1);
		b = (b >> 1) ^ (CRC32C_POLYNOMIAL & -(b & 1));
	}
	return product;
}

/*
 * The change of the CRC of a message of length bytes, at most 65535, whose first four changed by difference (exclusive
 * or, as a little-endian word).
 */
static __always_inline __u32 crc32c_change(__u32 difference, __u32 length)
{
	for (int i = 0; i < CRC32C_LENGTH_BITS; i++) {
		if (length >> i & 1)
			difference = crc32c_multiply(difference, crc32c_powers[i]);
	}
	return difference;
}

#endif
