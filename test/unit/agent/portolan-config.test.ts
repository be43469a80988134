// SPDX-License-Identifier: Apache-2.0
// --config with Portolan's own file: what each field says, what is refused by file, line and field, and that the JSON schema
// and the documents say the same. `npx vitest -u` writes schema and table anew.

import { existsSync, readFileSync } from "node:fs";
import type { Option } from "commander";
import { describe, expect, test } from "vitest";
import { readConfig } from "../../../src/agent/config/config-file.ts";
import { readText } from "../../../src/agent/config/document.ts";
import { FIELDS } from "../../../src/agent/config/fields.ts";
import { configJsonSchema, configTable, type FlagHelp } from "../../../src/agent/config/json-schema.ts";
import { UsageError } from "../../../src/agent/errors.ts";
import { agentCommand } from "../../../src/cli/agent.ts";
import { root } from "../house/source-files.ts";

const HEAD = "apiVersion: portolan.dev/v1alpha1\nkind: PortolanConfiguration\n";
const SCHEMA = `${root}docs/configuration.schema.json`;
const DOCUMENT = `${root}docs/configuration.md`;
const EXAMPLE = `${root}examples/agent/configuration.yaml`;

function flags(text: string): object {
  return readConfig("/etc/portolan/agent.yaml", HEAD + text).flags;
}

describe("the file", () => {
  test("every field is the value of its flag; paths are beside the file", () => {
    const text = `nodeName: Node-7
manifests: services
kubeconfig: /etc/kubeconfig
inCluster: false
apiServers: ["https://192.0.2.9:6443"]
mode: ebpf
iptables: {variant: legacy}
ipvs: {scheduler: wrr, strictARP: true}
devices: [eth*, bond0]
podDevices: [tap*]
nodePortAddresses: [192.0.2.0/24]
localhostNodePorts: false
protectNodePorts: true
serviceCIDRs: [10.96.0.0/12, "fd00::/108"]
clusterCIDRs: [10.244.0.0/16]
detectLocalMode: Device
detectLocal: {bridgeInterface: cni0, interfaceNamePrefix: cali}
masqueradeAll: true
vipPing: true
xdp: native
takeOver: true
snatPortRange: 20000-29999
serviceNodePortRange: 30000-30999
markBits: [3, 4]
masqueradeBit: 14
cgroupRoot: /sys/fs/cgroup
podCgroups: ../pods
bpffs: /bpf
stateDir: /state
maps: {maxServices: 32, maxBackends: 64, maxFlows: 2048}
conntrack:
  {maxPerCore: 1000, min: 2000, tcpEstablishedTimeout: 24h, tcpCloseWaitTimeout: 1h, tcpBeLiberal: true,
   udpTimeout: 30s, udpStreamTimeout: 2m0.5s}
oomScoreAdj: -998
healthzBindAddress: 192.0.2.7
metricsBindAddress: "[::1]:9000"
bindAddressHardFail: true
serviceMetrics: true
serviceMetricsMax: 200
logging: {format: json, level: debug}
`;
    expect(flags(text)).toEqual({
      nodeName: "Node-7",
      manifests: "/etc/portolan/services",
      kubeconfig: "/etc/kubeconfig",
      inCluster: false,
      apiServer: ["https://192.0.2.9:6443"],
      mode: "ebpf",
      iptablesVariant: "legacy",
      ipvsScheduler: "wrr",
      ipvsStrictArp: true,
      devices: ["eth*", "bond0"],
      podDevices: ["tap*"],
      nodeportAddresses: ["192.0.2.0/24"],
      localhostNodeports: false,
      protectNodeports: true,
      serviceCidr: ["10.96.0.0/12", "fd00::/108"],
      clusterCidr: ["10.244.0.0/16"],
      detectLocalMode: "Device",
      podBridgeInterface: "cni0",
      podInterfaceNamePrefix: "cali",
      masqueradeAll: true,
      vipPing: true,
      xdp: "native",
      takeOver: true,
      snatPortRange: { min: 20000, max: 29999 },
      serviceNodePortRange: { min: 30000, max: 30999 },
      markBits: { inbound: 3, outbound: 4 },
      masqueradeBit: 14,
      cgroupRoot: "/sys/fs/cgroup",
      podCgroups: "/etc/pods",
      bpffs: "/bpf",
      stateDir: "/state",
      maxServices: 32,
      maxBackends: 64,
      maxFlows: 2048,
      conntrackMaxPerCore: 1000,
      conntrackMin: 2000,
      conntrackTcpTimeoutEstablished: 86_400_000,
      conntrackTcpTimeoutCloseWait: 3_600_000,
      conntrackTcpBeLiberal: true,
      conntrackUdpTimeout: 30_000,
      conntrackUdpTimeoutStream: 120_500,
      oomScoreAdj: -998,
      healthzBindAddress: "192.0.2.7",
      metricsBindAddress: "[::1]:9000",
      bindAddressHardFail: true,
      serviceMetrics: true,
      serviceMetricsMax: 200,
      logFormat: "json",
      logLevel: "debug",
    });
    expect(Object.keys(flags(text))).toHaveLength(FIELDS.length);
  });

  test("what is absent or null says nothing, in JSON as in YAML", () => {
    expect(flags("")).toEqual({});
    expect(flags("nodeName: null\nlogging:\nmaps: {maxFlows: null}\n")).toEqual({});
    const json = `{"apiVersion":"portolan.dev/v1alpha1","kind":"PortolanConfiguration","logging":{"level":"warn"}}`;
    expect(readConfig("agent.json", json).flags).toEqual({ logLevel: "warn" });
  });

  test.each<[string, string]>([
    ["nodename: x", "c.yaml:3: nodename: there is no such field"],
    ["logging:\n  format: json\n  verbosity: 4", "c.yaml:5: logging.verbosity: there is no such field"],
    ["mode: xdp", "c.yaml:3: mode: must be auto, ebpf, nftables, ipvs or iptables"],
    ["devices: eth0", "c.yaml:3: devices: must be a list"],
    ["devices: [eth0, '']", "c.yaml:3: devices: has an empty item"],
    ["nodePortAddresses: [primary, 10.0.0.0/8]", 'c.yaml:3: nodePortAddresses: "primary" must stand alone'],
    ["vipPing: yes", "c.yaml:3: vipPing: must be true or false"],
    ["serviceCIDRs: [10.96.0.0]", 'c.yaml:3: serviceCIDRs: "10.96.0.0" is no CIDR'],
    ["snatPortRange: 2000-1000", "c.yaml:3: snatPortRange: give two ports from 1 to 65535, lower one first"],
    ["snatPortRange: 2000", "c.yaml:3: snatPortRange: must be text: give two ports"],
    ["markBits: [29, 29]", "c.yaml:3: markBits: must be two different bits from 0 to 31: [29, 30]"],
    ["markBits: 29", "c.yaml:3: markBits: must be a list of two bits"],
    ["maps:\n  maxFlows: 1000", "c.yaml:4: maps.maxFlows: must be a whole number from 1024 to 64000000"],
    ["conntrack:\n  udpTimeout: 30", "c.yaml:4: conntrack.udpTimeout: must be text: use one such as 30s or 1m30s"],
    ["conntrack:\n  udpTimeout: -1s", 'c.yaml:4: conntrack.udpTimeout: "-1s" is no duration'],
    ["oomScoreAdj: 1001", "c.yaml:3: oomScoreAdj: must be a whole number from -1000 to 1000"],
    ["maps: 7", "c.yaml:3: maps: must be an object with named fields"],
    ["nodeName: 7", "c.yaml:3: nodeName: must be text: put it in quotes"],
    ["logging: {\nmode: x", "c.yaml:4: "],
  ])("%j is refused by file, line and field", (text, message) => {
    expect(() => readConfig("c.yaml", HEAD + text)).toThrow(UsageError);
    expect(() => readConfig("c.yaml", HEAD + text)).toThrow(message);
  });

  test("all that is wrong is said at once, in the order of the file", () => {
    const text = `${HEAD}vipping: true\nmaps:\n  maxFlows: many\n  flows: 7\nmode: xdp\n`;
    expect(() => readConfig("c.yaml", text)).toThrow(
      "c.yaml:3: vipping: there is no such field\n" +
        "c.yaml:5: maps.maxFlows: must be a whole number from 1024 to 64000000\n" +
        "c.yaml:6: maps.flows: there is no such field\n" +
        "c.yaml:7: mode: must be auto, ebpf, nftables, ipvs or iptables",
    );
  });

  test("what the file calls a flag", () => {
    const { nameOf } = readConfig("c.yaml", HEAD);
    expect([nameOf("maxFlows"), nameOf("nodeportAddresses")]).toEqual(["maps.maxFlows", "nodePortAddresses"]);
  });
});

