// SPDX-License-Identifier: Apache-2.0
// `npm run test:snat`: 60 000 TCP connections at once from one client through one NodePort of one node to one backend,
// masqueraded: each has a SNAT port of its own, none is refused or mixed up, no SYN is sent twice.
import { beforeAll, describe, expect, test } from "vitest";
import type { Host } from "../../src/demo/lab/plan.ts";
import { useCluster } from "../support/cluster.ts";
import { compileProgram } from "../support/compile.ts";

const CONNECTIONS = 60_000;
/** A process may hold fewer than 20 000 descriptors; servers get a random share each. */
const WORKERS = 4;

describe.each(["v4", "v6"] as const)("clause E2, %s", (family) => {
  const cluster = useCluster({
    services: (lab) => [
      {
        name: "crowd",
        number: 1,
        nodePort: 30_001,
        protocols: ["TCP"],
        endpoints: [{ address: lab.pod("p2a").address, nodeName: "n2" }],
      },
    ],
  });
  let crowd: string;
  beforeAll(async () => {
    const { lab } = cluster();
    crowd = compileProgram("crowd", lab.plan.directory);
    const server = lab.spawn(lab.pod("p2a"), [crowd, "serve", "8080", String(WORKERS)]);
    await server.waitForOutput(/^ready$/m);
  });

  test("60 000 connections at once through one NodePort to one backend have a SNAT port each", async () => {
    const { lab } = cluster();
    const begun = performance.now();
    const target = [lab.node("n1").address[family], "30001"];
    const said = await lab.exec(lab.client, [crowd, "hold", ...target, String(CONNECTIONS), String(WORKERS)]);
    console.log(
      `${said.trim()}, SYNs sent twice ${await repeatedSyns(lab.client)}, ${Math.round(performance.now() - begun)} ms`,
    );
    expect(said).toBe("connected 60000 answered 60000 mixed 0 ports 60000\n");
    expect(await repeatedSyns(lab.client)).toBe(0);
  }, 300_000);

  /** TCPSynRetrans of a host: the names in one line, the numbers in the next. */
  async function repeatedSyns(host: Host): Promise<number> {
    const lines = (await cluster().lab.exec(host, ["cat", "/proc/net/netstat"]))
      .split("\n")
      .map((line) => line.split(" "));
    const names = lines.find(([group]) => group === "TcpExt:") ?? [];
    const numbers = lines.filter(([group]) => group === "TcpExt:")[1] ?? [];
    return Number(numbers[names.indexOf("TCPSynRetrans")]);
  }
});
