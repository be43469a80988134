// SPDX-License-Identifier: Apache-2.0
// What a service port becomes in rules of iptables: kube-proxy's chains and names, rule by rule.
import { describe, expect, test } from "vitest";
import type { CompiledService } from "../../../src/compile/state.ts";
import { detectorOf } from "../../../src/datapath/iptables/detector.ts";
import { endpointHash, serviceHash } from "../../../src/datapath/iptables/names.ts";
import type { PortOptions } from "../../../src/datapath/iptables/port.ts";
import { serviceRules } from "../../../src/datapath/iptables/service-rules.ts";
import type { LocalClients } from "../../../src/datapath/rules/writer.ts";
import { cidr, ip, member, service } from "../../support/compiled.ts";

const PODS: LocalClients = { by: "source", ranges: [cidr("10.9.0.0/16"), cidr("fd00:9::/32")] };
const OPTIONS: PortOptions = {
  detector: detectorOf(PODS, 4),
  masqueradeAll: false,
  forwardMark: 0x100,
  store: "ipset",
  comments: true,
};

const FIRST = member("10.9.1.10", 8080);
const SECOND = member("10.9.2.10", 8080);
const THIRD = member("10.9.2.11", 8081);

const FRONTENDS = [
  { kind: "ClusterIP", address: ip("10.96.0.10"), port: 80 },
  { kind: "ExternalIP", address: ip("203.0.113.10"), port: 80 },
  { kind: "LoadBalancer", address: ip("198.51.100.10"), port: 80 },
  { kind: "NodePort", address: undefined, port: 30_080 },
] as const;

function web({ cluster = [FIRST, SECOND], ...more }: Partial<CompiledService> = {}): CompiledService {
  const plain = { name: "web", namespace: "default", portName: "http", at: "10.96.0.10", port: 80, cluster };
  return { ...service(plain), ...more };
}

/** Chains and rules as `iptables -S` prints them, with names that people can tell for hashes. */
function rendered(of: CompiledService, options: Partial<PortOptions> = {}): readonly string[] {
  const { filter, nat, shared } = serviceRules(of, { ...OPTIONS, ...options });
  const chains = [...shared, ...[...filter].map(([chain, rules]) => [`filter ${chain}`, rules] as const), ...nat];
  return chains.flatMap(([chain, rules]) =>
    rules.map((rule) =>
      [FIRST, SECOND, THIRD]
        .reduce((text, one, index) => text.replaceAll(endpointHash(of, one), String(index + 1)), `${chain} ${rule}`)
        .replaceAll(serviceHash(of), "WEB"),
    ),
  );
}

/** Those of one chain, without its name. */
function inChain(chain: string, rules: readonly string[]): readonly string[] {
  return rules.filter((rule) => rule.startsWith(`${chain} `)).map((rule) => rule.slice(chain.length + 1));
}

const CAPTURE = '-d 10.96.0.10/32 -p tcp -m comment --comment "default/web:http cluster IP" -m tcp --dport 80';

describe("names", () => {
  test("are kube-proxy's, of old and of today", () => {
    const hypriot = service({ name: "hypriot:", namespace: "default", at: undefined, port: 1 });
    const nginx = { ...hypriot, name: "nginx-service:" };
    expect(serviceHash(hypriot)).toBe("IKNY2FZN6EXMQQCV");
    expect(serviceHash(nginx)).toBe("GKN7Y2BSGW4NJTYL");
    expect(endpointHash(hypriot, member("10.244.1.14", 80))).toBe("JEK5XLX6ULDDGJAZ");
    expect(endpointHash(nginx, member("10.1.13.2", 80))).toBe("7ROBBXFV7SD4AIRW");
    expect(serviceHash({ ...hypriot, name: "hypriot" })).toBe("ZR2S66X4UHNZHQUQ");
    expect(serviceHash({ ...hypriot, name: "nginx-service" })).toBe("V2OKYYMBY3REGZOG");
  });
});

