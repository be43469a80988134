// SPDX-License-Identifier: Apache-2.0
// An API server that does not answer.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../../src/demo/lab/lab.ts";

/** Nobody listens there. */
const KUBECONFIG = `{
  "apiVersion": "v1", "kind": "Config", "current-context": "here",
  "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
  "users": [{"name": "u", "user": {"token": "t"}}],
  "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}]
}`;

/** Returns the file. */
export function writeDeadKubeconfig(lab: Lab): string {
  const file = join(lab.plan.directory, "kubeconfig");
  writeFileSync(file, KUBECONFIG);
  return file;
}
