// SPDX-License-Identifier: Apache-2.0
// What runs on the cluster besides Portolan: a Service with a server on each node, and a client's pod.
import { type KubeObject, type ServiceSpec, serviceObjects } from "../../support/manifests.ts";
import { TEST_IMAGE } from "./images.ts";

export const NODE_PORT = 30_080;
const SERVER_PORT = 8080;

/** Its addresses are those of this number. */
export const WEB: ServiceSpec = { name: "web", number: 10, protocols: ["TCP"], nodePort: NODE_PORT, endpoints: [] };

/** Who its endpoints are, the cluster finds out. */
export function web(): KubeObject {
  const [service] = serviceObjects(WEB);
  if (service === undefined) throw new Error("a Service has no object");
  const spec = service.spec as { readonly ports: readonly object[] };
  const ports = spec.ports.map((port) => ({ ...port, targetPort: SERVER_PORT }));
  return { ...service, spec: { ...spec, ports, selector: { app: "web" } } };
}

/** On each of two nodes one, which serves for 5 s more when it is to go. */
export function servers(): KubeObject {
  const labels = { app: "web" };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "test" },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: "kubernetes.io/hostname",
              whenUnsatisfiable: "DoNotSchedule",
              labelSelector: { matchLabels: labels },
            },
          ],
          terminationGracePeriodSeconds: 5, // no signal ends the first process of a container that does not ask for it
          containers: [
            {
              name: "server",
              image: TEST_IMAGE,
              command: ["/rush", "serve", String(SERVER_PORT)],
              readinessProbe: { tcpSocket: { port: SERVER_PORT }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  };
}

/** Does nothing by itself: tests start their clients in it. */
export function client(nodeName: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "client", namespace: "test", labels: { app: "client" } },
    spec: { nodeName, containers: [{ name: "client", image: TEST_IMAGE }], terminationGracePeriodSeconds: 1 },
  };
}
