// SPDX-License-Identifier: Apache-2.0
// Where the binaries of the control plane are: build.sh says it, and builds first what is not there.
import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** protos: the directory of Kubernetes' own protobuf schema. */
export type Component = "etcd" | "kube-apiserver" | "kube-proxy" | "coredns" | "protos";

let paths: ReadonlyMap<string, string> | undefined;

/** Path of the component's binary. */
export function binary(component: Component): string {
  paths ??= readPaths();
  const path = paths.get(component);
  if (path === undefined) throw new Error(`test/cluster/build.sh names no ${component}`);
  return path;
}

function readPaths(): ReadonlyMap<string, string> {
  const script = join(import.meta.dirname, "../build.sh");
  const said = execFileSync("bash", [script], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
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
