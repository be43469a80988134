// SPDX-License-Identifier: Apache-2.0
// An agent as the shipped DaemonSet has it: its configuration, its service account's token where a pod finds it, its
// capabilities. The image is shown elsewhere (test/image); here the agent runs from this checkout.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { NodeHost } from "../../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../../src/demo/lab/process.ts";
import { portolanCommand, startAgent } from "../../../src/demo/portolan.ts";
import { shippedConfiguration, shippedContainer, shippedObject, shippedObjects } from "../../support/shipped.ts";
import type { ControlPlane } from "./control-plane.ts";

/** In a mount namespace of its own, so that the directory of the pod's token is no one else's. */
const AS_POD = [
  "mount -t tmpfs none /run",
  "mkdir -p /run/secrets/kubernetes.io/serviceaccount",
  'cp "$0"/token "$0"/ca.crt "$0"/namespace /run/secrets/kubernetes.io/serviceaccount/',
  'exec "$@"',
].join(" && ");

/** Creates all that is shipped; nobody makes pods of it. */
export async function applyShipped(plane: ControlPlane): Promise<void> {
  for (const object of shippedObjects()) await plane.api.create(object);
}

/** Resolves once it serves. capabilities: as a container has them, "BPF"; default those of the DaemonSet. */
export async function startPodAgent(
  lab: Lab,
  node: NodeHost,
  plane: ControlPlane,
  capabilities: readonly string[] = shippedContainer("portolan").securityContext.capabilities.add ?? [],
): Promise<LabProcess> {
  const directory = join(lab.plan.directory, node.name, "pod");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "token"), await plane.api.token(shippedObject("ServiceAccount")));
  writeFileSync(join(directory, "ca.crt"), plane.ca);
  writeFileSync(join(directory, "namespace"), "kube-system");
  const configuration = join(directory, "configuration.yaml");
  writeFileSync(configuration, stringify({ ...parse(shippedConfiguration()), apiServers: [plane.url] }));
  const granted = capabilities.map((name) => `,+${name.toLowerCase()}`).join("");
  const command = [
    ...["unshare", "--mount", "--propagation", "private", "sh", "-c", AS_POD, directory],
    ...["setpriv", "--inh-caps=-all", `--bounding-set=-all${granted}`, ...portolanCommand()],
  ];
  // As kubelet sets them, by the ClusterIP that nobody serves yet.
  const environment = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" };
  return startAgent(lab, node, ["--config", configuration], [], { command, environment });
}
