// SPDX-License-Identifier: Apache-2.0
// --config with a KubeProxyConfiguration: what counts, what is refused by file, line and field, what is only mentioned.

import { expect, test } from "vitest";
import { readConfig } from "../../../src/agent/config/config-file.ts";
import { readText } from "../../../src/agent/config/document.ts";
import { UsageError } from "../../../src/agent/errors.ts";

const HEAD = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
/** As kubeadm writes it into the ConfigMap. */
const KUBEADM = `${HEAD}bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 0
  contentType: ""
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
  qps: 0
clusterCIDR: 10.244.0.0/16,fd00:10:244::/56
configSyncPeriod: 0s
conntrack:
  maxPerCore: null
  min: null
  tcpBeLiberal: false
  tcpCloseWaitTimeout: null
  tcpEstablishedTimeout: null
  udpStreamTimeout: 0s
  udpTimeout: 0s
detectLocal:
  bridgeInterface: ""
  interfaceNamePrefix: ""
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables:
  localhostNodePorts: null
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
ipvs:
  excludeCIDRs: null
  minSyncPeriod: 0s
  scheduler: ""
  strictARP: false
  syncPeriod: 0s
  tcpFinTimeout: 0s
  tcpTimeout: 0s
  udpTimeout: 0s
logging:
  flushFrequency: 0
  options:
    json:
      infoBufferSize: "0"
    text:
      infoBufferSize: "0"
  verbosity: 0
metricsBindAddress: ""
mode: ""
nftables:
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel:
  enableDSR: false
  forwardHealthCheckVip: false
  networkName: ""
  rootHnsEndpointName: ""
  sourceVip: ""
`;

/** Without conntrack's, which a test of its own has: kube-proxy's defaults are always among them. */
function read(file: string, text: string): { readonly flags: object; readonly warnings: readonly string[] } {
  const { flags, warnings } = readConfig(file, text);
  const others = Object.entries(flags).filter(([flag]) => !flag.startsWith("conntrack"));
  return { flags: Object.fromEntries(others), warnings };
}

function flags(text: string): object {
  return read("config.conf", HEAD + text).flags;
}

test("the file that kubeadm writes: kubeconfig and cluster CIDRs count, what it leaves empty is not mentioned", () => {
  expect(read("config.conf", KUBEADM)).toEqual({
    flags: {
      ...{ kubeconfig: "/var/lib/kube-proxy/kubeconfig.conf", ipvsStrictArp: false, masqueradeAll: false },
      clusterCidr: ["10.244.0.0/16", "fd00:10:244::/56"],
    },
    warnings: ["config.conf: has no effect: bindAddress"],
  });
});

test("every field with an effect", () => {
  expect(
    flags(`hostnameOverride: " Node-7.Example "
clusterCIDR: 10.244.0.0/16
detectLocalMode: BridgeInterface
detectLocal: {bridgeInterface: cni0, interfaceNamePrefix: cali}
nodePortAddresses: [192.0.2.0/24, "2001:db8::/32"]
iptables: {masqueradeAll: true, localhostNodePorts: false}
`),
  ).toEqual({
    nodeName: "node-7.example",
    clusterCidr: ["10.244.0.0/16"],
    detectLocalMode: "BridgeInterface",
    podBridgeInterface: "cni0",
    podInterfaceNamePrefix: "cali",
    nodeportAddresses: ["192.0.2.0/24", "2001:db8::/32"],
    masqueradeAll: true,
    localhostNodeports: false,
  });
});

test("JSON says the same", () => {
  const text = `{"apiVersion":"kubeproxy.config.k8s.io/v1alpha1","kind":"KubeProxyConfiguration","detectLocalMode":"NodeCIDR"}`;
  expect(read("kube-proxy.json", text)).toEqual({
    flags: { detectLocalMode: "NodeCIDR" },
    warnings: [],
  });
});

