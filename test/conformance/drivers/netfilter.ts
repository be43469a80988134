// SPDX-License-Identifier: Apache-2.0
// What all drivers have in common whose packets netfilter translates, masquerades and refuses.

import type { Driver } from "./driver.ts";

export const byNetfilter: Omit<Driver, "name" | "agentFlags" | "services" | "localhost"> = {
  balancesSockets: false,
  datagramsLeave: "soon",
  affinityBy: "service",
  // As kube-proxy needs it: else a pod's answer to another pod of its bridge goes past netfilter, which has translated the request.
  lab: { brNetfilter: 1 },
  // The kernel answers one packet in a second to each destination, after a burst of six (row 32): rows are asked faster.
  prepare: async (lab) => {
    for (const node of lab.nodes) await lab.sysctl(node, "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0");
  },
  differences: [
    // It takes an address of the device, else one of the node's that is nearest to the destination: cni0's, to a pod over IPv6.
    {
      rows: [17, 25, 26, 27, 36, 37, 39, 44, 45],
      by: "wire",
      expected: { source: "node" },
      instead: { source: "any of the node" },
    },
    // A process of the node that sends a datagram is told that it was dropped or refused, before any answer.
    {
      rows: [33, 44, 45],
      by: "socket",
      askers: "nodes",
      expected: { answers: "TIMEOUT" },
      instead: { datagrams: "EPERM" },
    },
    {
      rows: [44],
      by: "socket",
      askers: "nodes",
      expected: { answers: "ECONNREFUSED" },
      instead: { datagrams: "EPERM" },
    },
  ],
};
