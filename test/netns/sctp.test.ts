// SPDX-License-Identifier: Apache-2.0
// A Service with SCTP in the hands of a real agent (row 48): listed, explained, and no reason to load the kernel's SCTP.
// Sockets that speak it are in test/matrix: few kernels have them.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { inNetns, run } from "../../src/demo/lab/run.ts";
import { portolan, portolanLine } from "../../src/demo/portolan.ts";
import type { Answer } from "../../src/inspect/answer.ts";
import type { ServiceRow } from "../../src/inspect/rows.ts";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses } from "../support/manifests.ts";

const AMF = 48;
const PORT = 38_412;
const TARGET_PORT = 36_412;
const NODE_PORT = 30_412;

/** "sctp" stands there once its module is loaded, or if it is built in. */
const protocols = (): readonly string[] =>
  readFileSync("/proc/net/protocols", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[0] ?? "");
let before: readonly string[] = [];

const cluster = useCluster({
  services: (lab) => {
    before = protocols();
    const { address, nodeName } = lab.pod("p1b");
    const endpoints = [{ address, nodeName, port: TARGET_PORT }];
    return [{ name: "amf", number: AMF, port: PORT, nodePort: NODE_PORT, protocols: ["SCTP"], endpoints }];
  },
});

async function explain(source: string, destination: string): Promise<Answer> {
  const node = cluster().lab.node("n1");
  const [src, dst] = [{ src: source }, { dst: destination.split("/")[0], dport: Number(destination.split("/")[1]) }];
  const input = JSON.stringify({ ...src, ...dst, proto: "SCTP" });
  return JSON.parse(await run(inNetns(node.netns, portolanLine(node, ["explain", "--batch"])), input));
}

describe.each(["v4", "v6"] as const)("row 48, %s", (family) => {
  let backend = "";
  beforeAll(() => {
    const address = cluster().lab.pod("p1b").address[family];
    backend = family === "v4" ? `${address}:${TARGET_PORT}` : `[${address}]:${TARGET_PORT}`;
  });

  test("explain sends an INIT of a pod to the endpoint's own port", async () => {
    const pod = cluster().lab.pod("b1a").address[family];
    const answer = await explain(pod, `${serviceAddresses(AMF).clusterIP[family]}/${PORT}`);
    expect({ ...answer, reason: "" }).toEqual({
      verdict: "dnat",
      endpoints: [backend],
      chosen: backend,
      masquerade: false,
      service: "test/amf:sctp",
      reason: "",
    });
  });

  test("explain says that sockets of the node itself are not served", async () => {
    const node = cluster().lab.node("n1").address[family];
    const answer = await explain(node, `${serviceAddresses(AMF).clusterIP[family]}/${PORT}`);
    expect(answer).toMatchObject({ verdict: "pass", service: null });
    expect(answer.reason).toContain("no program for SCTP sockets");
  });
});

test("row 48: services lists it, and nothing has loaded the kernel's SCTP", async () => {
  const rows: readonly ServiceRow[] = JSON.parse(
    await portolan(cluster().lab.node("n1"), ["services", "--protocol", "sctp", "-o", "json"]),
  );
  expect(rows.map(({ service, protocol }) => `${service}/${protocol}`)).toEqual([
    "test/amf:sctp/SCTP",
    "test/amf:sctp/SCTP",
  ]);
  expect(protocols()).toEqual(before);
});
