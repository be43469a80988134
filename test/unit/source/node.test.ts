// SPDX-License-Identifier: Apache-2.0
// What of a Node says that it is about to go (behaviour row 68).

import { expect, test } from "vitest";
import { readManifest } from "../../../src/source/manifest-file.ts";

function read(text: string) {
  return readManifest("a.yaml", text, new Map(), { intern: (name) => name, reuse: (object) => object });
}

test("row 68: a Node is leaving once it is being deleted, or with the cluster autoscaler's taint", () => {
  const leaving = (metadata: string, spec: string) => {
    const text = `apiVersion: v1\nkind: Node\nmetadata: { name: node-1${metadata} }\nspec: { ${spec} }\n`;
    return read(text).objects.get("Node//node-1")?.object;
  };
  expect(leaving("", "")).toMatchObject({ leaving: false });
  expect(leaving("", "unschedulable: true, taints: [{ key: node.kubernetes.io/unschedulable }]")).toMatchObject({
    leaving: false,
  });
  expect(leaving(", deletionTimestamp: null", "")).toMatchObject({ leaving: false });
  expect(leaving(", deletionTimestamp: 2026-01-01T00:00:00Z", "")).toMatchObject({ leaving: true });
  const taints = "taints: [{ key: a, effect: NoExecute }, { key: ToBeDeletedByClusterAutoscaler, effect: NoSchedule }]";
  expect(leaving("", taints)).toMatchObject({ leaving: true });
});