describe("a ClusterIP", () => {
  test("rows 24, 37 and 39: leads to the endpoints, each as likely, and masquerades whoever is no local pod", () => {
    expect(rendered(web({ cluster: [FIRST, SECOND, THIRD] }))).toEqual([
      `nat KUBE-SERVICES ${CAPTURE} -j KUBE-SVC-WEB`,
      `KUBE-SVC-WEB ! -s 10.9.0.0/16 ${CAPTURE} -j KUBE-MARK-MASQ`,
      "KUBE-SVC-WEB -j MARK --set-xmark 0x100/0x100",
      'KUBE-SVC-WEB -m comment --comment "default/web:http -> 10.9.1.10:8080" -m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-1',
      'KUBE-SVC-WEB -m comment --comment "default/web:http -> 10.9.2.10:8080" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-2',
      'KUBE-SVC-WEB -m comment --comment "default/web:http -> 10.9.2.11:8081" -j KUBE-SEP-3',
      'KUBE-SEP-1 -s 10.9.1.10/32 -m comment --comment "default/web:http" -j KUBE-MARK-MASQ',
      'KUBE-SEP-1 -p tcp -m comment --comment "default/web:http" -m tcp -j DNAT --to-destination 10.9.1.10:8080',
      'KUBE-SEP-2 -s 10.9.2.10/32 -m comment --comment "default/web:http" -j KUBE-MARK-MASQ',
      'KUBE-SEP-2 -p tcp -m comment --comment "default/web:http" -m tcp -j DNAT --to-destination 10.9.2.10:8080',
      'KUBE-SEP-3 -s 10.9.2.11/32 -m comment --comment "default/web:http" -j KUBE-MARK-MASQ',
      'KUBE-SEP-3 -p tcp -m comment --comment "default/web:http" -m tcp -j DNAT --to-destination 10.9.2.11:8081',
    ]);
  });

  test("the same for IPv6, for SCTP, and for a port without a name", () => {
    const endpoint = member("fd00:9:1::10", 8080);
    const six = service({ name: "six", at: "fd00:10:96::1", port: 53, protocol: "SCTP", cluster: [endpoint] });
    const rules = rendered(six, { detector: detectorOf(PODS, 6) }).map((rule) =>
      rule.replaceAll(endpointHash(six, endpoint), "1"),
    );
    const capture = '-d fd00:10:96::1/128 -p sctp -m comment --comment "test/six cluster IP" -m sctp --dport 53';
    expect(rules).toEqual([
      `nat KUBE-SERVICES ${capture} -j KUBE-SVC-WEB`,
      `KUBE-SVC-WEB ! -s fd00:9::/32 ${capture} -j KUBE-MARK-MASQ`,
      "KUBE-SVC-WEB -j MARK --set-xmark 0x100/0x100",
      'KUBE-SVC-WEB -m comment --comment "test/six -> [fd00:9:1::10]:8080" -j KUBE-SEP-1',
      'KUBE-SEP-1 -s fd00:9:1::10/128 -m comment --comment "test/six" -j KUBE-MARK-MASQ',
      'KUBE-SEP-1 -p sctp -m comment --comment "test/six" -m sctp -j DNAT --to-destination [fd00:9:1::10]:8080',
    ]);
  });

  test.each<[string, LocalClients, boolean, readonly string[]]>([
    ["no range of this family: nobody", { by: "source", ranges: [cidr("fd00:9::/32")] }, false, []],
    ["all are to be: everybody", PODS, true, [`${CAPTURE} -j KUBE-MARK-MASQ`]],
    [
      "one device: others",
      { by: "device", names: ["cali*"] },
      false,
      [`${CAPTURE.replace(" -p", " ! -i cali+ -p")} -j KUBE-MARK-MASQ`],
    ],
    ["two devices: a chain tells", { by: "device", names: ["a", "b"] }, false, [`${CAPTURE} -j PORTOLAN-MARK-OTHERS`]],
    ["the way out: likewise", { by: "otherDevice", names: ["eth0"] }, false, [`${CAPTURE} -j PORTOLAN-MARK-OTHERS`]],
  ])("rows 35, 37 and 38: masquerades by %s", (_, clients, masqueradeAll, expected) => {
    const rules = inChain("KUBE-SVC-WEB", rendered(web(), { detector: detectorOf(clients, 4), masqueradeAll }));
    expect(rules.filter((rule) => rule.includes("--dport"))).toEqual(expected);
  });

  test("rows 31 and 33: without endpoints anywhere it is refused, with endpoints elsewhere it is silent", () => {
    expect(rendered(web({ cluster: [] }))).toEqual([
      'filter KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "default/web:http has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable',
    ]);
    expect(rendered(web({ internalLocal: true }))).toEqual([
      'filter KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "default/web:http has no local endpoints" -m tcp --dport 80 -j DROP',
    ]);
  });

  test("of internal policy Local leads to this node's endpoints alone", () => {
    const rules = rendered(web({ internalLocal: true, local: [FIRST] }));
    expect(inChain("nat KUBE-SERVICES", rules)).toEqual([`${CAPTURE} -j KUBE-SVL-WEB`]);
    expect(inChain("KUBE-SVL-WEB", rules)).toEqual([
      `! -s 10.9.0.0/16 ${CAPTURE} -j KUBE-MARK-MASQ`,
      "-j MARK --set-xmark 0x100/0x100",
      '-m comment --comment "default/web:http -> 10.9.1.10:8080" -j KUBE-SEP-1',
    ]);
    expect(rules.filter((rule) => /KUBE-SVC|KUBE-SEP-2/.test(rule))).toEqual([]);
  });

  test("endpoints with weights are drawn by them", () => {
    const rules = rendered(web({ cluster: [{ ...FIRST, weight: 3 }, SECOND] }));
    expect(inChain("KUBE-SVC-WEB", rules)[2]).toContain("--probability 0.75000000000 -j KUBE-SEP-1");
  });
});

