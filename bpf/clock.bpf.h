/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* clock.bpf.h: the one clock of all records. */
#ifndef PORTOLAN_CLOCK_BPF_H
#define PORTOLAN_CLOCK_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Since boot, without the time a machine was suspended (CLOCK_MONOTONIC). */
static __always_inline __u32 now_seconds(void)
{
	return bpf_ktime_get_ns() / 1000000000ULL;
}

#endif
