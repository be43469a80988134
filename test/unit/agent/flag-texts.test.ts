// SPDX-License-Identifier: Apache-2.0
// Row 70: what /flagz says of every flag that there is, read from the options in force.

import { expect, test } from "vitest";
import { flagTexts } from "../../../src/agent/flag-texts.ts";
import { type AgentFlags, agentOptions } from "../../../src/agent/options.ts";
import { agentCommand } from "../../../src/cli/agent.ts";

function textsOf(...argv: readonly string[]): ReadonlyMap<string, string> {
  const command = agentCommand().action(() => undefined);
  command.parse(argv, { from: "user" });
  return flagTexts(agentOptions(command.opts<AgentFlags>()));
}

test("row 70: every flag has a line, and there is no line without a flag", () => {
  const names = agentCommand().options.filter(({ negate }) => !negate);
  const flags = names.map(({ long }) => long?.slice(2)).sort();
  expect([...textsOf("--manifests", "/m").keys()].sort()).toEqual(flags);
});

test("row 70: what nobody has set says what is in force without", () => {
  const texts = textsOf("--manifests", "/m", "--node-name", "N1");
  expect(Object.fromEntries(texts)).toMatchObject({
    manifests: "/m",
    "node-name": "n1",
    kubeconfig: "",
    "in-cluster": "false",
    mode: "auto",
    devices: "",
    "localhost-nodeports": "true",
    "detect-local-mode": "Device",
    "masquerade-all": "false",
    "mark-bits": "29,30",
    "snat-port-range": "1024-65535",
    "conntrack-max-per-core": "",
    "conntrack-tcp-timeout-established": "",
    "healthz-bind-address": "0.0.0.0:10256",
    "service-metrics": "false",
    "service-metrics-max": "",
    "log-format": "text",
  });
});

test("row 70: what is set says so as a flag would, and shows no password", () => {
  const texts = textsOf(
    ...["--in-cluster", "--api-server", "https://10.0.0.1:6443,https://ada:secret@10.0.0.2:6443/x"],
    ...["--cluster-cidr", "10.9.0.0/16,fd00:9::/32", "--service-cidr", "10.96.0.0/12"],
    ...["--conntrack-tcp-timeout-established", "24h", "--conntrack-udp-timeout", "90s"],
    ...["--conntrack-udp-timeout-stream", "0", "--conntrack-tcp-timeout-close-wait", "1h0m0.5s"],
    ...["--metrics-bind-address", "[::1]:10333", "--healthz-bind-address", "", "--service-metrics", "--vip-ping"],
    ...["--devices", "eth*,bond0", "--no-localhost-nodeports", "--oom-score-adj", "-999"],
  );
  expect(Object.fromEntries(texts)).toMatchObject({
    "in-cluster": "true",
    "api-server": "https://10.0.0.1:6443,https://CLASSIFIED@10.0.0.2:6443/x",
    "detect-local-mode": "ClusterCIDR",
    "cluster-cidr": "10.9.0.0/16,fd00:9::/32",
    "service-cidr": "10.96.0.0/12",
    "conntrack-tcp-timeout-established": "24h0m0s",
    "conntrack-tcp-timeout-close-wait": "1h0m0.5s",
    "conntrack-udp-timeout": "1m30s",
    "conntrack-udp-timeout-stream": "0s",
    "metrics-bind-address": "[::1]:10333",
    "healthz-bind-address": "",
    "service-metrics": "true",
    "service-metrics-max": "1000",
    "vip-ping": "true",
    devices: "eth*,bond0",
    "localhost-nodeports": "false",
    "oom-score-adj": "-999",
  });
});
