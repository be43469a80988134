/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* config.bpf.h: constants set in .rodata before load; the verifier prunes what they switch off. */
#ifndef PORTOLAN_CONFIG_BPF_H
#define PORTOLAN_CONFIG_BPF_H

#include <linux/types.h>

/* Mark bits "translated on the way in / out" (rule of the edge, clause E3); distinct single bits. */
const volatile __u32 mark_in = 0x20000000;
const volatile __u32 mark_out = 0x40000000;

/* 1: look up, choose and report in the map `explained`, but write to no other map. */
const volatile __u32 dry_run = 0;

/* 1: the kernel has the conntrack lookup kfuncs (5.18). */
const volatile __u32 has_conntrack = 1;

/* BPF_F_IPV6 (1 << 7) of bpf_l4_csum_replace where the kernel knows it, else 0. */
const volatile __u64 csum_ipv6_flag = 0;

/* Network namespace of the host: loopback NodePorts answer only there. */
const volatile __u64 host_netns_cookie = 0;

/* SNAT and remapped ports, host order, inclusive; the NodePort range is left out of it. */
const volatile __u16 snat_port_min = 1024;
const volatile __u16 snat_port_max = 65535;
const volatile __u16 node_port_min = 30000;
const volatile __u16 node_port_max = 32767;

/* How pods are told from other clients on the wire: enum detect_local. */
const volatile __u32 detect_local = 0;

/* 1: every connection is masqueraded, ClusterIP included; sockets then leave the packet to tc. */
const volatile __u32 masquerade_all = 0;

/*
 * How many refusals a CPU tells senders of, by ICMP or RST, and how many pings of VIPs it answers: so many a second,
 * and after a quiet second so many at once; of all senders and of one. Far above what clients that are refused cause
 * with their retries, far below what a flood could make a node send.
 */
const volatile __u32 reply_rate = 10000;
const volatile __u32 reply_rate_source = 1000;

/* 1: a VIP answers echo requests. */
const volatile __u32 vip_ping = 0;

/* 1: bpf_set_retval() is there (kernel 5.18), a refused connect() gets a fitting errno; 0: it gets EPERM. */
const volatile __u32 has_set_retval = 1;

/* 1: another layout of flows is to be taken over (before.bpf.h), and the programs serve from this generation on. */
const volatile __u32 takes_over = 0;
const volatile __u32 generation = 0;

/* Idle limits, seconds. */
const volatile __u32 timeout_tcp_established = 86400;
const volatile __u32 timeout_tcp_closed = 60;
const volatile __u32 timeout_udp = 180;
const volatile __u32 timeout_nascent = 60;

#endif
