// SPDX-License-Identifier: Apache-2.0
// From a directory of manifests to a compiled delta: the whole way through source, model and compile.

import { expect, test } from "vitest";
import { Compiler } from "../../../src/compile/compiler.ts";
import type { Delta } from "../../../src/compile/state.ts";
import { ManifestSource } from "../../../src/source/manifests.ts";

test("a ClusterIP Service and its EndpointSlice in a file become one compiled service", async () => {
  const compiler = new Compiler("here");
  const deltas: Delta[] = [];
  const problems: string[] = [];
  await using source = new ManifestSource("test/fixtures/manifests/first");
  source.begin(({ severity, message }) => severity !== "debug" && problems.push(message));
  await source.start((changes) => deltas.push(compiler.update(changes).delta));
  expect(problems).toEqual([]);
  const common = { port: 8080, zone: undefined, terminating: false, weight: 1 };
  expect(deltas).toEqual([
    {
      remove: [],
      upsert: [
        {
          key: "default/web:http/TCP/IPv4",
          namespace: "default",
          name: "web",
          portName: "http",
          protocol: "TCP",
          family: 4,
          type: "ClusterIP",
          frontends: [{ kind: "ClusterIP", address: "10.96.0.10", port: 80 }],
          cluster: [
            { ...common, address: "10.244.0.2", nodeName: "here", local: true },
            { ...common, address: "10.244.1.2", nodeName: "other", local: false },
          ],
          local: [],
          serving: [],
          internalLocal: false,
          externalLocal: false,
          hasAnyEndpoints: true,
          scheduler: "default",
          affinitySeconds: 0,
          endsConnections: false,
        },
      ],
    },
  ]);
});
