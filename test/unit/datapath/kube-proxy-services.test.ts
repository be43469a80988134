// SPDX-License-Identifier: Apache-2.0
// Which ClusterIPs a kube-proxy serves, read from what it leaves in each mode.
import { expect, test } from "vitest";
import { listens } from "../../../src/datapath/netfilter/kube-proxy.ts";
import { iptablesServices, nftServices } from "../../../src/datapath/netfilter/kube-proxy-services.ts";

test("iptables: rules that lead to a Service's chain, neither those without endpoints nor external addresses", () => {
  const to = (address: string, protocol: string, port: number, target: string) =>
    `-A KUBE-SERVICES -d ${address} -p ${protocol} -m comment --comment "test/web:http cluster IP" -m ${protocol} --dport ${port} -j ${target}`;
  const rules = [
    "-N KUBE-SERVICES",
    to("10.96.0.10/32", "tcp", 80, "KUBE-SVC-ABCDEFGHIJKLMNOP"),
    to("fd00:10:96::a/128", "udp", 53, "KUBE-SVC-QRSTUVWXYZABCDEF"),
    to("203.0.113.10/32", "tcp", 80, "KUBE-EXT-ABCDEFGHIJKLMNOP"),
    to("10.96.0.11/32", "tcp", 80, "REJECT --reject-with icmp-port-unreachable"),
    '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
  ];
  expect(iptablesServices(rules)).toEqual(["10.96.0.10 80/TCP", "fd00:10:96::a 53/UDP"]);
});

test("nftables: elements of service-ips that go to a Service", () => {
  const map = `table ip6 kube-proxy {
	map service-ips {
		type ipv6_addr . inet_proto . inet_service : verdict
		comment "ClusterIP, ExternalIP and LoadBalancer IP traffic"
		elements = { fd00:10:96::a . tcp . 80 comment "test/web:http" : goto service-2OMHSM7L-test/web/tcp/http,
			     10.96.0.10 . udp . 53 comment "x" : goto service-X,
			     203.0.113.10 . tcp . 80 : goto external-X }
	}
}`;
  expect(nftServices(map)).toEqual(["fd00:10:96::a 80/TCP", "10.96.0.10 53/UDP"]);
});

test("somebody listens where a kube-proxy does: its ports, and no connection to one", () => {
  const line = (local: string, state: string) =>
    `  sl  local_address rem_address   st\n   0: ${local} 00000000:0000 ${state} 0\n`;
  expect(listens(line("0100007F:2809", "0A"))).toBe(true);
  expect(listens(line("00000000000000000000000000000000:2810", "0A"))).toBe(true);
  expect(listens(line("0100007F:2809", "01"))).toBe(false);
  expect(listens(line("0100007F:0050", "0A"))).toBe(false);
});
