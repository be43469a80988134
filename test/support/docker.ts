// SPDX-License-Identifier: Apache-2.0
// What dockerd leaves on a node, written out as version 27 does: the bridge docker0 with one container, whose port 8080 is
// published as 8081; its chains, before whatever stands in FORWARD; policy DROP.
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { DualAddress, NodeHost, PodHost } from "../../src/demo/lab/plan.ts";

export const PUBLISHED_PORT = 8081;
const SUBNET: DualAddress = { v4: "172.17.0.0/16", v6: "fd00:17::/64" };
const GATEWAY: DualAddress = { v4: "172.17.0.1", v6: "fd00:17::1" };
export const CONTAINER: DualAddress = { v4: "172.17.0.2", v6: "fd00:17::2" };
const LENGTH: DualAddress = { v4: "16", v6: "64" };
const RESTORE: DualAddress = { v4: "iptables-restore", v6: "ip6tables-restore" };

/** Makes a routed pod of the lab, which nobody uses else, Docker's container. */
export async function installDocker(lab: Lab, node: NodeHost, container: PodHost): Promise<void> {
  const families = ["v4", "v6"] as const;
  const veth = container.hostDevice;
  await lab.ip(
    node,
    "link add docker0 type bridge",
    ...families.map((family) => `addr add ${GATEWAY[family]}/${LENGTH[family]} dev docker0`),
    "link set docker0 up",
    `link set ${veth} down`, // its routes go
    `addr flush dev ${veth}`,
    `link set ${veth} master docker0 up`,
  );
  await lab.ip(
    container,
    "link set eth0 down",
    "addr flush dev eth0",
    "link set eth0 up",
    ...families.flatMap((family) => [
      `addr add ${CONTAINER[family]}/${LENGTH[family]} dev eth0`,
      `route add default via ${GATEWAY[family]}`,
    ]),
  );
  for (const family of families) await lab.exec(node, [RESTORE[family], "--noflush"], rules(family));
}

function rules(family: keyof DualAddress): string {
  const loopback = family === "v4" ? "127.0.0.0/8" : "::1/128";
  const destination = family === "v4" ? `${CONTAINER.v4}:8080` : `[${CONTAINER.v6}]:8080`;
  return `*filter
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-P FORWARD DROP
-I FORWARD 1 -j DOCKER-USER
-I FORWARD 2 -j DOCKER-ISOLATION-STAGE-1
-I FORWARD 3 -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-I FORWARD 4 -o docker0 -j DOCKER
-I FORWARD 5 -i docker0 ! -o docker0 -j ACCEPT
-I FORWARD 6 -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d ${CONTAINER[family]} ! -i docker0 -o docker0 -p tcp -m tcp --dport 8080 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d ${loopback} -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s ${SUBNET[family]} ! -o docker0 -j MASQUERADE
-A POSTROUTING -s ${CONTAINER[family]} -d ${CONTAINER[family]} -p tcp -m tcp --dport 8080 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport ${PUBLISHED_PORT} -j DNAT --to-destination ${destination}
COMMIT
`;
}
