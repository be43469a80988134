// SPDX-License-Identifier: Apache-2.0
// What the agent and the real kube-proxy say of themselves over HTTP, side by side (behaviour rows 68 and 70), and what
// becomes of each whose Node may not be read.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LabProcess } from "../../src/demo/lab/process.ts";
import { bodyOf, get } from "../support/http.ts";
import { parseExposition } from "../support/prometheus.ts";
import { until } from "../support/until.ts";
import { create, useApiCluster } from "./support/api-cluster.ts";
import { startKubeProxy } from "./support/kube-proxy.ts";

const METRICS = 10_249;
const HEALTH = 10_256;
const NODES = { portolan: "n1", "kube-proxy": "n2" } as const;
type Proxy = keyof typeof NODES;

const world = useApiCluster({
  nodes: [{ name: "n1", routedPods: ["p1a"] }, { name: "n2" }],
  agents: ["n1"],
});
const kubeProxies: LabProcess[] = [];
beforeAll(async () => {
  const { cluster, plane } = world();
  kubeProxies.push(startKubeProxy(cluster.lab, cluster.lab.node("n2"), plane.kubeconfig("system:kube-proxy")));
  await create(plane, { name: "web", number: 10, endpoints: [{ address: cluster.lab.pod("p1a").address }] });
  await until("kube-proxy answers", async () => bodyOf(await page("kube-proxy", "/healthz")) === "ok", 60_000);
});
afterAll(() => Promise.all(kubeProxies.map((started) => started.stop())));

function page(proxy: Proxy, path: string, accept?: string, port = METRICS): Promise<string> {
  const { lab } = world().cluster;
  return get(lab, lab.node(NODES[proxy]), "127.0.0.1", port, path, accept);
}

/**
 * Without what is each one's own: its name, its length, its flags. kube-proxy draws what stands between a flag and its
 * value: ":", ": ", "=" or " ", of which the last is trimmed from an empty value at the end.
 */
function shape(answer: string): string {
  return answer
    .replace(/Content-Length: \d+/, "Content-Length: N")
    .replaceAll(/kube-proxy|portolan/g, "NAME")
    .replace(/(?<=\nWarning: .*\n)(?:[a-z][a-z-]*(?:[:= ].*)?(?:\n|$))+/, "FLAGS")
    .replace(/"flags":\{.*\}\}/, "FLAGS")
    .replace(/(?<=flags:\n)( {2}.*\n)+/, "FLAGS\n");
}

const kindOf = (version: string) => `g=config.k8s.io;v=${version};as=Flagz`;

test.each([
  ["as text", undefined],
  ["as JSON", `application/json;${kindOf("v1beta1")}`],
  ["as YAML", `application/yaml;${kindOf("v1beta1")}`],
  ["by the version of old", `application/json;${kindOf("v1alpha1")}`],
  ["as JSON of no kind", "application/json"],
  ["to a browser", "text/html"],
])("row 70: /flagz answers as kube-proxy's does, %s", async (_how, accept) => {
  const [ours, theirs] = [await page("portolan", "/flagz", accept), await page("kube-proxy", "/flagz", accept)];
  expect(shape(ours)).toBe(shape(theirs));
});

test("row 70: /statusz has the lines and the fields that kube-proxy's has", async () => {
  const accept = "application/json;g=config.k8s.io;v=v1beta1;as=Statusz";
  const read = async (proxy: Proxy) => {
    const object = JSON.parse(bodyOf(await page(proxy, "/statusz", accept)));
    const text = bodyOf(await page(proxy, "/statusz"));
    return { object, words: [...text.matchAll(/^([A-Z]\w+)/gm)].map(([, word]) => word) };
  };
  const [ours, theirs] = [await read("portolan"), await read("kube-proxy")];
  const { emulationVersion: _, ...fields } = theirs.object; // Kubernetes' own
  expect(Object.keys(ours.object)).toEqual(Object.keys(fields));
  expect(ours.object.paths).toEqual(theirs.object.paths);
  expect(ours.words).toEqual(
    theirs.words.map((word) => (word === "Go" ? "Node" : word)).filter((word) => word !== "Emulation"),
  );
});

test("row 70: /metrics/slis has the same series, of the same types", async () => {
  const read = async (proxy: Proxy) => {
    await page(proxy, "/healthz");
    const found = [...parseExposition(`${bodyOf(await page(proxy, "/metrics/slis"))}\n`)];
    return Object.fromEntries(
      found.map(([name, { type, help, samples }]) => [name, { type, help, series: [...samples.keys()] }]),
    );
  };
  const [{ process_start_time_seconds: _ours, ...ours }, { process_start_time_seconds: _theirs, ...theirs }] = [
    await read("portolan"),
    await read("kube-proxy"),
  ];
  expect(ours).toEqual(theirs);
  expect(Object.keys(ours)).toEqual(["kubernetes_healthcheck", "kubernetes_healthchecks_total"]);
});

