// SPDX-License-Identifier: Apache-2.0
// The annotation portolan.dev/terminate-connections (behaviour row 61): what is read, and what is warned about.

import { expect, test } from "vitest";
import { readDocument } from "../../../src/source/manifest-document.ts";

function read(value: unknown) {
  const annotations = value === undefined ? {} : { "portolan.dev/terminate-connections": value };
  const spec = { clusterIP: "10.96.0.10", ports: [{ port: 80 }] };
  const service = { apiVersion: "v1", kind: "Service", metadata: { name: "web", annotations }, spec };
  const { objects, findings } = readDocument(JSON.stringify(service), "json", (text) => text);
  const [object] = objects;
  if (object?.kind !== "Service") throw new Error("no Service was read");
  return { ends: object.endsConnections, ports: object.ports.length, findings: findings.map(({ message }) => message) };
}

test.each([
  [undefined, false],
  ["", false],
  ["false", false],
  ["true", true],
])("row 61: %o", (value, ends) => {
  expect(read(value)).toEqual({ ends, ports: 1, findings: [] });
});

const FIELD = 'metadata.annotations["portolan.dev/terminate-connections"]';

test.each<[unknown, string]>([
  ["yes", `${FIELD}: "yes" is not known: use false, true`],
  [true, `${FIELD}: true must be a string: put it in quotes`],
])("row 61: %o is warned about, and off", (value, problem) => {
  const { ends, ports, findings } = read(value);
  expect({ ends, ports }).toEqual({ ends: false, ports: 1 });
  expect(findings).toEqual([expect.stringContaining(problem)]);
});
