// SPDX-License-Identifier: Apache-2.0
// Where the binaries of the control plane and of real nodes are: build.sh says it, and builds first what is not there.
import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** By what build.sh is asked for; "": nothing. */
const COMPONENTS = {
  // protos: the directory of Kubernetes' own protobuf schema.
  "": ["etcd", "kube-apiserver", "kube-proxy", "coredns", "protos"],
  kubelets: ["kubelet", "kube-controller-manager", "kube-scheduler", "containerd", "containerd-shim-runc-v2", "ctr"],
  helm: ["helm"],
} as const;

type Group = keyof typeof COMPONENTS;
export type Component = (typeof COMPONENTS)[Group][number];

const paths = new Map<Group, ReadonlyMap<string, string>>();

/** Path of the component's binary. */
export function binary(component: Component): string {
  const groups = Object.keys(COMPONENTS) as Group[];
  const group = groups.find((name) => (COMPONENTS[name] as readonly string[]).includes(component)) ?? "";
  const known = paths.get(group) ?? readPaths(group);
  paths.set(group, known);
  const path = known.get(component);
  if (path === undefined) throw new Error(`test/cluster/build.sh ${group} names no ${component}`);
  return path;
}

function readPaths(group: Group): ReadonlyMap<string, string> {
  const argv = [join(import.meta.dirname, "../build.sh"), ...(group === "" ? [] : [group])];
  const said = execFileSync("bash", argv, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return new Map(
    said
      .trim()
      .split("\n")
      .map((line) => {
        const [name = "", path = ""] = line.split(" ");
        return [name, path];
      }),
  );
}