describe("other frontends", () => {
  const EXTERNAL = [
    '-d 203.0.113.10/32 -p tcp -m comment --comment "default/web:http external IP" -m tcp --dport 80 -j KUBE-EXT-WEB',
    '-d 198.51.100.10/32 -p tcp -m comment --comment "default/web:http loadbalancer IP" -m tcp --dport 80 -j KUBE-EXT-WEB',
  ];

  test("rows 25 to 27 and 36: of policy Cluster masquerade everybody", () => {
    const rules = rendered(web({ frontends: FRONTENDS }));
    expect(inChain("nat KUBE-SERVICES", rules)).toEqual([`${CAPTURE} -j KUBE-SVC-WEB`, ...EXTERNAL]);
    expect(inChain("nat KUBE-NODEPORTS", rules)).toEqual([
      '-p tcp -m comment --comment "default/web:http" -m tcp --dport 30080 -j KUBE-EXT-WEB',
    ]);
    expect(inChain("KUBE-EXT-WEB", rules)).toEqual([
      '-m comment --comment "masquerade traffic for default/web:http external destinations" -j KUBE-MARK-MASQ',
      "-j KUBE-SVC-WEB",
    ]);
  });

  const POLICY_LOCAL = web({ frontends: FRONTENDS, externalLocal: true, local: [FIRST] });
  const HOST = [
    '-m comment --comment "masquerade LOCAL traffic for default/web:http external destinations" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ',
    '-m comment --comment "route LOCAL traffic for default/web:http external destinations" -m addrtype --src-type LOCAL -j KUBE-SVC-WEB',
  ];
  const POD = '-m comment --comment "pod traffic for default/web:http external destinations" -j KUBE-SVC-WEB';

  test.each<[string, LocalClients, readonly string[]]>([
    ["by their range", PODS, [`-s 10.9.0.0/16 ${POD}`, ...HOST, "-j KUBE-SVL-WEB"]],
    ["not at all", { by: "source", ranges: [] }, [...HOST, "-j KUBE-SVL-WEB"]],
    ["by devices", { by: "device", names: ["a", "b*"] }, [`-i a ${POD}`, `-i b+ ${POD}`, ...HOST, "-j KUBE-SVL-WEB"]],
    ["as all but those", { by: "otherDevice", names: ["eth0"] }, [...HOST, "-i eth0 -j KUBE-SVL-WEB", POD]],
  ])("rows 34, 35 and 38: of policy Local, pods told %s", (_, clients, expected) => {
    expect(inChain("KUBE-EXT-WEB", rendered(POLICY_LOCAL, { detector: detectorOf(clients, 4) }))).toEqual(expected);
  });

  test("rows 33 and 34: of policy Local without endpoints here serve pods and the node; others hear nothing", () => {
    const elsewhere = web({ frontends: FRONTENDS, externalLocal: true });
    const rules = rendered(elsewhere);
    expect(inChain("KUBE-EXT-WEB", rules)).toEqual([`-s 10.9.0.0/16 ${POD}`, ...HOST]);
    expect(inChain("filter KUBE-EXTERNAL-SERVICES", rules)).toEqual([
      '-d 203.0.113.10/32 -p tcp -m comment --comment "default/web:http has no local endpoints" -m tcp --dport 80 -j DROP',
      '-d 198.51.100.10/32 -p tcp -m comment --comment "default/web:http has no local endpoints" -m tcp --dport 80 -j DROP',
      '-p tcp -m comment --comment "default/web:http has no local endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30080 -j DROP',
    ]);
    const out: LocalClients = { by: "otherDevice", names: ["eth0"] };
    const byDevice = rendered(elsewhere, { detector: detectorOf(out, 4) });
    expect(inChain("KUBE-EXT-WEB", byDevice)).toEqual([...HOST, "-i eth0 -j RETURN", POD]);
  });

  test("row 31: without endpoints anywhere are refused", () => {
    const rules = rendered(web({ frontends: FRONTENDS, cluster: [] }));
    expect(rules.filter((rule) => !/^filter .* -j REJECT --reject-with icmp-port-unreachable$/.test(rule))).toEqual([]);
    expect(rules).toHaveLength(4);
  });
});