describe("the fields", () => {
  /** --config names the file itself. */
  const NO_FIELD = ["config"];

  test("every flag of the agent has a field, and every field a flag", () => {
    const attributes = new Set(agentCommand().options.map((option) => option.attributeName()));
    const wanted = [...attributes].filter((attribute) => !NO_FIELD.includes(attribute));
    expect(FIELDS.map(({ flag }) => flag as string).sort()).toEqual(wanted.sort());
  });

  test("the example is a configuration, and names only what it sets", () => {
    expect(readConfig(EXAMPLE, readText(EXAMPLE))).toMatchObject({
      flags: { manifests: `${root}examples`, nodeName: "node-a", maxFlows: 262144, logFormat: "json" },
      warnings: [],
    });
  });

  test("docs/configuration.schema.json is in step", async () => {
    expect(existsSync(SCHEMA)).toBe(true);
    await expect(`${JSON.stringify(configJsonSchema(help()), undefined, 2)}\n`).toMatchFileSnapshot(SCHEMA);
  });

  test("the table of docs/configuration.md is in step", async () => {
    const table = /(?<=<!-- fields -->\n)[\s\S]*(?=<!-- end -->)/;
    const document = readFileSync(DOCUMENT, "utf8");
    expect(document).toMatch(table);
    await expect(document.replace(table, () => `${configTable(help())}\n`)).toMatchFileSnapshot(DOCUMENT);
  });
});

/** What `portolan agent --help` says of each flag, its negation left aside. */
function help(): readonly FlagHelp[] {
  return agentCommand()
    .options.filter(({ negate }) => !negate)
    .map((option) => ({
      attribute: option.attributeName(),
      flags: option.flags,
      description: option.description,
      initial: initialOf(option),
    }));
}

function initialOf({ defaultValue, defaultValueDescription }: Option): string | undefined {
  if (defaultValue === undefined) return undefined;
  return defaultValueDescription ?? String(defaultValue);
}
