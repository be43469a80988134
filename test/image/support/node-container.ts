// SPDX-License-Identifier: Apache-2.0
// The DaemonSet's container as it serves a node of a lab: its configuration as shipped, except that Services come from a
// directory of manifests instead of an API server.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { NodeHost } from "../../../src/demo/lab/plan.ts";
import { type PodContainer, shippedConfiguration, shippedContainer, shippedPod } from "../../support/shipped.ts";
import { Container } from "./container.ts";
import type { Image } from "./images.ts";

const READY_TIMEOUT_MS = 60_000;

export interface Grant {
  readonly container: PodContainer;
  readonly hostPid: boolean;
}

/** All that the DaemonSet has by default. */
export function shippedGrant(): Grant {
  return { container: shippedContainer("portolan"), hostPid: shippedPod().hostPID === true };
}

/** What it has with closeStaleSockets switched off (test/chart holds that). */
export function leastGrant(capabilities: readonly string[]): Grant {
  const container = shippedContainer("portolan");
  const { drop } = container.securityContext.capabilities;
  const securityContext = {
    ...container.securityContext,
    allowPrivilegeEscalation: false,
    capabilities: { drop, add: capabilities },
  };
  return { container: { ...container, securityContext }, hostPid: false };
}

/** The directory of manifests of the node, made with its configuration. */
export function configureNode(lab: Lab, node: NodeHost): string {
  const directory = join(lab.plan.directory, node.name, "configuration");
  const manifests = join(directory, "manifests");
  mkdirSync(manifests, { recursive: true });
  const { inCluster: _, apiServers: __, ...shipped } = parse(shippedConfiguration()) as Record<string, unknown>;
  const configuration = { ...shipped, manifests: "manifests", devices: ["eth0"] };
  writeFileSync(join(directory, "configuration.yaml"), stringify(configuration));
  return manifests;
}

/** What the DaemonSet takes from the host, by the names of its volumes. */
export function nodeVolumes(lab: Lab, node: NodeHost): Readonly<Record<string, string>> {
  const configuration = join(lab.plan.directory, node.name, "configuration");
  return { configuration, bpffs: node.bpffs, cgroup: node.cgroupRoot, state: node.stateDir };
}

/** Resolves once it serves, with the milliseconds that took. */
export async function startAgent(
  lab: Lab,
  node: NodeHost,
  image: Image,
  { container, hostPid }: Grant,
): Promise<{ agent: Container; readyMs: number }> {
  const begun = performance.now();
  const agent = new Container(lab, node, { image, container, hostPid, volumes: nodeVolumes(lab, node) });
  await agent.process.waitForOutput(/ INFO ready$/m, READY_TIMEOUT_MS);
  return { agent, readyMs: performance.now() - begun };
}
