// SPDX-License-Identifier: Apache-2.0
// A cluster of test/support whose agents read from a real API server: it runs on a node of its own, "cp", which has no
// agent. Node objects of all nodes are there before the agents start.
import type { Lab } from "../../../src/demo/lab/lab.ts";
import { DEFAULT_NODES } from "../../../src/demo/lab/plan.ts";
import { type Cluster, type ClusterOptions, useCluster } from "../../support/cluster.ts";
import { nodeObject, type ServiceSpec, serviceObjects } from "../../support/manifests.ts";
import { ControlPlane, type ControlPlaneOptions } from "./control-plane.ts";

export interface ApiClusterOptions extends Omit<ClusterOptions, "source" | "services">, ControlPlaneOptions {}

/** For one test file, as useCluster(). */
export function useApiCluster(options: ApiClusterOptions = {}): () => { cluster: Cluster; plane: ControlPlane } {
  const nodes = options.nodes ?? DEFAULT_NODES;
  let plane: ControlPlane | undefined;
  const cluster = useCluster({
    agents: nodes.map(({ name }) => name),
    ...options,
    nodes: [...nodes, { name: "cp" }],
    source: async (lab) => {
      plane = await startControlPlane(lab, options);
      return ["--kubeconfig", plane.kubeconfig("portolan")];
    },
  });
  return () => {
    if (plane === undefined) throw new Error("the control plane is there only while tests run");
    return { cluster: cluster(), plane };
  };
}

/** On node "cp" of the lab; with the Node objects of the others. */
export async function startControlPlane(lab: Lab, options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const plane = await ControlPlane.start(lab, lab.node("cp"), options);
  for (const { name, podRange, address } of lab.nodes) {
    if (name === "cp") continue;
    const node = nodeObject(name, { "kubernetes.io/hostname": name }, [podRange.v4, podRange.v6], address);
    await plane.api.create(node);
    await plane.api.patch(node, { status: node.status }, "/status");
  }
  return plane;
}

/** Creates the Service and its slices. */
export async function create(plane: ControlPlane, spec: ServiceSpec): Promise<void> {
  for (const object of serviceObjects(spec)) await plane.api.create(object);
}

/** Gives the slices of a Service the endpoints of this spec. */
export async function changeEndpoints(plane: ControlPlane, spec: ServiceSpec): Promise<void> {
  const [, ...slices] = serviceObjects(spec);
  for (const slice of slices) await plane.api.patch(slice, { endpoints: slice.endpoints, ports: slice.ports });
}

export async function remove(plane: ControlPlane, spec: ServiceSpec): Promise<void> {
  for (const object of serviceObjects(spec)) await plane.api.delete(object);
}