test("the section of the file's mode counts; that of nftables knows only the node's own addresses by default", () => {
  const both = "iptables: {masqueradeAll: true}\nnftables: {masqueradeAll: false}\n";
  expect(flags(both)).toEqual({ masqueradeAll: true });
  expect(flags(`mode: ipvs\n${both}`)).toEqual({ masqueradeAll: true });
  expect(flags(`mode: nftables\n${both}`)).toEqual({ masqueradeAll: false, nodeportAddresses: ["primary"] });
  expect(flags("mode: nftables\nnodePortAddresses: [192.0.2.0/24]\nnftables: {masqueradeAll: true}")).toEqual({
    masqueradeAll: true,
    nodeportAddresses: ["192.0.2.0/24"],
  });
});

test.each([
  [0, undefined],
  [2, "info"],
  [4, "debug"],
  [6, "trace"],
])("logging.verbosity %i is the level %s, and the format counts", (verbosity, logLevel) => {
  const expected = logLevel === undefined ? { logFormat: "json" } : { logFormat: "json", logLevel };
  expect(flags(`logging: {format: json, verbosity: ${verbosity}, flushFrequency: 5s}`)).toEqual(expected);
});

test("rows 63 and 64: conntrack's settings, with kube-proxy's defaults where the file says nothing", () => {
  const conntrack = (text: string): object => {
    const { flags: all } = readConfig("config.conf", HEAD + text);
    return Object.fromEntries(Object.entries(all).filter(([flag]) => flag.startsWith("conntrack")));
  };
  const defaults = {
    conntrackMaxPerCore: 32_768,
    conntrackMin: 131_072,
    conntrackTcpTimeoutEstablished: 86_400_000,
    conntrackTcpTimeoutCloseWait: 3_600_000,
    conntrackUdpTimeout: 0,
    conntrackUdpTimeoutStream: 0,
  };
  expect(conntrack("")).toEqual(defaults);
  expect(conntrack("conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpBeLiberal: true}")).toEqual({
    ...defaults,
    conntrackMaxPerCore: 0,
    conntrackTcpTimeoutEstablished: 0,
    conntrackTcpBeLiberal: true,
  });
  const all = "min: 5, tcpCloseWaitTimeout: 90m, udpTimeout: 30s, udpStreamTimeout: 2m";
  expect(conntrack(`conntrack: {${all}}`)).toEqual({
    ...defaults,
    conntrackMin: 5,
    conntrackTcpTimeoutCloseWait: 5_400_000,
    conntrackUdpTimeout: 30_000,
    conntrackUdpTimeoutStream: 120_000,
  });
});

test("the score for the out-of-memory killer counts where the file names one, 0 too", () => {
  expect([flags("oomScoreAdj: -999"), flags("oomScoreAdj: 0"), flags("")]).toEqual([
    { oomScoreAdj: -999 },
    { oomScoreAdj: 0 },
    {},
  ]);
});

test("unknown fields are left out by name, each with its line; the rest counts", () => {
  const text = `${HEAD}clusterCidr: 10.0.0.0/8
iptables:
  masqueradeAll: true
  masquerade: true
  syncperiod: 1s
somethingNew: {a: 1}
`;
  expect(read("/etc/kube-proxy/config.conf", text)).toEqual({
    flags: { masqueradeAll: true },
    warnings: [
      "/etc/kube-proxy/config.conf:3: clusterCidr: unknown field, left out",
      "/etc/kube-proxy/config.conf:6: iptables.masquerade: unknown field, left out",
      "/etc/kube-proxy/config.conf:7: iptables.syncperiod: unknown field, left out",
      "/etc/kube-proxy/config.conf:8: somethingNew: unknown field, left out",
    ],
  });
});

test("the mode never chooses the driver, and what has no effect is said once", () => {
  const text = `${HEAD}mode: ipvs
ipvs: {scheduler: sh, strictARP: true}
nftables: {masqueradeAll: true}
showHiddenMetricsForVersion: "1.36"
portRange: 1-2
featureGates: {SomeGate: true}
configSyncPeriod: 15m
`;
  expect(readConfig("c.yaml", text).warnings).toEqual([
    'c.yaml:3: mode: "ipvs" does not choose the driver: --mode does',
    "c.yaml: has no effect: featureGates.SomeGate, showHiddenMetricsForVersion, " +
      "nftables.masqueradeAll, configSyncPeriod, portRange",
  ]);
});

