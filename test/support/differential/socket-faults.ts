// SPDX-License-Identifier: Apache-2.0
// Faults of the socket hooks to plant, which explain shares no code with.

import type { Mutation } from "../mutant.ts";

export const SOCKET_FAULTS: Readonly<Record<string, Mutation>> = {
  "row 33: silence and refusal sound alike": {
    file: "cgroup.bpf.c",
    from: "return reason == DROP_SOURCE_RANGE ? EACCES : EHOSTUNREACH;",
    to: "return ECONNREFUSED;",
  },
  "row 29: every process is the node's": {
    file: "cgroup.bpf.c",
    from: "client.key.netns == host_netns_cookie ? CLIENT_HOST : CLIENT_POD;",
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
};
