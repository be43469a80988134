// SPDX-License-Identifier: Apache-2.0
// Node health as load balancers and probes ask for it, and what the agent says of itself (rows 68 to 71): who may ask,
// what comes back, byte for byte, and that nothing which cannot listen keeps the node from serving.
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Host, NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { run } from "../../src/demo/lab/run.ts";
import { readyAgent, spawnAgent } from "../support/agent.ts";
import { ask, bodyOf, connect, get, UNDATED } from "../support/http.ts";
import { useLab } from "../support/lab.ts";
import { writeService } from "../support/manifests.ts";
import { parseExposition } from "../support/prometheus.ts";
import { until } from "../support/until.ts";

const HEALTH = 10256;
const METRICS = 10249;
/** A minute of the agent's takes a second; its timers go on as they are. */
const HASTY_CLOCK = `data:text/javascript,${encodeURIComponent("const now = performance.now.bind(performance); performance.now = () => 60 * now();")}`;
const TIME = /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z/g;
const families = ["v4", "v6"] as const;

describe("node health", () => {
  const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a"] }] });
  let node: NodeHost;
  let manifests: string;
  let agent: LabProcess;

  const fromOutside = (address: string, path: string, port = HEALTH) =>
    get(getLab(), getLab().client, address, port, path);
  const onNode = (address: string, path: string, port = METRICS) => get(getLab(), node, address, port, path);
  const health = async () => (await fromOutside(node.address.v4, "/healthz")).slice("HTTP/1.1 ".length, 12);

  const write = (name: string, text: string): void => {
    writeFileSync(join(manifests, `${name}.new`), text);
    renameSync(join(manifests, `${name}.new`), join(manifests, name));
  };
  /** more: of its metadata and spec. */
  const writeNode = (metadata: object = {}, spec: object = {}): void =>
    write("node.json", JSON.stringify({ apiVersion: "v1", kind: "Node", metadata: { name: "n1", ...metadata }, spec }));

  beforeAll(async () => {
    node = getLab().node("n1");
    manifests = join(getLab().plan.directory, "manifests");
    mkdirSync(manifests);
    writeNode();
    writeService(manifests, { name: "web", number: 1, endpoints: [{ address: getLab().pod("p1a").address }] });
    agent = await readyAgent(getLab(), node, manifests);
  });
  afterAll(() => agent.stop());

  const STATUS =
    '"healthy":true,"status":{"IPv4":{"lastUpdated":"T","healthy":true},"IPv6":{"lastUpdated":"T","healthy":true}}}';
  const HEAD = ["HTTP/1.1 200 OK", "Content-Type: application/json", "X-Content-Type-Options: nosniff", UNDATED];

  test.each(families)(
    "row 68: by default anybody may ask, and the answer is kube-proxy's to the byte (%s)",
    async (family) => {
      const answer = await fromOutside(node.address[family], "/healthz?verbose");
      const body = bodyOf(answer);
      expect(answer.replace(TIME, "T")).toBe(
        [
          ...HEAD,
          `Content-Length: ${body.length}`,
          "Connection: close",
          "",
          `{"lastUpdated":"T","currentTime":"T","nodeEligible":true,${STATUS}`,
        ].join("\r\n"),
      );
      const [lastUpdated, currentTime, ipv4 = "", ipv6 = ""] = body.match(TIME) ?? [];
      expect(lastUpdated).toBe(currentTime);
      expect(Math.abs(Date.now() - Date.parse(currentTime ?? ""))).toBeLessThan(60_000);
      expect([ipv4 < `${currentTime}`, ipv6 < `${currentTime}`]).toEqual([true, true]);
    },
  );

  test.each(families)("row 69: /livez is the same without the node (%s)", async (family) => {
    const answer = await fromOutside(node.address[family], "/livez");
    expect(bodyOf(answer).replace(TIME, "T")).toBe(`{"lastUpdated":"T","currentTime":"T",${STATUS}`);
    expect(answer.replace(TIME, "T")).toMatch(/^HTTP\/1.1 200 OK\r\nContent-Type: application\/json\r\n/);
  });

  test("row 68: a node that is about to go, or whose Node is gone, is 503, and good again", async () => {
    const turns = async (status: string, change: () => void) => {
      change();
      await until(`the node is ${status}`, async () => (await health()) === status);
    };
    await turns("503", () =>
      writeNode({}, { taints: [{ key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" }] }),
    );
    expect(bodyOf(await fromOutside(node.address.v6, "/healthz"))).toContain('"nodeEligible":false,"healthy":true,');
    expect(await fromOutside(node.address.v4, "/livez")).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    await turns("200", () => writeNode({}, { unschedulable: true }));
    await turns("503", () => writeNode({ deletionTimestamp: "2026-01-01T00:00:00Z" }));
    expect(agent.stderr).toMatch(
      / WARN \/healthz: load balancers are told to send node n1 no traffic \(503\): it is being deleted, or tainted/,
    );
    await turns("200", () => writeNode());
    expect(agent.stderr).toMatch(/ INFO \/healthz: load balancers are told to send node n1 traffic again\n/);
    await turns("503", () => rmSync(join(manifests, "node.json")));
    await turns("200", () => writeNode());
  });

  test("row 70: metrics are for the node's own processes, with the mode's plain name and the settings in force", async () => {
    const { v4, v6 } = node.address;
    expect(await fromOutside(v4, "/proxyMode", METRICS)).toBe("ECONNREFUSED");
    expect(await fromOutside(v6, "/proxyMode", METRICS)).toBe("ECONNREFUSED");
    const text = (body: string) =>
      [
        "HTTP/1.1 200 OK",
        "Content-Type: text/plain; charset=utf-8",
        "X-Content-Type-Options: nosniff",
        UNDATED,
        `Content-Length: ${body.length}`,
        "Connection: close",
        "",
        body,
      ].join("\r\n");
    expect(await onNode("127.0.0.1", "/proxyMode")).toBe(text("ebpf"));
    expect(await onNode("127.0.0.1", "/healthz")).toBe(text("ok"));
    expect(JSON.parse(bodyOf(await onNode("127.0.0.1", "/configz")))).toMatchObject({
      "portolan.dev": {
        nodeName: "n1",
        source: { kind: "manifests", directory: manifests },
        healthzBind: { host: "0.0.0.0", port: 10256 },
      },
    });
  });

  test("row 70: /flagz, /statusz and /metrics/slis say what an administrator's tools ask of every component", async () => {
    const flagz = await onNode("127.0.0.1", "/flagz");
    expect(flagz).toMatch(/^HTTP\/1.1 200 OK\r\nContent-Type: text\/plain; charset=utf-8\r\nDate: /);
    expect(bodyOf(flagz)).toMatch(
      /^\nportolan flagz\nWarning: .*\n(?:.*\n)*devices=eth0\n(?:.*\n)*node-name=n1\n(?:.*\n)*vip-ping=false\nxdp=off$/,
    );
    const kind = "g=config.k8s.io;v=v1beta1;as=Flagz";
    const object = await get(getLab(), node, "127.0.0.1", METRICS, "/flagz", `application/json;${kind}`);
    expect(object).toContain(`\r\nContent-Type: application/json;${kind}\r\n`);
    expect(JSON.parse(bodyOf(object))).toMatchObject({
      kind: "Flagz",
      flags: { manifests, "masquerade-all": "false" },
    });
    const statusz = bodyOf(await onNode("127.0.0.1", "/statusz"));
    expect(statusz).toMatch(/\nUp: 0 hr \d\d min \d\d sec\nNode\.js version: v\d+\..*\nBinary version: 0\.1\.0\n/);
    expect(statusz).toMatch(/\nPaths: \/configz \/flagz \/healthz \/metrics \/proxyMode$/);
    const started = Date.parse(/^Started: (.*)$/m.exec(statusz)?.[1] ?? "");
    expect(Date.now() - started).toBeLessThan(600_000);
    expect([started <= Date.now(), JSON.stringify(new Date(started))]).toEqual([true, expect.stringContaining("20")]);
  });

  test("row 70: a health check counts when it is made, with what has come of it", async () => {
    await agent.stop();
    agent = await readyAgent(getLab(), node, manifests);
    const slis = async () => {
      const answer = await onNode("127.0.0.1", "/metrics/slis");
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\nContent-Type: text\/plain; version=0\.0\.4; charset=utf-8\r\n/);
      const [checks, total] = ["kubernetes_healthcheck", "kubernetes_healthchecks_total"].map((name) =>
        parseExposition(`${bodyOf(answer)}\n`).get(name),
      );
      expect([checks?.type, total?.type]).toEqual(["gauge", "counter"]);
      return Object.fromEntries([...(checks?.samples ?? []), ...(total?.samples ?? [])]);
    };
    expect(await slis()).toEqual({});
    expect(bodyOf(await onNode("127.0.0.1", "/healthz?verbose"))).toBe("[+]ping ok\nhealthz check passed");
    const ping = {
      'kubernetes_healthcheck{name="ping",type="healthz"}': 1,
      'kubernetes_healthchecks_total{name="ping",status="success",type="healthz"}': 1,
    };
    expect(await slis()).toEqual(ping);
    await fromOutside(node.address.v4, "/readyz");
    await fromOutside(node.address.v4, "/readyz");
    expect(await slis()).toEqual({
      ...ping,
      'kubernetes_healthcheck{name="state",type="readyz"}': 1,
      'kubernetes_healthcheck{name="hooks",type="readyz"}': 1,
      'kubernetes_healthchecks_total{name="state",status="success",type="readyz"}': 2,
      'kubernetes_healthchecks_total{name="hooks",status="success",type="readyz"}': 2,
    });
  });

  test("row 70: what is not there is 404, what only asks 405, HEAD gives no body", async () => {
    const send = (request: string) => ask(getLab(), node, "127.0.0.1", METRICS, request);
    expect(await onNode("127.0.0.1", "/constructor")).toMatch(/^HTTP\/1.1 404 Not Found\r\n.*\r\n404 page not found$/s);
    const post = await send("POST /proxyMode HTTP/1.1\r\nHost: n1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    expect(post).toMatch(/^HTTP\/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\n.*\r\nMethod Not Allowed\n$/s);
    const head = await send("HEAD /proxyMode HTTP/1.1\r\nHost: n1\r\nConnection: close\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\nContent-Length: 4\r\nConnection: close\r\n\r\n$/s);
  });

  test("an agent that cannot read everything serves what the last one left, says so to load balancers, and is not ready", async () => {
    expect(bodyOf(await fromOutside(node.address.v4, "/readyz"))).toBe("ok");
    await agent.stop();
    expect(await fromOutside(node.address.v4, "/healthz")).toBe("ECONNREFUSED");
    write("broken.yaml", "kind: [\n");
    agent = await readyAgent(getLab(), node, manifests);
    expect(bodyOf(await fromOutside(node.address.v4, "/readyz"))).toBe(
      "[-]state failed: the first complete state is not in the kernel yet\n[+]hooks ok\nreadyz check failed",
    );
    expect(await health()).toBe("200");
    expect(bodyOf(await onNode("127.0.0.1", "/metrics/slis"))).toContain(
      'kubernetes_healthchecks_total{name="state",status="error",type="readyz"} 1\n',
    );
    rmSync(join(manifests, "broken.yaml"));
    await until("it is ready", async () => bodyOf(await fromOutside(node.address.v4, "/readyz")) === "ok");
  });

  test("row 71: ports that are taken are said once, keep nobody from serving, and are answered once they are free", async () => {
    await agent.stop();
    const lab = getLab();
    const serveAt = (port: number) => lab.serve(node, { tcp: [port], udp: [] });
    const holders = [await serveAt(HEALTH), await serveAt(METRICS)];
    agent = await readyAgent(lab, node, manifests);
    const warned = (setting: string) => agent.stderr.match(new RegExp(` WARN ${setting} .* cannot be answered: `, "g"));
    for (const setting of ["--healthz-bind-address 0.0.0.0:10256", "--metrics-bind-address 127.0.0.1:10249"]) {
      await agent.waitForOutput(
        new RegExp(` WARN ${setting} cannot be answered: listen EADDRINUSE: .*: it is tried again every 5 s`),
      );
    }
    for (const holder of holders) await holder.stop();
    await agent.waitForOutput(/ INFO --healthz-bind-address 0\.0\.0\.0:10256 is answered now\n/);
    await agent.waitForOutput(/ INFO --metrics-bind-address 127\.0\.0\.1:10249 is answered now\n/);
    expect([warned("--healthz-bind-address"), warned("--metrics-bind-address")].map((found) => found?.length)).toEqual([
      1, 1,
    ]);
    expect(await health()).toBe("200");
    expect(bodyOf(await onNode("127.0.0.1", "/proxyMode"))).toBe("ebpf");
  });

  test("row 71: an agent that is not to run without them ends, and says why", async () => {
    await agent.stop();
    const lab = getLab();
    const holder = await lab.serve(node, { tcp: [METRICS], udp: [] });
    const failing = spawnAgent(lab, node, manifests, { flags: ["--devices", "eth0", "--bind-address-hard-fail"] });
    await failing.waitForOutput(
      /portolan: --metrics-bind-address 127\.0\.0\.1:10249 cannot be answered: listen EADDRINUSE: .*: free the port or name another\n/,
    );
    expect((await failing.exited).code).toBe(3);
    await holder.stop();
    agent = await readyAgent(lab, node, manifests);
  });

  test("addresses are flags, of either family, with or without a port, and the empty one is nowhere", async () => {
    await agent.stop();
    const flags = ["--devices", "eth0", "--healthz-bind-address", "", "--metrics-bind-address", "[::1]:10333"];
    agent = await readyAgent(getLab(), node, manifests, { flags });
    await until("the other port answers", async () => bodyOf(await onNode("::1", "/proxyMode", 10333)) === "ebpf");
    expect(await onNode("127.0.0.1", "/proxyMode", 10333)).toBe("ECONNREFUSED");
    expect(await fromOutside(node.address.v4, "/healthz")).toBe("ECONNREFUSED");
    expect(await onNode("127.0.0.1", "/proxyMode")).toBe("ECONNREFUSED");
    await agent.stop();
    agent = await readyAgent(getLab(), node, manifests, {
      flags: ["--devices", "eth0", "--healthz-bind-address", node.address.v6],
    });
    await until("its one address answers", async () =>
      (await fromOutside(node.address.v6, "/livez")).startsWith("HTTP/1.1 200"),
    );
    expect(await fromOutside(node.address.v4, "/livez")).toBe("ECONNREFUSED");
  });

  test("connections that are kept, and requests that never end, hold up no shutdown", async () => {
    const open = (host: Host, request: string) => {
      const connection = connect(getLab(), host, node.address.v6, HEALTH);
      connection.write(request);
      return connection;
    };
    const kept = open(getLab().client, "GET /livez HTTP/1.1\r\nHost: n1\r\n\r\n");
    const half = open(getLab().client, "GET /livez HTTP/1.1\r\nHost: n1\r\n");
    await kept.waitForOutput(/}}}$/);
    await agent.stop();
    await Promise.all([kept.exited, half.exited]);
    expect(kept.stdout).not.toMatch(/HTTP.*HTTP/s);
  });

  test("rows 68 and 69: an agent whose changes the kernel has refused for a minute is not healthy, by either page", async () => {
    await agent.stop();
    agent = await readyAgent(getLab(), node, manifests, { under: ["env", `NODE_OPTIONS=--import=${HASTY_CLOCK}`] });
    expect(await health()).toBe("200");
    await run(["bpftool", "map", "freeze", "pinned", join(node.bpffs, "portolan/v1/maps/frontends")]);
    writeService(manifests, { name: "late", number: 2, endpoints: [] });
    await agent.waitForOutput(/ ERROR a change could not be published, it is tried again: .*frontends.*EPERM/);
    await until("it is overdue", async () => (await health()) === "503");
    const families = '"IPv4":{"lastUpdated":"T","healthy":false},"IPv6":{"lastUpdated":"T","healthy":false}}}';
    const body = bodyOf(await fromOutside(node.address.v6, "/livez"));
    expect(body.replace(TIME, "T")).toBe(`{"lastUpdated":"T","currentTime":"T","healthy":false,"status":{${families}`);
    const [lastUpdated, now] = (body.match(TIME) ?? []).map((time) => Date.parse(time));
    expect(lastUpdated).toBeLessThan(now ?? 0);
    expect(await fromOutside(node.address.v4, "/livez")).toMatch(/^HTTP\/1.1 503 Service Unavailable\r\n/);
    expect(await onNode("127.0.0.1", "/metrics")).toMatch(/^portolan_publish_failures_total\{cause="kernel"\} [1-9]/m);
  });
});