test.each<[string, object]>([
  ["iptables: {masqueradeBit: 14}\nnftables: {masqueradeBit: 15}", { masqueradeBit: 14 }],
  ["mode: ipvs\niptables: {masqueradeBit: 14}\nnftables: {masqueradeBit: 15}", { masqueradeBit: 14 }],
  ["mode: nftables\niptables: {masqueradeBit: 14}\nnftables: {masqueradeBit: 15}", { masqueradeBit: 15 }],
  ["ipvs: {scheduler: lc}", { ipvsScheduler: "lc" }],
])("row 40: %j counts in the modes of rules", (text, flags) => {
  expect(read("c.yaml", HEAD + text).flags).toMatchObject(flags);
});

test.each<[string, string]>([
  ["clusterCIDR: 10.0.0.1", 'c.yaml:3: clusterCIDR: "10.0.0.1" is no CIDR: give one such as 10.244.0.0/16'],
  ["clusterCIDR: 10.0.0.0/8,10.1.0.0/16", "c.yaml:3: clusterCIDR: give one CIDR, or one of each family"],
  [
    "mode: ''\ndetectLocalMode: Bridge",
    "c.yaml:4: detectLocalMode: must be ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix",
  ],
  ["detectLocalMode: Device", "c.yaml:3: detectLocalMode: must be ClusterCIDR"],
  ["nodePortAddresses: [primary, 10.0.0.0/8]", 'c.yaml:3: nodePortAddresses: "primary" must stand alone'],
  [
    "nodePortAddresses:\n- 10.0.0.0/8\n- 10.0.0.300/8",
    'nodePortAddresses: "10.0.0.300/8" is no CIDR: use one such as 192.0.2.0/24',
  ],
  ["iptables:\n  masqueradeBit: 32", "c.yaml:4: iptables.masqueradeBit: must be a whole number from 0 to 31"],
  ["ipvs:\n  scheduler: rrr", "c.yaml:4: ipvs.scheduler: must be one of rr, wrr, lc, "],
  ["iptables:\n  masqueradeAll: yes", "c.yaml:4: iptables.masqueradeAll: must be true or false"],
  [
    "nftables:\n  syncPeriod: 10s\n  minSyncPeriod: 11s",
    "c.yaml:5: nftables.minSyncPeriod: must not be longer than syncPeriod",
  ],
  ["ipvs:\n  minSyncPeriod: 31s", "c.yaml:4: ipvs.minSyncPeriod: must not be longer than syncPeriod"],
  ["ipvs:\n  udpTimeout: -1s", 'c.yaml:4: ipvs.udpTimeout: "-1s" is no duration: use one such as 30s or 1m30s'],
  ["ipvs:\n  excludeCIDRs: [10.0.0.0]", 'ipvs.excludeCIDRs: "10.0.0.0" is no CIDR: use one such as 192.0.2.0/24'],
  ["oomScoreAdj: -1001", "c.yaml:3: oomScoreAdj: must be a whole number from -1000 to 1000"],
  ["bindAddress: localhost", 'c.yaml:3: bindAddress: "localhost" is no IP address'],
  ["healthzBindAddress: 0.0.0.0:70000", 'c.yaml:3: healthzBindAddress: "0.0.0.0:70000" is no address: use one such as'],
  ["hostnameOverride: 7", "c.yaml:3: hostnameOverride: must be text: put it in quotes"],
  ["detectLocal: cni0", "c.yaml:3: detectLocal: must be an object with named fields"],
  ["logging: {format: xml}", "c.yaml:3: logging.format: must be text or json"],
  ["iptables: {\nmode: x", "c.yaml:4: "],
  ["mode: 7\noomScoreAdj: 2000", "c.yaml:3: mode: must be text: put it in quotes\nc.yaml:4: oomScoreAdj: must be"],
])("%j is refused by file, line and field", (text, message) => {
  expect(() => readConfig("c.yaml", HEAD + text)).toThrow(UsageError);
  expect(() => readConfig("c.yaml", HEAD + text)).toThrow(message);
});

