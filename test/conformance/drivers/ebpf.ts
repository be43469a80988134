// SPDX-License-Identifier: Apache-2.0
// Sockets balanced by cgroup hooks, all else by tc programs.

import { openState } from "../../../src/datapath/ebpf/state.ts";
import { serviceRows } from "../../../src/inspect/service-rows.ts";
import { readyForXdp } from "../../support/xdp.ts";
import type { Driver } from "./driver.ts";

export const ebpf: Driver = {
  name: "ebpf",
  agentFlags: ["--mode", "ebpf"],
  services: async ({ bpffs }) => {
    using state = openState(bpffs);
    return serviceRows(state.services());
  },
  balancesSockets: true,
  affinityBy: "service",
  localhost: ["v4", "v6"],
  datagramsLeave: "at once",
  differences: [
    // A balanced socket sends no packet that could be masqueraded: the backend sees the pod itself.
    {
      rows: [25, 26, 27, 36, 39],
      by: "socket",
      askers: "pods",
      expected: { source: "node" },
      instead: { source: "asker" },
    },
    // Where ranges count the socket leaves it to its packets, which are masqueraded; elsewhere it is balanced.
    {
      rows: [44],
      by: "socket",
      askers: "pods",
      frontends: ["externalIP", "nodePort"],
      expected: { source: "node" },
      instead: { source: "asker" },
    },
    // Its hook can refuse a connection, not stay silent.
    { rows: [33], by: "socket", expected: { answers: "TIMEOUT" }, instead: { answers: "EHOSTUNREACH" } },
    {
      rows: [44, 45],
      by: "socket",
      askers: "nodes",
      expected: { answers: "TIMEOUT" },
      instead: { answers: "EACCES" },
    },
  ],
};

/** The same, with XDP on the nodes' uplinks. */
export const ebpfXdp: Driver = {
  ...ebpf,
  name: "ebpf-xdp",
  agentFlags: [...ebpf.agentFlags, "--xdp", "native"],
  prepare: readyForXdp,
};
