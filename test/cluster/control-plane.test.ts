// SPDX-License-Identifier: Apache-2.0
// The control plane that the other files here rely on: what it keeps over kill -9, whom it refuses, what it forgets.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lab } from "../../src/demo/lab/lab.ts";
import { type ServiceSpec, serviceObjects } from "../support/manifests.ts";
import { create, startControlPlane } from "./support/api-cluster.ts";
import type { ControlPlane } from "./support/control-plane.ts";

const SERVICES = "/api/v1/namespaces/test/services";
const web: ServiceSpec = { name: "web", number: 10, endpoints: [] };

describe.each([{ featureGates: [] }, { featureGates: ["WatchList=false"] }])("with $featureGates", (options) => {
  let lab: Lab;
  let plane: ControlPlane;
  beforeAll(async () => {
    lab = await Lab.create({ nodes: [{ name: "n1" }, { name: "cp" }] });
    plane = await startControlPlane(lab, options);
    await create(plane, web);
  });
  afterAll(() => lab?.[Symbol.asyncDispose]());

  const names = async () => (await plane.api.list(SERVICES)).map(({ metadata }) => metadata.name);

  /** What a node's user gets for a path: the status, and the first lines of the body; seconds: how long it listens. */
  async function ask(user: string, path: string, seconds = 5): Promise<{ status: string; body: string }> {
    const url = `${plane.url}${path}`;
    const line = [
      "curl",
      "-sk",
      "-m",
      String(seconds),
      "-w",
      "\n%{http_code}",
      "-H",
      `Authorization: Bearer ${user}`,
      url,
    ];
    const said = await lab.exec(lab.node("n1"), ["sh", "-c", '"$@" || test $? = 28', "sh", ...line]);
    const end = said.lastIndexOf("\n");
    return { status: said.slice(end + 1), body: said.slice(0, end) };
  }

  test("a node may read what kube-proxy reads, a stranger may not, and nobody is let in without a token", async () => {
    for (const path of ["/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices", "/api/v1/nodes"]) {
      expect([path, (await ask("portolan", path)).status]).toEqual([path, "200"]);
      expect([path, (await ask("stranger", path)).status]).toEqual([path, "403"]);
      expect([path, (await ask("nobody", path)).status]).toEqual([path, "401"]);
    }
  });

  test("a watch-list begins with what is there, where the server has it", async () => {
    const query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
    const { status, body } = await ask("portolan", `/api/v1/services?${query}`, 1);
    if (options.featureGates.length === 0) {
      expect(status).toBe("200");
      expect(body).toContain('"type":"ADDED"');
      expect(body).toContain('"k8s.io/initial-events-end":"true"');
    } else expect(body).toMatch(/sendInitialEvents.*(forbidden|Forbidden)/);
  });

  test("killed and started again it has what it had, and goes on", async () => {
    await plane.killApiServer();
    expect(await plane.api.isReady()).toBe(false);
    await plane.startApiServer();
    expect(await names()).toEqual(["web"]);
    await create(plane, { ...web, name: "other", number: 11 });
    expect(await names()).toEqual(["other", "web"]);
  });

  test("a watch from before a compaction and a restart is answered 410", async () => {
    const [service] = serviceObjects(web);
    if (service === undefined) throw new Error("a Service comes first");
    const before = (await plane.api.patch(service, { metadata: { labels: { round: "1" } } })).metadata.resourceVersion;
    await plane.api.patch(service, { metadata: { labels: { round: "2" } } });
    await plane.killApiServer();
    await plane.etcd.compact();
    await plane.startApiServer();
    const { body } = await ask("portolan", `/api/v1/services?watch=1&resourceVersion=${before}`, 2);
    expect(body).toContain('"code":410');
  });

  test("paused, it answers nobody; resumed, it answers what was asked meanwhile", async () => {
    plane.pauseApiServer();
    let answered = false;
    const asked = names().then((found) => {
      answered = true;
      return found;
    });
    await expect(lab.exec(lab.node("n1"), ["curl", "-sk", "-m", "1", `${plane.url}/readyz`])).rejects.toThrow(
      "exit 28",
    );
    expect(answered).toBe(false);
    plane.resumeApiServer();
    expect(await asked).toEqual(["other", "web"]);
  });
});
