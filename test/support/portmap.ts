// SPDX-License-Identifier: Apache-2.0
// The rules that the CNI plugin portmap writes for pods' hostPorts in iptables, chain by chain as it does.

import { createHash } from "node:crypto";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { NodeHost, PodHost } from "../../src/demo/lab/plan.ts";

const MARK = "0x2000/0x2000";
const SHARED = ["CNI-HOSTPORT-SETMARK", "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-DNAT"];

export interface HostPort {
  readonly pod: PodHost;
  readonly hostPort: number;
  readonly containerPort: number;
}

/** hostPorts of both protocols and families → containerPorts of their pods. Once a node. */
export async function mapHostPorts(lab: Lab, node: NodeHost, ports: readonly HostPort[]): Promise<void> {
  for (const family of ["v4", "v6"] as const) {
    const rules = [
      "*nat",
      ...[...SHARED, ...ports.map(chainOf)].map((name) => `:${name} - [0:0]`),
      `-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark ${MARK}`,
      `-A CNI-HOSTPORT-MASQ -m mark --mark ${MARK} -j MASQUERADE`,
      '-I POSTROUTING 1 -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ',
      "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
      "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
      ...ports.flatMap((port) => rulesOf(port, family)),
      "COMMIT",
      "",
    ];
    await lab.exec(node, [family === "v4" ? "iptables-restore" : "ip6tables-restore", "--noflush"], rules.join("\n"));
  }
  for (const { pod } of ports) await lab.sysctl(node, `net/ipv4/conf/${pod.hostDevice}/route_localnet=1`);
}

function chainOf({ pod }: HostPort): string {
  return `CNI-DN-${createHash("sha512").update(pod.name).digest("hex").slice(0, 21)}`;
}

function rulesOf(mapping: HostPort, family: "v4" | "v6"): readonly string[] {
  const { pod, hostPort, containerPort } = mapping;
  const chain = chainOf(mapping);
  const comment = `-m comment --comment "dnat name: \\"cni0\\" id: \\"${pod.name}\\""`;
  const [address, net] =
    family === "v4" ? [pod.address.v4, `${pod.address.v4}/24`] : [`[${pod.address.v6}]`, `${pod.address.v6}/64`];
  const protocols = ["tcp", "udp"];
  const sources = family === "v4" ? [net, "127.0.0.1"] : [net];
  return [
    ...protocols.map(
      (protocol) =>
        `-A CNI-HOSTPORT-DNAT -p ${protocol} ${comment} -m multiport --destination-ports ${hostPort} -j ${chain}`,
    ),
    ...protocols.flatMap((protocol) => {
      const port = `-p ${protocol} --dport ${hostPort}`;
      return [
        ...sources.map((source) => `-A ${chain} ${port} -s ${source} -j CNI-HOSTPORT-SETMARK`),
        `-A ${chain} ${port} -j DNAT --to-destination ${address}:${containerPort}`,
      ];
    }),
  ];
}
