// SPDX-License-Identifier: Apache-2.0
// Our protobuf schema against Kubernetes' own: a number or a type that is another there reads another field.
import { join } from "node:path";
import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import { KUBERNETES } from "../../src/source/kubernetes/schema.ts";
import { binary } from "./support/components.ts";

const PACKAGES = [
  "k8s.io.apimachinery.pkg.runtime",
  "k8s.io.apimachinery.pkg.apis.meta.v1",
  "k8s.io.api.core.v1",
  "k8s.io.api.discovery.v1",
  "k8s.io.api.networking.v1",
];
const FILES = PACKAGES.map((name) => `${name.replaceAll(".", "/").replace("k8s/io", "k8s.io")}/generated.proto`);

function upstream(): protobuf.Root {
  const directory = binary("protos");
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(directory, target);
  return root.loadSync(FILES, { keepCase: true });
}

const theirs = upstream();

/** Names that several packages have. */
const PACKAGE_OF: Readonly<Record<string, string>> = {
  TypeMeta: "k8s.io.apimachinery.pkg.runtime",
  EndpointPort: "k8s.io.api.discovery.v1",
};

/** `3 string`, `3 string[]`, `3 map`, and the last part of a message's name. */
function text(field: protobuf.Field): string {
  const type = field.map ? "map" : (field.type.split(".").at(-1) ?? "");
  return `${field.id} ${type}${field.repeated ? "[]" : ""}`;
}

function upstreamType(message: string): protobuf.Type {
  const packages = PACKAGES.filter((name) => name === (PACKAGE_OF[message] ?? name));
  const found = packages.flatMap((name) => {
    const type = theirs.lookup(`${name}.${message}`);
    return type instanceof protobuf.Type ? [type] : [];
  });
  expect(found).toHaveLength(1);
  return found[0] as protobuf.Type;
}

describe("fields have Kubernetes' own numbers and types", () => {
  test.each(KUBERNETES.names.filter((name) => name !== "List"))("%s", (message) => {
    const type = upstreamType(message);
    const ours = KUBERNETES.fields(message).map(({ name, id, type: kind, repeated }) => [
      name,
      `${id} ${kind}${repeated ? "[]" : ""}`,
    ]);
    expect(ours.length).toBeGreaterThan(0);
    expect(ours).toEqual(ours.map(([name = ""]) => [name, type.fields[name] ? text(type.fields[name]) : "none"]));
  });

  test.each(["ServiceList", "EndpointSliceList", "NodeList", "PodList", "NamespaceList", "ServiceCIDRList"])(
    "%s has its metadata and items where List has them",
    (list) => {
      const { metadata, items } = upstreamType(list).fields;
      expect([metadata?.id, metadata?.type, items?.id, items?.repeated]).toEqual([
        1,
        expect.stringMatching(/ListMeta$/),
        2,
        true,
      ]);
    },
  );
});