describe("source ranges", () => {
  const RULES = [
    { range: cidr("192.168.50.0/24"), admit: true },
    { range: cidr("0.0.0.0/32"), admit: true },
    { range: cidr("192.168.50.66/32"), admit: false },
  ];
  const OTHERS = '-m comment --comment "other traffic to default/web:http will be dropped by KUBE-PROXY-FIREWALL"';
  const COMMENT = '-m comment --comment "default/web:http loadbalancer IP"';

  test("row 44: hold for load balancer addresses alone; the longest range decides", () => {
    const rules = rendered(web({ frontends: FRONTENDS, sources: { kinds: ["LoadBalancer"], rules: RULES } }));
    expect(inChain("nat KUBE-SERVICES", rules).filter((rule) => rule.includes("KUBE-FW"))).toEqual([
      `-d 198.51.100.10/32 -p tcp ${COMMENT} -m tcp --dport 80 -j KUBE-FW-WEB`,
    ]);
    expect(inChain("KUBE-FW-WEB", rules)).toEqual([
      `-s 192.168.50.66/32 ${COMMENT} -j RETURN`,
      `-s 192.168.50.0/24 ${COMMENT} -j KUBE-EXT-WEB`,
      OTHERS,
    ]);
    expect(inChain("filter KUBE-PROXY-FIREWALL", rules)).toEqual([
      '-d 198.51.100.10/32 -p tcp -m comment --comment "default/web:http traffic not accepted by KUBE-FW-WEB" -m tcp --dport 80 -j DROP',
    ]);
  });

  test("row 44: where they hold for all, the ClusterIP has a chain of ours in front", () => {
    const kinds = ["ClusterIP", "NodePort", "ExternalIP", "LoadBalancer"] as const;
    const rules = rendered(web({ frontends: FRONTENDS, sources: { kinds, rules: RULES.slice(0, 2) } }));
    expect(inChain("nat KUBE-SERVICES", rules)[0]).toBe(`${CAPTURE} -j PORTOLAN-FW-WEB`);
    expect(inChain("PORTOLAN-FW-WEB", rules)).toEqual([`-s 192.168.50.0/24 ${COMMENT} -j KUBE-SVC-WEB`, OTHERS]);
    expect(inChain("nat KUBE-NODEPORTS", rules)[0]).toMatch(/-j KUBE-FW-WEB$/);
    expect(inChain("filter KUBE-PROXY-FIREWALL", rules)).toHaveLength(4);
  });

  test("row 44: without endpoints whom they admit is refused, and all others hear nothing", () => {
    const sources = { kinds: ["LoadBalancer"], rules: RULES } as const;
    const rules = rendered(web({ frontends: FRONTENDS.slice(2, 3), cluster: [], sources }));
    expect(inChain("filter KUBE-PROXY-FIREWALL", rules)[0]).toMatch(/-j PORTOLAN-FW-WEB$/);
    expect(inChain("filter PORTOLAN-FW-WEB", rules)).toEqual([
      `-s 192.168.50.66/32 ${COMMENT} -j DROP`,
      `-s 192.168.50.0/24 ${COMMENT} -j RETURN`,
      "-j DROP",
    ]);
    expect(inChain("filter KUBE-EXTERNAL-SERVICES", rules)[0]).toMatch(/-j REJECT/);
  });
});