test("another kind of object is refused, a ConfigMap with what to do", () => {
  expect(() => readConfig("c.yaml", "apiVersion: v1\nkind: ConfigMap\n")).toThrow(
    "c.yaml:1: must be apiVersion portolan.dev/v1alpha1, kind PortolanConfiguration, or " +
      "kubeproxy.config.k8s.io/v1alpha1, kind KubeProxyConfiguration, not v1, ConfigMap; " +
      "give what its data has under config.conf",
  );
  expect(() => readConfig("c.yaml", "")).toThrow("not no apiVersion, no kind");
});

test("a file that is not there is named", () => {
  expect(() => readText("/nowhere/config.conf")).toThrow("--config /nowhere/config.conf cannot be read: ENOENT");
});

/** Every field of KubeProxyConfiguration with a value that says something; kube-proxy 1.37. */
const EVERY_FIELD: Readonly<Record<string, unknown>> = {
  "featureGates.A": true,
  "clientConnection.kubeconfig": "/etc/kubeconfig",
  "clientConnection.acceptContentTypes": "a/b",
  "clientConnection.contentType": "a/b",
  "clientConnection.qps": 5,
  "clientConnection.burst": 10,
  "logging.format": "json",
  "logging.flushFrequency": "5s",
  "logging.verbosity": 4,
  "logging.vmodule": [{ filePattern: "a", verbosity: 3 }],
  "logging.options.json.infoBufferSize": "1Mi",
  hostnameOverride: "n1",
  bindAddress: "192.0.2.1",
  healthzBindAddress: "192.0.2.1:1",
  metricsBindAddress: "192.0.2.1:2",
  bindAddressHardFail: true,
  enableProfiling: true,
  showHiddenMetricsForVersion: "1.36",
  mode: "iptables",
  "iptables.masqueradeBit": 14,
  "iptables.masqueradeAll": true,
  "iptables.localhostNodePorts": false,
  "iptables.syncPeriod": "30s",
  "iptables.minSyncPeriod": "1s",
  "ipvs.syncPeriod": "30s",
  "ipvs.minSyncPeriod": "1s",
  "ipvs.scheduler": "rr",
  "ipvs.excludeCIDRs": ["10.0.0.0/8"],
  "ipvs.strictARP": true,
  "ipvs.tcpTimeout": "1s",
  "ipvs.tcpFinTimeout": "1s",
  "ipvs.udpTimeout": "1s",
  "nftables.masqueradeBit": 14,
  "nftables.masqueradeAll": true,
  "nftables.syncPeriod": "30s",
  "nftables.minSyncPeriod": "1s",
  "winkernel.networkName": "a",
  "winkernel.sourceVip": "192.0.2.1",
  "winkernel.enableDSR": true,
  "winkernel.rootHnsEndpointName": "a",
  "winkernel.forwardHealthCheckVip": true,
  detectLocalMode: "NodeCIDR",
  "detectLocal.bridgeInterface": "cni0",
  "detectLocal.interfaceNamePrefix": "cali",
  clusterCIDR: "10.0.0.0/8",
  nodePortAddresses: ["10.0.0.0/8"],
  oomScoreAdj: -1,
  "conntrack.maxPerCore": 1,
  "conntrack.min": 2,
  "conntrack.tcpEstablishedTimeout": "1s",
  "conntrack.tcpCloseWaitTimeout": "2s",
  "conntrack.tcpBeLiberal": true,
  "conntrack.udpTimeout": "3s",
  "conntrack.udpStreamTimeout": "4s",
  configSyncPeriod: "15m",
  portRange: "1-2",
  windowsRunAsService: true,
};

test.each(Object.keys(EVERY_FIELD))("%s has an effect, or a warning names it", (field) => {
  const [apiVersion, kind] = ["kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration"];
  const nested = field.split(".").reduceRight<unknown>((value, key) => ({ [key]: value }), EVERY_FIELD[field]);
  const bare = readConfig("c.json", JSON.stringify({ apiVersion, kind }));
  const { flags, warnings } = readConfig("c.json", JSON.stringify({ apiVersion, kind, ...(nested as object) }));
  const named = warnings.some((warning) => warning.includes(field));
  const counts = JSON.stringify(flags) !== JSON.stringify(bare.flags);
  expect({ named, counts }).toEqual({ named: !counts, counts: !named });
});
