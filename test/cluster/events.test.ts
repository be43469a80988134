// SPDX-License-Identifier: Apache-2.0
// What the cluster is told of the agent, as a real API server keeps it (behaviour row 72).
import { expect, test } from "vitest";
import { type ServiceSpec, serviceObjects } from "../support/manifests.ts";
import { create, useApiCluster } from "./support/api-cluster.ts";
import { eventText, listEvents, takePort } from "./support/events.ts";

const HEALTH_PORT = 32_100;

const world = useApiCluster({
  nodes: [{ name: "n1", routedPods: ["p1a"] }],
  agentFlags: ["--metrics-bind-address", "192.0.2.77"],
});

async function events(namespace: string): Promise<readonly string[]> {
  return (await listEvents(world().plane, namespace)).map(eventText);
}

const soon = (ask: () => Promise<readonly string[]>) => expect.poll(ask, { timeout: 20_000, interval: 100 });

test("row 72: Starting, on the Node", async () => {
  await soon(() => events("default")).toContainEqual(
    expect.stringMatching(/^Node n1 Normal Starting: Portolan \d+\.\d+\.\d+ serves this node, mode ebpf$/),
  );
});

test("rows 71, 72: a metrics address that cannot be bound, on the Node", async () => {
  await soon(() => events("default")).toContain(
    "Node n1 Warning FailedToStartMetricServer: --metrics-bind-address 192.0.2.77:10249 cannot be answered: " +
      "listen EADDRNOTAVAIL: address not available 192.0.2.77:10249",
  );
});

test("rows 67, 72: a health check port that is taken, on the Service", async () => {
  const { cluster, plane } = world();
  await takePort(cluster.lab, cluster.lab.node("n1"), HEALTH_PORT);
  const spec: ServiceSpec = {
    ...{ name: "asked", number: 9, external: true, externalTrafficPolicy: "Local", healthCheckNodePort: HEALTH_PORT },
    endpoints: [{ address: cluster.lab.pod("p1a").address, nodeName: "n1" }],
  };
  await create(plane, spec);
  const [service] = serviceObjects(spec);
  await soon(() => events(service?.metadata.namespace ?? "")).toContain(
    "Service asked Warning FailedToStartServiceHealthcheck: Service test/asked: healthCheckNodePort 32100 cannot be " +
      "answered on 0.0.0.0: listen EADDRINUSE: address already in use 0.0.0.0:32100",
  );
});
