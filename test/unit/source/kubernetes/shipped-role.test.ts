// SPDX-License-Identifier: Apache-2.0
// The ClusterRole that is shipped allows what the agent asks the API server for, and nothing else.
import { expect, test } from "vitest";
import { groupOf, resourcesOf } from "../../../../src/source/kubernetes/resources.ts";
import { shippedObject } from "../../../support/shipped.ts";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

test("the role allows to list and watch what is read, and to create Events", () => {
  const rules = shippedObject("ClusterRole").rules as readonly Rule[];
  const allowed = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`))),
  );
  const read = resourcesOf("n1").flatMap((resource) =>
    ["list", "watch"].map((verb) => `${verb} ${groupOf(resource)}/${resource.plural}`),
  );
  expect(allowed.sort()).toEqual([...read, "create events.k8s.io/events"].sort());
});
