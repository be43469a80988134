// SPDX-License-Identifier: Apache-2.0
// Flags and a configuration file together: a flag beats the file.

import { hostname } from "node:os";
import { expect, test } from "vitest";
import { mergeFlags } from "../../../src/agent/config/merge.ts";
import { type AgentFlags, type AgentOptions, agentOptions, type FileFlags } from "../../../src/agent/options.ts";
import { agentCommand } from "../../../src/cli/agent.ts";

const FILE: FileFlags = {
  nodeName: "node-7",
  clusterCidr: ["10.244.0.0/16"],
  detectLocalMode: "InterfaceNamePrefix",
  podBridgeInterface: "cni0",
  podInterfaceNamePrefix: "cali",
  nodeportAddresses: ["primary"],
  masqueradeAll: true,
  localhostNodeports: false,
  manifests: "/of/the/file",
  bpffs: "/file/bpf",
  maxFlows: 2048,
};

/** What becomes of a command line beside a file. */
function options(argv: readonly string[], file: FileFlags = {}): AgentOptions {
  const command = agentCommand().action(() => undefined);
  command.parse(argv, { from: "user" });
  const isGiven = (flag: string) => command.getOptionValueSource(flag) === "cli";
  return agentOptions(mergeFlags(command.opts<AgentFlags>(), isGiven, file));
}

test("without flag and file: the host's name, every address, clients told by their devices", () => {
  expect(options(["--manifests", "/m"])).toMatchObject({
    nodeName: hostname().toLowerCase(),
    nodePortAddresses: [],
    localhostNodePorts: true,
    masqueradeAll: false,
    localDetector: { mode: "Device" },
  });
});

test("row 38: what the file says counts where no flag says otherwise", () => {
  expect(options([], FILE)).toMatchObject({
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
  expect(options(given, FILE)).toMatchObject({
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
  expect(options(["--detect-local-mode", "Device"], FILE).localDetector).toEqual({ mode: "Device" });
});

test("a place or a size of the file counts, unless a flag names one, be it the default", () => {
  expect(options([], FILE)).toMatchObject({
    source: { directory: "/of/the/file" },
    bpffs: "/file/bpf",
    sizes: { maxFlows: 2048 },
  });
  const given = ["--manifests", "/m", "--bpffs", "/sys/fs/bpf", "--max-flows", "1048576"];
  expect(options(given, FILE)).toMatchObject({
    source: { directory: "/m" },
    bpffs: "/sys/fs/bpf",
    sizes: { maxFlows: 1048576 },
  });
});

test("who names a source of Services on the command line means no other of the file", () => {
  expect(options(["--manifests", "/m"], { kubeconfig: "/of/the/file" }).source).toEqual({
    kind: "manifests",
    directory: "/m",
  });
});

test("row 40: what is to be masqueraded has a bit of its own", () => {
  const bit = (...argv: readonly string[]) => options(["--manifests", "/m", ...argv], {}).masqueradeBit;
  expect(bit()).toBeUndefined();
  expect(bit("--masquerade-bit", "14")).toBe(14);
  expect(() => bit("--mark-bits", "14,15", "--masquerade-bit", "14")).toThrow(
    "--masquerade-bit 14 is the first of --mark-bits, which says something else: give another",
  );
});

test("row 38: the mode of the one and the interface of the other go together", () => {
  const detector = (argv: readonly string[], file: FileFlags) =>
    options(["--manifests", "/m", ...argv], file).localDetector;
  expect(detector(["--pod-bridge-interface", "br7"], { detectLocalMode: "BridgeInterface" })).toEqual({
    mode: "BridgeInterface",
    interface: "br7",
  });
  expect(detector(["--detect-local-mode", "BridgeInterface"], FILE)).toEqual({
    mode: "BridgeInterface",
    interface: "cni0",
  });
  expect(detector([], { clusterCidr: ["10.244.0.0/16"] })).toMatchObject({ mode: "ClusterCIDR" });
});
