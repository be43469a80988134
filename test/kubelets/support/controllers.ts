// SPDX-License-Identifier: Apache-2.0
// What makes objects of a control plane change by themselves: kube-controller-manager and kube-scheduler, beside the API server.
import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { NodeHost } from "../../../src/demo/lab/plan.ts";
import { binary } from "../../cluster/support/components.ts";
import type { ControlPlane } from "../../cluster/support/control-plane.ts";

/** Does not wait; they end with the lab. */
export function startControllers(lab: Lab, host: NodeHost, plane: ControlPlane): void {
  const kubeconfig = `--kubeconfig=${plane.kubeconfig("admin")}`;
  const common = [kubeconfig, "--leader-elect=false", "--bind-address=127.0.0.1"];
  const { tokenKey, ca } = plane.certificates;
  lab.spawn(host, [
    binary("kube-controller-manager"),
    ...common,
    `--service-account-private-key-file=${tokenKey}`,
    `--root-ca-file=${ca}`,
  ]);
  lab.spawn(host, [binary("kube-scheduler"), ...common]);
}
