// SPDX-License-Identifier: Apache-2.0
// Objects that only an API server has: who may do what.
import type { KubeObject } from "../../support/manifests.ts";

/** Lets a user do what a cluster role allows. */
export function roleBinding(user: string, role: string): KubeObject {
  const group = "rbac.authorization.k8s.io";
  return {
    apiVersion: `${group}/v1`,
    kind: "ClusterRoleBinding",
    metadata: { name: `${user}-${role}`.replaceAll(":", "-") },
    subjects: [{ apiGroup: group, kind: "User", name: user }],
    roleRef: { apiGroup: group, kind: "ClusterRole", name: role },
  };
}
