/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* abi.bpf.c: never loaded; its BTF carries every type of abi.h, for the generator of the TypeScript codec. */
#include "abi.h"

#define CARRY_STRUCT(name) struct name carried_##name
#define CARRY_ENUM(name) enum name carried_##name

CARRY_ENUM(portolan_abi);
CARRY_ENUM(limits);
CARRY_ENUM(frontend_kind);
CARRY_ENUM(frontend_flags);
CARRY_ENUM(address_flags);
CARRY_ENUM(scheduler);
CARRY_ENUM(block_flags);
CARRY_ENUM(source_bits);
CARRY_ENUM(backend_flags);
CARRY_ENUM(service_meta_flags);
CARRY_ENUM(service_type);
CARRY_ENUM(agent_config);
CARRY_ENUM(detect_local);
CARRY_ENUM(device_flags);
CARRY_ENUM(flow_space);
CARRY_ENUM(flow_role);
CARRY_ENUM(flow_flags);
CARRY_ENUM(flow_state);
CARRY_ENUM(snat_tries_buckets);
CARRY_ENUM(drop_reason);
CARRY_ENUM(verdict);
CARRY_ENUM(client_kind);
CARRY_ENUM(opt_out_level);
CARRY_ENUM(affinity_part);
CARRY_ENUM(before_program);

CARRY_STRUCT(frontend_key);
CARRY_STRUCT(frontend);
CARRY_STRUCT(address);
CARRY_STRUCT(service_range);
CARRY_STRUCT(service_ranges);
CARRY_STRUCT(service_word);
CARRY_STRUCT(block_row);
CARRY_STRUCT(table_row);
CARRY_STRUCT(source_key);
CARRY_STRUCT(source_verdict);
CARRY_STRUCT(backend);
CARRY_STRUCT(service_meta);
CARRY_STRUCT(name_row);
CARRY_STRUCT(agent_state);
CARRY_STRUCT(device);
CARRY_STRUCT(client_range);
CARRY_STRUCT(client_range_kind);
CARRY_STRUCT(opt_out_key);
CARRY_STRUCT(opt_out);
CARRY_STRUCT(opt_out_levels);
CARRY_STRUCT(flow_key);
CARRY_STRUCT(flow);
CARRY_STRUCT(migration);
CARRY_STRUCT(serving);
CARRY_STRUCT(sock_peers);
CARRY_STRUCT(affinity_key);
CARRY_STRUCT(affinity);
CARRY_STRUCT(client_netns);
CARRY_STRUCT(service_stats);
CARRY_STRUCT(backend_stats);
CARRY_STRUCT(snat_tries);
CARRY_STRUCT(explanation);
CARRY_STRUCT(sweep_report);
CARRY_STRUCT(socket_question);
