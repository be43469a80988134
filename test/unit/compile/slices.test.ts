// SPDX-License-Identifier: Apache-2.0
// Slices over time: the label headless, and endpoints that move between slices (behaviour rows 2 and 11).

import { describe, expect, test } from "vitest";
import { Compiler } from "../../../src/compile/compiler.ts";
import { appear, changes, endpoint, memberLines, service, slice } from "./manifest.ts";

const nothing = { upsert: [], remove: [] };

test("row 2: the label headless on the Service is nothing to this proxy", () => {
  const labels = { "service.kubernetes.io/headless": "" };
  const compiler = new Compiler("here");
  const labelled = service({}, { metadata: { name: "web", labels } });
  const { delta } = compiler.update(appear(labelled, slice([endpoint("10.244.1.1")])));
  expect(delta.upsert.map((one) => memberLines(one.cluster))).toEqual([["10.244.1.1:8080"]]);
});

test("row 2: what changes in a slice while it is labelled headless counts once the label is off", () => {
  const compiler = new Compiler("here");
  const labels = { "kubernetes.io/service-name": "web", "service.kubernetes.io/headless": "" };
  const dark = (address: string) => slice([endpoint(address)], { metadata: { name: "web-1", labels } });
  compiler.update(appear(service(), dark("10.244.1.1")));
  expect(compiler.update(changes([[dark("10.244.1.1"), dark("10.244.1.2")]])).delta).toEqual(nothing);
  const { delta } = compiler.update(changes([[dark("10.244.1.2"), slice([endpoint("10.244.1.2")])]]));
  expect(delta.upsert.map((one) => memberLines(one.cluster))).toEqual([["10.244.1.2:8080"]]);
});

describe("row 11: an endpoint that moves between slices of its Service", () => {
  const named = (name: string) => ({ metadata: { name, labels: { "kubernetes.io/service-name": "web" } } });
  const [one, two] = [endpoint("10.244.1.1", "there"), endpoint("10.244.1.2", "there")];
  const full = slice([one, two], named("a"));
  const less = slice([two], named("a"));
  const other = slice([one], named("b"));

  test("in one batch is an empty delta", () => {
    const compiler = new Compiler("here");
    compiler.update(appear(service(), full));
    const moved = changes([
      [full, less],
      [undefined, other],
    ]);
    expect(compiler.update(moved).delta).toEqual(nothing);
  });

  test("step by step, standing in both for a while, never leaves the set", () => {
    const compiler = new Compiler("here");
    compiler.update(appear(service(), full));
    expect(compiler.update(appear(other)).delta).toEqual(nothing);
    expect(compiler.update(changes([[full, less]])).delta).toEqual(nothing);
  });

  test("stays ready while the old slice still says that it terminates", () => {
    const compiler = new Compiler("here");
    const ending = { ready: false, serving: true, terminating: true };
    const old = slice([endpoint("10.244.1.1", "there", ending), two], named("a"));
    compiler.update(appear(service(), full));
    const { delta } = compiler.update(
      changes([
        [full, old],
        [undefined, other],
      ]),
    );
    expect(delta).toEqual(nothing);
  });
});
