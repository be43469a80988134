// SPDX-License-Identifier: Apache-2.0
// healthCheckNodePort as a load balancer outside asks it (behaviour rows 66 and 67): the bytes, what changes them, and
// servers that come, go, and cannot begin.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { readyAgent } from "../support/agent.ts";
import { ask as askAt, connect as connectTo, UNDATED, undated } from "../support/http.ts";
import { useLab } from "../support/lab.ts";
import { removeService, type ServiceSpec, writeService } from "../support/manifests.ts";
import { until } from "../support/until.ts";

const PORT = 30500;
const families = ["v4", "v6"] as const;
const DRAINING = { ready: false, serving: true, terminating: true };
const ADDED = { v4: "192.168.50.77", v6: "fd00:50::77" };

describe("health checks", () => {
  const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });
  let node: NodeHost;
  let manifests: string;
  let web: ServiceSpec;
  let agent: LabProcess;

  /** From outside. */
  const connect = (address: string, port = PORT): LabProcess => connectTo(getLab(), getLab().client, address, port);
  const ask = (address: string, request: string, port = PORT): Promise<string> =>
    askAt(getLab(), getLab().client, address, port, request);
  const status = async (address: string, port = PORT): Promise<string> => {
    const answer = await ask(address, "GET / HTTP/1.1\r\nHost: n1\r\nConnection: close\r\n\r\n", port);
    return answer.startsWith("HTTP/1.1 ") ? answer.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length) : answer.trim();
  };
  const here = (conditions?: typeof DRAINING) => {
    const { address } = getLab().pod("p1b");
    return { address, nodeName: "n1", ...(conditions === undefined ? {} : { conditions }) };
  };
  const away = { address: { v4: "10.9.2.10", v6: "fd00:9:2::10" }, nodeName: "n2" };

  beforeAll(async () => {
    const lab = getLab();
    node = lab.node("n1");
    manifests = join(lab.plan.directory, "manifests");
    mkdirSync(manifests);
    const policy = { external: true, externalTrafficPolicy: "Local", healthCheckNodePort: PORT } as const;
    web = { name: "web", number: 1, ...policy, endpoints: [here(), away] };
    writeService(manifests, web);
    agent = await readyAgent(lab, node, manifests);
  });
  afterAll(() => agent.stop());

  test.each(families)(
    "row 66: the answer is kube-proxy's to the byte, and the connection is kept (%s)",
    async (family) => {
      const connection = connect(node.address[family]);
      connection.write("GET /healthz HTTP/1.1\r\nHost: n1\r\n\r\n");
      await connection.waitForOutput(/}$/);
      connection.write(
        "POST /any/path?at=all HTTP/1.1\r\nHost: n1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
      );
      await connection.exited;
      const head = [
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        "X-Content-Type-Options: nosniff",
        "X-Load-Balancing-Endpoint-Weight: 1",
        UNDATED,
        "Content-Length: 111",
      ];
      const body =
        '{\n\t"service": {\n\t\t"namespace": "test",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 1,\n\t"serviceProxyHealthy": true\n}';
      const answer = [...head, "", body].join("\r\n");
      const lastAnswer = [...head, "Connection: close", "", body].join("\r\n");
      expect(undated(connection.stdout)).toBe(answer + lastAnswer);
    },
  );

  test("row 66: HEAD and OPTIONS are answered like GET, HTTP/1.0 with an end of the connection", async () => {
    const head = await ask(node.address.v4, "HEAD / HTTP/1.1\r\nHost: n1\r\nConnection: close\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\nContent-Length: 111\r\nConnection: close\r\n\r\n$/s);
    const options = await ask(node.address.v4, "OPTIONS * HTTP/1.0\r\n\r\n");
    expect(options).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\nContent-Length: 111\r\n\r\n\{\n.*}$/s);
  });

  test("row 66: with no ready endpoint here it is 503, one that terminates included", async () => {
    writeService(manifests, { ...web, endpoints: [here(DRAINING), away] });
    for (const family of families) {
      await until("the node has no ready endpoint", async () => (await status(node.address[family])) === "503");
    }
    expect(await ask(node.address.v6, "GET / HTTP/1.1\r\nHost: n1\r\nConnection: close\r\n\r\n")).toMatch(
      /^HTTP\/1.1 503 Service Unavailable\r\n.*Weight: 0\r\n.*"localEndpoints": 0,\n\t"serviceProxyHealthy": true\n}$/s,
    );
    writeService(manifests, web);
    await until("the node has one again", async () => (await status(node.address.v4)) === "200");
  });

  test("row 67: another port closes the one and opens the other, and a request that has begun is answered", async () => {
    const begun = connect(node.address.v4);
    begun.write("GET / HTTP/1.1\r\nHost: n1\r\n");
    await until("the node has accepted the connection", async () => {
      const sockets = await getLab().exec(node, ["ss", "-Htn", "state", "established", `sport = ${PORT}`]);
      return sockets.trim() !== "";
    });
    writeService(manifests, { ...web, healthCheckNodePort: 30600 });
    await until("the old port is closed", async () => (await status(node.address.v4)) === "ECONNREFUSED");
    await until("the new port answers", async () => (await status(node.address.v6, 30600)) === "200");
    begun.write("\r\n");
    await begun.exited;
    expect(begun.stdout).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\nConnection: close\r\n\r\n.*"localEndpoints": 1,.*}$/s);
    writeService(manifests, web);
    await until("the first port answers again", async () => (await status(node.address.v4)) === "200");
  });

  test("row 67: a port that is taken is said by Service and port, and answered once it is free", async () => {
    const lab = getLab();
    const holder = await lab.serve(node, { tcp: [30700], udp: [] });
    writeService(manifests, { ...web, name: "taken", number: 2, healthCheckNodePort: 30700 });
    await agent.waitForOutput(
      / WARN Service test\/taken: healthCheckNodePort 30700 cannot be answered on 0\.0\.0\.0: listen EADDRINUSE: .*: free the port or give the Service another\n/,
    );
    expect(await status(node.address.v4)).toBe("200");
    await holder.stop();
    await agent.waitForOutput(/ INFO Service test\/taken: healthCheckNodePort 30700 is answered on 0\.0\.0\.0 now\n/);
    await until("the port answers", async () => (await status(node.address.v4, 30700)) === "200");
    const warnings = agent.stderr.match(/ WARN Service test\/taken: .* on 0\.0\.0\.0/g);
    expect(warnings).toHaveLength(1);
    removeService(manifests, "taken");
    await until("nothing answers any more", async () => (await status(node.address.v4, 30700)) === "ECONNREFUSED");
  });

  test("row 66: a health check port that is a node port is warned about, and is that Service's", async () => {
    writeService(manifests, { name: "owner", number: 3, nodePort: 30800, endpoints: [away] });
    writeService(manifests, { ...web, name: "clash", number: 4, healthCheckNodePort: 30800 });
    await agent.waitForOutput(
      / WARN Service test\/clash: healthCheckNodePort 30800 is a node port of Service test\/owner, which gets /,
    );
    removeService(manifests, "owner");
    await until("the port is the health check's", async () => (await status(node.address.v4, 30800)) === "200");
    removeService(manifests, "clash");
  });

  test("row 66: with CIDRs it is answered on their addresses alone, as they come and go, and until the agent ends", async () => {
    const lab = getLab();
    await agent.stop();
    expect(await status(node.address.v4)).toBe("ECONNREFUSED");
    const cidrs = `${node.address.v4}/32,${node.address.v6}/128,${ADDED.v4}/32,${ADDED.v6}/128`;
    await lab.ip(node, `addr add ${ADDED.v4.replace("77", "78")}/24 dev eth0`);
    agent = await readyAgent(lab, node, manifests, { flags: ["--devices", "eth0", "--nodeport-addresses", cidrs] });
    await until("an address of the CIDRs answers", async () => (await status(node.address.v6)) === "200");
    expect(await status(ADDED.v4.replace("77", "78"))).toBe("ECONNREFUSED");
    for (const family of families) {
      const prefix = family === "v4" ? "24" : "64";
      await lab.ip(node, `addr add ${ADDED[family]}/${prefix} dev eth0${family === "v6" ? " nodad" : ""}`);
      await until("the new address answers", async () => (await status(ADDED[family])) === "200");
      expect(await status(node.address[family])).toBe("200");
      await lab.ip(node, `addr del ${ADDED[family]}/${prefix} dev eth0`);
      await until("its server is closed", async () => {
        const listening = await lab.exec(node, ["ss", "-Htnl", `sport = ${PORT}`]);
        return !listening.includes(ADDED[family]);
      });
      expect(await status(node.address[family])).toBe("200");
    }
  });
});
