// SPDX-License-Identifier: Apache-2.0
// Flags and a configuration file together: a flag beats the file.

import { hostname } from "node:os";
import { expect, test } from "vitest";
import { type AgentFlags, agentOptions, type FileSettings, NO_FILE } from "../../../src/agent/options.ts";
import { agentCommand } from "../../../src/cli/agent.ts";

const FILE: FileSettings = {
  nodeName: "node-7",
  clusterCidrs: ["10.244.0.0/16"],
  detectLocalMode: "InterfaceNamePrefix",
  bridgeInterface: "cni0",
  interfaceNamePrefix: "cali",
  nodePortAddresses: ["primary"],
  masqueradeAll: true,
  localhostNodePorts: false,
};

/** What commander makes of a command line. */
function flags(...argv: readonly string[]): AgentFlags {
  return agentCommand()
    .action(() => undefined)
    .parse(["--manifests", "/m", ...argv], { from: "user" })
    .opts<AgentFlags>();
}

test("without flag and file: the host's name, every address, clients told by their devices", () => {
  expect(agentOptions(flags())).toMatchObject({
    nodeName: hostname().toLowerCase(),
    nodePortAddresses: [],
    localhostNodePorts: true,
    masqueradeAll: false,
    localDetector: { mode: "Device" },
  });
});

test("row 38: what the file says counts where no flag says otherwise", () => {
  expect(agentOptions(flags(), FILE)).toMatchObject({
    nodeName: "node-7",
    nodePortAddresses: ["primary"],
    localhostNodePorts: false,
    masqueradeAll: true,
    localDetector: { mode: "InterfaceNamePrefix", interface: "cali" },
  });
});

test("row 38: a flag beats the file, also one that says the default", () => {
  const given = [
    ...["--node-name", "N1", "--nodeport-addresses", "192.0.2.0/24", "--localhost-nodeports", "--no-masquerade-all"],
    ...["--detect-local-mode", "ClusterCIDR", "--cluster-cidr", "10.9.0.0/16,fd00::/48"],
  ];
  expect(agentOptions(flags(...given), FILE)).toMatchObject({
    nodeName: "n1",
    nodePortAddresses: ["192.0.2.0/24"],
    localhostNodePorts: true,
    masqueradeAll: false,
    localDetector: {
      mode: "ClusterCIDR",
      cidrs: [
        { address: "10.9.0.0", prefixLength: 16 },
        { address: "fd00::", prefixLength: 48 },
      ],
    },
  });
  expect(agentOptions(flags("--detect-local-mode", "Device"), FILE).localDetector).toEqual({ mode: "Device" });
});

test("row 38: the mode of the one and the interface of the other go together", () => {
  const detector = (argv: readonly string[], file: Partial<FileSettings>) =>
    agentOptions(flags(...argv), { ...NO_FILE, ...file }).localDetector;
  expect(detector(["--pod-bridge-interface", "br7"], { detectLocalMode: "BridgeInterface" })).toEqual({
    mode: "BridgeInterface",
    interface: "br7",
  });
  expect(detector(["--detect-local-mode", "BridgeInterface"], FILE)).toEqual({
    mode: "BridgeInterface",
    interface: "cni0",
  });
  expect(detector([], { clusterCidrs: ["10.244.0.0/16"] })).toMatchObject({ mode: "ClusterCIDR" });
});