test.each([{ cluster: [FIRST, SECOND] }, { cluster: [] }])(
  "row 47: INPUT lets health checks in, whether there are endpoints or not: %j",
  ({ cluster }) => {
    expect(inChain("filter KUBE-NODEPORTS", rendered(web({ cluster, healthCheckNodePort: 30_900 })))).toEqual([
      '-p tcp -m comment --comment "default/web:http health check node port" -m tcp --dport 30900 -j ACCEPT',
    ]);
    expect(inChain("filter KUBE-NODEPORTS", rendered(web({ cluster })))).toEqual([]);
  },
);

describe("session affinity", () => {
  const STICKY = web({ affinitySeconds: 600 });

  test("rows 51 and 52: a client's endpoint is in a set, for the time that each of its connections renews", () => {
    const rules = rendered(STICKY);
    expect(inChain("KUBE-SVC-WEB", rules).slice(2)).toEqual([
      '-m comment --comment "default/web:http -> 10.9.1.10:8080" -m set --match-set PORTOLAN-4-1 src -j KUBE-SEP-1',
      '-m comment --comment "default/web:http -> 10.9.2.10:8080" -m set --match-set PORTOLAN-4-2 src -j KUBE-SEP-2',
      '-m comment --comment "default/web:http -> 10.9.1.10:8080" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-1',
      '-m comment --comment "default/web:http -> 10.9.2.10:8080" -j KUBE-SEP-2',
    ]);
    expect(inChain("KUBE-SEP-1", rules)[1]).toBe(
      '-m comment --comment "default/web:http" -j SET --add-set PORTOLAN-4-1 src --exist --timeout 600',
    );
    const hashes = [FIRST, SECOND].map((one) => `PORTOLAN-4-${endpointHash(STICKY, one)}`);
    expect(serviceRules(STICKY, OPTIONS).sets).toEqual(hashes);
    expect(Math.max(...hashes.map((name) => name.length))).toBeLessThanOrEqual(31);
  });

  test("row 53: or, without ipset, in a list as kube-proxy's", () => {
    const rules = rendered(STICKY, { store: "recent" });
    expect(inChain("KUBE-SVC-WEB", rules)[2]).toBe(
      '-m comment --comment "default/web:http -> 10.9.1.10:8080" -m recent --rcheck --seconds 600 --reap --name KUBE-SEP-1 --mask 255.255.255.255 --rsource -j KUBE-SEP-1',
    );
    expect(inChain("KUBE-SEP-1", rules)[1]).toBe(
      '-p tcp -m comment --comment "default/web:http" -m recent --set --name KUBE-SEP-1 --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.9.1.10:8080',
    );
    expect(serviceRules(STICKY, { ...OPTIONS, store: "recent" }).sets).toEqual([]);
  });
});

test("row 76: without comments the endpoints' rules have none, those that lead to a Service do", () => {
  const rules = rendered(web(), { comments: false });
  expect(rules.filter((rule) => rule.includes("comment")).map((rule) => rule.replace(/ .*/, ""))).toEqual([
    "nat",
    "KUBE-SVC-WEB",
  ]);
  expect(inChain("KUBE-SEP-1", rules)).toEqual([
    "-s 10.9.1.10/32 -j KUBE-MARK-MASQ",
    "-p tcp -m tcp -j DNAT --to-destination 10.9.1.10:8080",
  ]);
});
