// SPDX-License-Identifier: Apache-2.0
// /metrics of a real agent (behaviour row 70): kube-proxy's names, and what real packets and connections leave there.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NodeHost } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import type { TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { readyAgent } from "../support/agent.ts";
import { bodyOf, get } from "../support/http.ts";
import { useLab } from "../support/lab.ts";
import { type ServiceSpec, serviceAddresses, writeObjects, writeService } from "../support/manifests.ts";
import { parseExposition } from "../support/prometheus.ts";
import { until } from "../support/until.ts";

const families = ["v4", "v6"] as const;
const NODE_PORT = 30080;

/** As kube-proxy has them where no driver of its own is meant: `registerMetrics` of 1.37. */
const KUBE_PROXY: Readonly<Record<string, "counter" | "gauge" | "histogram">> = {
  kubeproxy_network_programming_duration_seconds: "histogram",
  kubeproxy_proxy_healthz_total: "counter",
  kubeproxy_proxy_livez_total: "counter",
  kubeproxy_sync_full_proxy_rules_duration_seconds: "histogram",
  kubeproxy_sync_partial_proxy_rules_duration_seconds: "histogram",
  kubeproxy_sync_proxy_rules_duration_seconds: "histogram",
  kubeproxy_sync_proxy_rules_endpoint_changes_pending: "gauge",
  kubeproxy_sync_proxy_rules_endpoint_changes_total: "counter",
  kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds: "gauge",
  kubeproxy_sync_proxy_rules_last_timestamp_seconds: "gauge",
  kubeproxy_sync_proxy_rules_no_local_endpoints_total: "gauge",
  kubeproxy_sync_proxy_rules_service_changes_pending: "gauge",
  kubeproxy_sync_proxy_rules_service_changes_total: "counter",
};

