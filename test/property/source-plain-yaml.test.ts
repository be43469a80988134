// SPDX-License-Identifier: Apache-2.0
// The fast reader of plain YAML against the real parser: whatever it reads, that one reads the same.

import fc from "fast-check";
import { expect, test } from "vitest";
import { parseDocument, stringify } from "yaml";
import { parsePlainYaml } from "../../src/source/plain-yaml.ts";

function expectAgreement(text: string): void {
  const plain = parsePlainYaml(text);
  if (!plain) return;
  const whole = parseDocument(text, { version: "1.2", logLevel: "silent" });
  expect({ text, errors: whole.errors, value: whole.toJS() }).toEqual({ text, errors: [], value: plain.value });
}

const manifest = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-1
  labels:
    kubernetes.io/service-name: web
addressType: IPv4
ports:
- name: http
  port: 8080
  protocol: TCP
endpoints:
  - addresses: ["10.0.0.1", 10.0.0.2]
    conditions: {}
    nodeName: 'node-1'
    ready: true
    zone:
  -
    addresses:
      - fd00::1
    list: []
`;

test("a manifest as people write it is plain", () => {
  expect(parsePlainYaml(manifest)?.value).toEqual({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: [
      { addresses: ["10.0.0.1", "10.0.0.2"], conditions: {}, nodeName: "node-1", ready: true, zone: null },
      { addresses: ["fd00::1"], list: [] },
    ],
  });
  expectAgreement(manifest);
});

test("a manifest with any few characters changed is read alike or left to the real parser", () => {
  const position = fc.nat({ max: manifest.length });
  const piece = fc.oneof(
    fc.constantFrom(
      "",
      " ",
      "  ",
      "\n",
      "\n  ",
      "- ",
      ": ",
      ":",
      "#",
      " #",
      "'",
      '"',
      "\\",
      "[",
      "]",
      "{",
      "}",
      ",",
      "&a ",
      "*a",
    ),
    fc.constantFrom(
      "|",
      ">",
      "!!str ",
      "?",
      "%",
      "@",
      "`",
      "~",
      "0x1f",
      "012",
      "1.5",
      "1e3",
      "true",
      "Null",
      "\t",
      "\r\n",
      "é",
      "-",
    ),
  );
  const edit = fc.record({ at: position, remove: fc.nat({ max: 4 }), insert: piece });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      let text = manifest;
      for (const { at, remove, insert } of edits) text = text.slice(0, at) + insert + text.slice(at + remove);
      expectAgreement(text);
    }),
    { numRuns: 1500 },
  );
}, 30_000);

test("scalars of every kind are read alike or left to the real parser", () => {
  const soup = fc.string({
    unit: fc.constantFrom(..."0123456789abefnrtulsTZxo:.-+_/,~ '\"[]{}#"),
    minLength: 1,
    maxLength: 10,
  });
  fc.assert(
    fc.property(soup, (text) => {
      expectAgreement(`a: ${text}\n`);
      expectAgreement(`- ${text}\n`);
      expectAgreement(`a: [x, ${text}]\n`);
      expectAgreement(`${text}: a\n`);
    }),
    { numRuns: 1500 },
  );
}, 30_000);

test("what the real parser writes is read back, or left to it", () => {
  const leaf = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.double(),
    fc.ipV4(),
    fc.ipV6(),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(fc.stringMatching(/^[a-zA-Z]{1,5}$/), tie("tree"), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      expectAgreement(stringify(value, { version: "1.2" }));
      expectAgreement(stringify(value, { version: "1.2", indentSeq: false }));
    }),
    { numRuns: 800 },
  );
}, 30_000);
