// SPDX-License-Identifier: Apache-2.0
// Pods and Namespaces out of manifests.

import { expect, test } from "vitest";
import { readDocument } from "../../../src/source/manifest-document.ts";

const POD = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "vm-0", namespace: "lab", uid: "0A1B2C3D-0000-4000-8000-000000000001" },
  spec: { nodeName: "n1", hostNetwork: false },
  status: { podIPs: [{ ip: "10.9.1.10" }, { ip: "fd00:9:1::10" }] },
};

function read(object: object): { readonly objects: readonly unknown[]; readonly said: readonly string[] } {
  const { objects, findings } = readDocument(JSON.stringify(object), "json", (text) => text);
  return { objects, said: findings.map(({ severity, message }) => `${severity}: ${message}`) };
}

function annotated(value: unknown): object {
  return { ...POD, metadata: { ...POD.metadata, annotations: { "portolan.dev/socket-balancing": value } } };
}

test("what counts of a Pod", () => {
  expect(read(POD)).toEqual({
    objects: [
      {
        kind: "Pod",
        namespace: "lab",
        name: "vm-0",
        uid: "0a1b2c3d-0000-4000-8000-000000000001",
        nodeName: "n1",
        hostNetwork: false,
        addresses: ["10.9.1.10", "fd00:9:1::10"],
        socketBalancing: undefined,
      },
    ],
    said: [],
  });
});

test.each([
  ["false", false],
  ["true", true],
])("the annotation %s", (value, socketBalancing) => {
  expect(read(annotated(value)).objects).toMatchObject([{ socketBalancing }]);
  const metadata = { name: "lab", annotations: { "portolan.dev/socket-balancing": value } };
  expect(read({ apiVersion: "v1", kind: "Namespace", metadata }).objects).toEqual([
    { kind: "Namespace", name: "lab", socketBalancing },
  ]);
});

test.each([
  ["off", '"off" is not known: use true, false'],
  [false, "false must be a string: put it in quotes"],
])("an annotation that says %s is left out, with a warning", (value, problem) => {
  const { objects, said } = read(annotated(value));
  expect(objects).toMatchObject([{ name: "vm-0", socketBalancing: undefined }]);
  expect(said).toEqual([
    `warning: Pod lab/vm-0: metadata.annotations["portolan.dev/socket-balancing"]: ${problem} (until then the rest of it counts)`,
  ]);
});

test("a static Pod's cgroups bear the hash that its mirror names", () => {
  const annotations = { "kubernetes.io/config.mirror": "05ee5f4f7a1a1a9b9b2b2c3c4d4d5e5e" };
  const { objects } = read({ ...POD, metadata: { ...POD.metadata, annotations } });
  expect(objects).toMatchObject([{ uid: "05ee5f4f7a1a1a9b9b2b2c3c4d4d5e5e" }]);
});

test("a uid that is no name of a directory is left out", () => {
  const { objects, said } = read({ ...POD, metadata: { ...POD.metadata, uid: "../../etc" } });
  expect(objects).toMatchObject([{ uid: "" }]);
  expect(said[0]).toMatch(/^warning: Pod lab\/vm-0: metadata.uid: "..\/..\/etc" is no uid/);
});
