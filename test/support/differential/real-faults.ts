// SPDX-License-Identifier: Apache-2.0
// Faults to plant in the real programs, while explain does right: in the socket hooks, and where packets come in.

import type { Mutation } from "../mutant.ts";
import type { RealObject } from "./real-programs.ts";

interface Planted extends Mutation {
  /** Default cgroup. */
  readonly object?: RealObject;
}

export const REAL_FAULTS: Readonly<Record<string, Planted>> = {
  "row 33: silence and refusal sound alike": {
    file: "cgroup.bpf.c",
    from: "return reason == DROP_SOURCE_RANGE ? EACCES : EHOSTUNREACH;",
    to: "return ECONNREFUSED;",
  },
  "row 29: every process is the node's": {
    file: "cgroup.bpf.c",
    from: "client.netns == host_netns_cookie ? CLIENT_HOST : CLIENT_POD;",
    to: "CLIENT_HOST;",
  },
  "row 24: the application is shown the backend": {
    file: "cgroup.bpf.c",
    from: "set_address(ctx, v4, &peer->vip, peer->vip_port);",
    to: "",
  },
  "row 8: datagrams go to the port that they asked for": {
    file: "cgroup.bpf.c",
    from: "set_address(ctx, v4, &chosen->addr, chosen->port);",
    to: "set_address(ctx, v4, &chosen->addr, ctx->protocol == 17 ? ctx->user_port : chosen->port);",
  },
  "row 34: policy Local binds the node's own pods": {
    file: "select.bpf.h",
    from: "(block->header.flags & BLOCK_EXTERNAL_LOCAL) && is_outsider(client->kind)",
    to: "(block->header.flags & BLOCK_EXTERNAL_LOCAL)",
    object: "tc",
  },
  "row 31: silence where nobody has an endpoint": {
    file: "select.bpf.h",
    from: "return block->header.flags & BLOCK_HAS_ENDPOINTS ? -DROP_NO_LOCAL_ENDPOINTS : -DROP_NO_ENDPOINTS;",
    to: "return -DROP_NO_LOCAL_ENDPOINTS;",
    object: "tc",
  },
};