describe("metrics", () => {
  const getLab = useLab({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b"] }] });
  let node: NodeHost;
  let manifests: string;
  let agent: LabProcess;
  let pod: TrafficAgent;
  let outside: TrafficAgent;
  const spec = (name: string, number: number, more: Partial<ServiceSpec> = {}): ServiceSpec => {
    const { address, nodeName } = getLab().pod("p1b");
    return { name, number, protocols: ["TCP"], endpoints: [{ address, nodeName }], ...more };
  };

  const scrape = async () => {
    const answer = await get(getLab(), node, "127.0.0.1", 10249, "/metrics");
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\nContent-Type: text\/plain; version=0\.0\.4; charset=utf-8\r\n/);
    return parseExposition(`${bodyOf(answer)}\n`);
  };
  /** Of `name{labels}`. */
  const value = async (series: string): Promise<number | undefined> => {
    const name = series.replace(/\{.*/, "");
    return (await scrape()).get(name.replace(/_(bucket|sum|count)$/, ""))?.samples.get(series);
  };
  const ofService = (counter: string, service: string, family: "v4" | "v6") =>
    value(
      `portolan_service_${counter}_total{namespace="test",service="${service}",port="tcp",protocol="TCP",ip_family="IP${family}"}`,
    );

  beforeAll(async () => {
    const lab = getLab();
    node = lab.node("n1");
    manifests = join(lab.plan.directory, "manifests");
    mkdirSync(manifests);
    writeService(manifests, spec("web", 1, { nodePort: NODE_PORT }));
    writeService(manifests, spec("away", 2, { internalTrafficPolicy: "Local", endpoints: [away()] }));
    await lab.serve(lab.pod("p1b"), { tcp: [8080], udp: [] });
    agent = await readyAgent(lab, node, manifests, { flags: ["--devices", "eth0", "--service-metrics"] });
    [pod, outside] = [await lab.agentIn(lab.pod("p1a")), await lab.agentIn(lab.client)];
  });
  afterAll(() => agent.stop());
  const away = () => ({ address: { v4: "10.9.2.10", v6: "fd00:9:2::10" }, nodeName: "n2" });

  test("row 70: kube-proxy's metrics are there under their names, with their types", async () => {
    await get(getLab(), node, "127.0.0.1", 10256, "/healthz");
    await get(getLab(), node, "::1", 10256, "/livez");
    const found = await scrape();
    const types = Object.fromEntries([...found].map(([name, { type }]) => [name, type]));
    const ours = Object.fromEntries(Object.entries(types).filter(([name]) => name.startsWith("kubeproxy_")));
    expect(ours).toEqual(KUBE_PROXY);
    const sample = (name: string, labels: string) => found.get(name)?.samples.get(`${name}${labels}`);
    expect(sample("kubeproxy_proxy_healthz_total", '{code="200"}')).toBe(1);
    expect(sample("kubeproxy_proxy_livez_total", '{code="200"}')).toBe(1);
    expect(sample("kubeproxy_sync_proxy_rules_service_changes_total", "")).toBe(2);
    expect(sample("kubeproxy_sync_proxy_rules_endpoint_changes_total", "")).toBe(4);
    for (const family of ["IPv4", "IPv6"]) {
      const of = (name: string, labels = "") => sample(name, `{${labels}ip_family="${family}"}`);
      const full = found.get("kubeproxy_sync_full_proxy_rules_duration_seconds")?.samples;
      expect(full?.get(`kubeproxy_sync_full_proxy_rules_duration_seconds_count{ip_family="${family}"}`)).toBe(1);
      const noLocal = "kubeproxy_sync_proxy_rules_no_local_endpoints_total";
      expect([of(noLocal, 'traffic_policy="internal",'), of(noLocal, 'traffic_policy="external",')]).toEqual([1, 0]);
      const synced = of("kubeproxy_sync_proxy_rules_last_timestamp_seconds") ?? 0;
      expect(synced).toBeGreaterThan(Date.now() / 1000 - 120);
      expect(synced).toBeGreaterThanOrEqual(of("kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds") ?? Infinity);
    }
    expect(
      sample("portolan_mode", '{mode="ebpf",reason="the best of all, and the kernel has all that the programs call"}'),
    ).toBe(1);
    expect(sample("portolan_build_info", '{version="0.1.0",mode="ebpf"}')).toBe(1);
    expect(sample("portolan_map_entries", '{map="services"}')).toBe(4);
    expect(sample("portolan_map_max_entries", '{map="services"}')).toBe(65_535);
    expect(sample("portolan_map_entries", '{map="frontends"}')).toBe(6);
    expect([sample("portolan_devices", '{role="uplink"}'), sample("portolan_devices", '{role="pod"}')]).toEqual([1, 2]);
    expect(sample("process_resident_memory_bytes", "")).toBeGreaterThan(30e6);
  });

  test.each(families)("connections of sockets and on the wire are counted for their Service (%s)", async (family) => {
    expect(await ofService("connections", "web", family)).toBe(0);
    const { v4, v6 } = serviceAddresses(1).clusterIP;
    const clusterIP = family === "v4" ? v4 : v6;
    expect(await pod.tcp({ address: clusterIP, port: 80, count: 7 })).toMatchObject({ answered: 7 });
    expect(await ofService("connections", "web", family)).toBe(7);
    expect(await ofService("packets", "web", family)).toBe(0);
    const tries = async (of: string) => (await value(`portolan_snat_port_tries_${of}`)) ?? Number.NaN;
    const [ports, looked] = [await tries("count"), await tries("sum")];
    const target = { address: node.address[family], port: NODE_PORT };
    expect(await outside.tcp({ ...target, count: 5 })).toMatchObject({ answered: 5 });
    expect(await ofService("connections", "web", family)).toBe(12);
    expect(await ofService("packets", "web", family)).toBeGreaterThanOrEqual(5 * 8);
    expect(await ofService("bytes", "web", family)).toBeGreaterThan(5 * 8 * 40);
    expect(await ofService("rejects", "web", family)).toBe(0);
    expect(await tries("count")).toBe(ports + 5);
    expect(await tries("sum")).toBeGreaterThanOrEqual(looked + 5);
    expect(await tries('bucket{le="65536"}')).toBe(ports + 5);
    await until(
      "the sweep has seen the masqueraded ones",
      async () => ((await value("portolan_snat_ports")) ?? 0) >= 5,
    );
    expect(await value("portolan_flows")).toBeGreaterThanOrEqual(5);
    expect(await value('portolan_map_entries{map="flows"}')).toBeGreaterThanOrEqual(15);
  });

  test.each(families)(
    "a packet that is dropped is counted with its reason, and for its Service (%s)",
    async (family) => {
      const drops = () => value('portolan_drops_total{reason="no_local_endpoints"}');
      const before = (await drops()) ?? Number.NaN;
      const { v4, v6 } = serviceAddresses(2).clusterIP;
      const request = { address: family === "v4" ? v4 : v6, port: 80, count: 1, timeoutMs: 500 };
      expect(await pod.tcp(request)).toMatchObject({ answered: 0 });
      expect(await drops()).toBe(before + 1);
      expect(await ofService("rejects", "away", family)).toBe(1);
      expect(await value('portolan_drops_total{reason="snat_exhausted"}')).toBe(0);
    },
  );

  test("row 81: the way of a change is measured from what its slice says, and another time alone is no change", async () => {
    const write = (time: string, address: string) => {
      const labels = { "kubernetes.io/service-name": "web" };
      const annotations = { "endpoints.kubernetes.io/last-change-trigger-time": time };
      const metadata = { name: "web-more", namespace: "test", labels, annotations };
      const ports = [{ name: "tcp", protocol: "TCP", port: 8080 }];
      const head = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", addressType: "IPv6" };
      writeObjects(manifests, "more", [{ ...head, metadata, ports, endpoints: [{ addresses: [address] }] }]);
    };
    const series = 'kubeproxy_network_programming_duration_seconds_count{ip_family="IPv6"}';
    const changes = () => value("kubeproxy_sync_proxy_rules_endpoint_changes_total");
    expect(await value(series)).toBeUndefined();
    const before = (await changes()) ?? 0;
    const began = new Date().toISOString();
    write(began, "fd00:9:1::99");
    await until("the change is measured", async () => (await value(series)) === 1);
    const took = await value(series.replace("_count", "_sum"));
    expect(took).toBeGreaterThan(0);
    expect(took).toBeLessThanOrEqual((Date.now() - Date.parse(began)) / 1000);
    expect(await value(series.replace("IPv6", "IPv4"))).toBeUndefined();
    write(new Date(Date.now() - 1000).toISOString(), "fd00:9:1::99");
    writeService(manifests, spec("marker", 3, { endpoints: [] }));
    await until("what came after it is there", async () => (await ofService("rejects", "marker", "v4")) === 0);
    expect([await value(series), await changes()]).toEqual([1, before + 3]);
    expect(await value("kubeproxy_sync_proxy_rules_endpoint_changes_pending")).toBe(0);
  });

  test("single Services have no counters unless asked for, and no more than asked for; counters outlive the agent", async () => {
    const flags = (...more: readonly string[]) => ({ flags: ["--devices", "eth0", ...more] });
    await agent.stop();
    agent = await readyAgent(getLab(), node, manifests, flags("--service-metrics", "--service-metrics-max", "1"));
    const found = (await scrape()).get("portolan_service_connections_total")?.samples ?? new Map();
    expect([...found.keys()].map((series) => /service="([^"]*)"/.exec(series)?.[1]).sort()).toEqual(["_other", "away"]);
    expect([...found.values()].reduce((sum, count) => sum + count, 0)).toBe(24);
    await agent.stop();
    agent = await readyAgent(getLab(), node, manifests, flags());
    const names = [...(await scrape()).keys()];
    expect(names.filter((name) => name.startsWith("portolan_service_"))).toEqual([]);
    expect(await value('portolan_drops_total{reason="no_local_endpoints"}')).toBe(2);
  });
});