test("requests to the API server are counted under client-go's names, with its labels and bounds", async () => {
  const read = async (proxy: Proxy, name: string) => {
    const { lab } = world().cluster;
    const text = await lab.exec(lab.node(NODES[proxy]), ["curl", "-s", `http://127.0.0.1:${METRICS}/metrics`]); // may come in chunks
    const lines = text.split("\n").filter((line) => line.replace("# TYPE ", "").startsWith(name));
    const labels = lines.flatMap((line) => [...line.matchAll(/([a-z]+)=/g)].map(([, label]) => label));
    const bounds = lines.flatMap((line) => [...line.matchAll(/le="([^"]*)"/g)].map(([, bound]) => bound));
    return { type: lines[0], labels: [...new Set(labels)].sort(), bounds: [...new Set(bounds)] };
  };
  for (const name of ["rest_client_requests_total", "rest_client_request_duration_seconds"]) {
    const [ours, theirs] = [await read("portolan", name), await read("kube-proxy", name)];
    expect(ours).toEqual(theirs);
    expect(ours.type).toMatch(/^# TYPE /);
  }
  const { samples } =
    parseExposition(`${bodyOf(await page("portolan", "/metrics"))}\n`).get("rest_client_requests_total") ?? {};
  const { host } = new URL(world().plane.url);
  const counted = (code: number) =>
    samples?.get(`rest_client_requests_total{code="${code}",method="GET",host="${host}"}`);
  // A watch each of what system:node-proxier may read; Pods and Namespaces it may not.
  expect(counted(200)).toBe(4);
  expect(counted(403)).toBeGreaterThanOrEqual(2);
});

test("what a reflector hears is counted: the whole state once, each change, and no silence of minutes", async () => {
  const value = async (series: string) => {
    const name = series.replace(/\{.*/, "");
    return parseExposition(`${bodyOf(await page("portolan", "/metrics"))}\n`)
      .get(name)
      ?.samples.get(series);
  };
  const of = (name: string, labels = "") => value(`portolan_reflector_${name}{resource="services"${labels}}`);
  expect([await of("lists_total", ',by="watch-list"'), await of("lists_total", ',by="list"')]).toEqual([1, 0]);
  expect([await of("watches_total"), await of("watch_ends_total", ',reason="server"')]).toEqual([1, undefined]);
  const [added, version] = [await of("events_total", ',type="added"'), await of("last_resource_version")];
  await create(world().plane, { name: "late", number: 11, endpoints: [] });
  await until("the change is counted", async () => (await of("events_total", ',type="added"')) === (added ?? 0) + 1);
  expect(await of("last_resource_version")).toBeGreaterThan(version ?? Infinity);
  expect(await of("silence_seconds")).toBeLessThan(30);
});

describe("whose Node may not be read", () => {
  const role = { apiVersion: "rbac.authorization.k8s.io/v1", metadata: { name: "half" } };
  beforeAll(async () => {
    const { api } = world().plane;
    const read = ["list", "watch"];
    const rules = [
      { apiGroups: [""], resources: ["services"], verbs: read },
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: read },
    ];
    await api.create({ ...role, kind: "ClusterRole", rules });
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "half" };
    const subjects = [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "stranger" }];
    await api.create({ ...role, kind: "ClusterRoleBinding", roleRef, subjects });
  });

  test("row 68: the agent serves, tells load balancers to send nothing, and says why", async () => {
    const { cluster, plane } = world();
    await cluster.killAgent("n1");
    const agent = await cluster.startAgent("n1", ["--kubeconfig", plane.kubeconfig("stranger")]);
    await agent.waitForOutput(
      / WARN \/healthz: load balancers are told to send node n1 no traffic \(503\): it has no Node object, or Nodes may not be read\n/,
      60_000,
    );
    expect(agent.stderr).toMatch(/ WARN API server, nodes: forbidden \(403, .* RBAC must allow verb watch on nodes /);
    const answer = await page("portolan", "/healthz", undefined, HEALTH);
    expect(answer).toMatch(/^HTTP\/1.1 503 .*"nodeEligible":false,"healthy":true,/s);
    expect(await page("portolan", "/livez", undefined, HEALTH)).toMatch(/^HTTP\/1.1 200 /);
    await until("it is ready", async () => bodyOf(await page("portolan", "/readyz", undefined, HEALTH)) === "ok");
  });

  test("row 68: kube-proxy waits for it before it does anything, and answers nothing", async () => {
    const { cluster, plane } = world();
    await kubeProxies.shift()?.stop();
    const proxy = startKubeProxy(cluster.lab, cluster.lab.node("n2"), plane.kubeconfig("stranger"));
    kubeProxies.push(proxy);
    await proxy.waitForOutput(/stranger\\" cannot list resource \\"nodes\\"/, 30_000);
    expect(await page("kube-proxy", "/healthz", undefined, HEALTH)).toBe("ECONNREFUSED");
    expect(await page("kube-proxy", "/healthz")).toBe("ECONNREFUSED");
  });
});
