// SPDX-License-Identifier: Apache-2.0
// The rules that the CNI plugin portmap writes for a pod's hostPorts in iptables, chain by chain as it does.

import type { Lab } from "../../src/demo/lab/lab.ts";
import type { NodeHost, PodHost } from "../../src/demo/lab/plan.ts";

const MARK = "0x2000/0x2000";

/** hostPort of both protocols and families → containerPort of the pod. */
export async function mapHostPort(
  lab: Lab,
  node: NodeHost,
  pod: PodHost,
  { hostPort, containerPort }: { readonly hostPort: number; readonly containerPort: number },
): Promise<void> {
  const chain = "CNI-DN-0123456789abcdef01234";
  for (const [command, address, net] of [
    ["iptables-restore", pod.address.v4, `${pod.address.v4}/24`],
    ["ip6tables-restore", `[${pod.address.v6}]`, `${pod.address.v6}/64`],
  ] as const) {
    const comment = `-m comment --comment "dnat name: \\"cni0\\" id: \\"${pod.name}\\""`;
    const protocols = ["tcp", "udp"];
    const port = (protocol: string) => `-p ${protocol} --dport ${hostPort}`;
    const rules = [
      "*nat",
      ...[":CNI-HOSTPORT-SETMARK", ":CNI-HOSTPORT-MASQ", ":CNI-HOSTPORT-DNAT", `:${chain}`].map(
        (name) => `${name} - [0:0]`,
      ),
      `-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark ${MARK}`,
      `-A CNI-HOSTPORT-MASQ -m mark --mark ${MARK} -j MASQUERADE`,
      '-I POSTROUTING 1 -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ',
      "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
      "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
      ...protocols.map(
        (protocol) =>
          `-A CNI-HOSTPORT-DNAT -p ${protocol} ${comment} -m multiport --destination-ports ${hostPort} -j ${chain}`,
      ),
      ...protocols.flatMap((protocol) => [
        `-A ${chain} ${port(protocol)} -s ${net} -j CNI-HOSTPORT-SETMARK`,
        ...(command === "iptables-restore"
          ? [`-A ${chain} ${port(protocol)} -s 127.0.0.1 -j CNI-HOSTPORT-SETMARK`]
          : []),
        `-A ${chain} ${port(protocol)} -j DNAT --to-destination ${address}:${containerPort}`,
      ]),
      "COMMIT",
      "",
    ];
    await lab.exec(node, [command, "--noflush"], rules.join("\n"));
  }
  await lab.sysctl(node, `net/ipv4/conf/${pod.hostDevice}/route_localnet=1`);
}
