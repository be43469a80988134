// SPDX-License-Identifier: Apache-2.0
// Whom the frontends of a Service serve: behaviour rows 44 and 45, and the annotations beyond them.

import { describe, expect, test } from "vitest";
import { Compiler } from "../../../src/compile/compiler.ts";
import type { CompiledService } from "../../../src/compile/state.ts";
import { appear, changes, compile, type Json, service } from "./manifest.ts";

const VIPS = { loadBalancer: { ingress: [{ ip: "198.51.100.1" }, { ip: "2001:db8:51::1" }] } };
const DUAL = { type: "LoadBalancer", clusterIPs: ["10.96.0.10", "fd00:96::10"] };

function guarded(ranges: readonly string[] | undefined, annotations: Json = {}, spec: Json = {}): Json {
  const metadata = { name: "web", annotations };
  return service({ ...DUAL, loadBalancerSourceRanges: ranges, ...spec }, { metadata, status: VIPS });
}

function node(...addresses: readonly (readonly [type: string, address: string])[]): Json {
  const status = { addresses: addresses.map(([type, address]) => ({ type, address })) };
  return { apiVersion: "v1", kind: "Node", metadata: { name: "here" }, status };
}

/** `LoadBalancer,NodePort: +10.0.0.0/8 -10.1.0.0/16`, rules sorted; "all" when everybody is served. */
function line({ sources }: CompiledService): string {
  if (!sources) return "all";
  const rules = sources.rules.map(({ range, admit }) => `${admit ? "+" : "-"}${range.address}/${range.prefixLength}`);
  return `${sources.kinds.join(",")}: ${rules.sort().join(" ")}`;
}

/** The IPv4 service port, then the IPv6 one. */
const lines = (...objects: readonly Json[]) => compile(...objects).map(line);

const NODE = node(["ExternalIP", "203.0.113.200"], ["InternalIP", "192.0.2.1"], ["InternalIP", "2001:db8:2::1"]);
const policy = (word: string) => ({ "portolan.dev/source-ranges-policy": word });
const apply = (words: string) => ({ "portolan.dev/source-ranges-apply": words });
const denied = (ranges: string) => ({ "portolan.dev/denied-source-ranges": ranges });

test("row 44: an address that is an external IP too is closed as a load balancer's", () => {
  const kinds = (ranges?: readonly string[]) =>
    compile(guarded(ranges, {}, { externalIPs: ["198.51.100.1"] }))[0]?.frontends.map(({ kind }) => kind);
  expect(kinds()).toEqual(["ClusterIP", "ExternalIP"]);
  expect(kinds(["203.0.113.0/24"])).toEqual(["ClusterIP", "LoadBalancer"]);
});

describe("rows 44 and 45: the sources of a Service's frontends", () => {
  test.each<[string, Json, readonly [string, string]]>([
    ["everybody without ranges", guarded(undefined), ["all", "all"]],
    ["everybody with an empty list", guarded([]), ["all", "all"]],
    [
      "each family's own ranges",
      guarded(["203.0.113.0/24", "2001:db8:1::/48"]),
      ["LoadBalancer: +203.0.113.0/24 -0.0.0.0/32", "LoadBalancer: +2001:db8:1::/48 -::/128"],
    ],
    [
      "padded ranges, with leading zeros and bits beyond the prefix (row 12)",
      guarded([" 203.0.113.009/024 ", "2001:DB8:1::1/48"]),
      ["LoadBalancer: +203.0.113.0/24 -0.0.0.0/32", "LoadBalancer: +2001:db8:1::/48 -::/128"],
    ],
    [
      "everybody in a family that no range is of: the trap of row 45",
      guarded(["203.0.113.0/24"]),
      ["LoadBalancer: +203.0.113.0/24 -0.0.0.0/32", "all"],
    ],
    [
      "nobody there under policy strict",
      guarded(["203.0.113.0/24"], policy("strict")),
      ["LoadBalancer: +203.0.113.0/24 -0.0.0.0/32", "LoadBalancer: -::/128"],
    ],
    ["everybody without ranges under policy strict too", guarded([], policy("strict")), ["all", "all"]],
    [
      "everybody in a family with a /0, whatever stands beside it",
      guarded(["203.0.113.0/24", "0.0.0.0/0", "2001:db8:1::/48"], policy("strict")),
      ["all", "LoadBalancer: +2001:db8:1::/48 -::/128"],
    ],
    [
      "the others' clients when a range cannot be read, and nobody in a family left without",
      guarded(["203.0.113.0/24", "2001:db8::/129"]),
      ["LoadBalancer: +203.0.113.0/24 -0.0.0.0/32", "LoadBalancer: -::/128"],
    ],
    ["nobody when none can be read", guarded(["office"]), ["LoadBalancer: -0.0.0.0/32", "LoadBalancer: -::/128"]],
    [
      "all but the denied ranges",
      guarded(undefined, denied("203.0.113.0/24, 203.0.113.128/25")),
      ["LoadBalancer: +0.0.0.0/0 +0.0.0.0/32 -203.0.113.0/24 -203.0.113.128/25", "all"],
    ],
    [
      "nobody of a denied range, however narrow an allowed one is",
      guarded(["203.0.113.0/24", "198.18.0.5/32"], denied("203.0.113.7/32,198.18.0.0/15")),
      ["LoadBalancer: +203.0.113.0/24 -0.0.0.0/32 -198.18.0.0/15 -203.0.113.7/32", "all"],
    ],
    [
      "nobody of a range that is allowed and denied",
      guarded(["203.0.113.0/24"], denied("203.0.113.0/24")),
      ["LoadBalancer: -0.0.0.0/32 -203.0.113.0/24", "all"],
    ],
    [
      "the same at frontends of other kinds",
      guarded(["203.0.113.0/24", "2001:db8:1::/48"], apply("ExternalIP, NodePort")),
      [
        "LoadBalancer,NodePort,ExternalIP: +203.0.113.0/24 -0.0.0.0/32",
        "LoadBalancer,NodePort,ExternalIP: +2001:db8:1::/48 -::/128",
      ],
    ],
    [
      "the same at all frontends",
      guarded(["203.0.113.0/24"], { ...apply("all"), ...policy("strict") }),
      [
        "LoadBalancer,NodePort,ExternalIP,ClusterIP: +203.0.113.0/24 -0.0.0.0/32",
        "LoadBalancer,NodePort,ExternalIP,ClusterIP: -::/128",
      ],
    ],
  ])("are %s", (_, object, expected) => {
    expect(lines(object)).toEqual(expected);
  });

  test("row 44: a Service without ranges that applies them to all kinds serves everybody", () => {
    expect(lines(guarded(undefined, apply("all")))).toEqual(["all", "all"]);
  });

  test("row 44: with the node in a range its own processes are served, and what comes from the VIP", () => {
    expect(lines(NODE, guarded(["192.0.2.0/24", "2001:db8:2::/64"]))).toEqual([
      "LoadBalancer: +0.0.0.0/32 +192.0.2.0/24 +198.51.100.1/32",
      "LoadBalancer: +2001:db8:2::/64 +2001:db8:51::1/128 +::/128",
    ]);
  });

  test("row 44: the node's external address does not make its processes served", () => {
    expect(lines(NODE, guarded(["203.0.113.0/24"], {}))).toEqual(["LoadBalancer: +203.0.113.0/24 -0.0.0.0/32", "all"]);
  });

  test("row 44: a node in a denied range is not served, nor is a VIP in one", () => {
    const all = ["0.0.0.0/0"];
    expect(lines(NODE, guarded(all, denied("192.0.2.0/25")))[0]).toBe(
      "LoadBalancer: +0.0.0.0/0 -0.0.0.0/32 -192.0.2.0/25",
    );
    expect(lines(NODE, guarded(["192.0.2.0/24"], denied("198.51.100.0/24")))[0]).toBe(
      "LoadBalancer: +0.0.0.0/32 +192.0.2.0/24 -198.51.100.0/24",
    );
  });

  test("row 44: the node's addresses are followed, for Services with ranges alone", () => {
    const compiler = new Compiler("here");
    const other = service({ clusterIP: "10.96.0.11" }, { metadata: { name: "open" } });
    compiler.update(appear(guarded(["192.0.2.0/24"]), other));
    const [before, after] = [node(["InternalIP", "192.0.2.1"]), node(["InternalIP", "192.0.3.1"])];
    const arrived = compiler.update(changes([[undefined, before]])).delta.upsert;
    expect(arrived.map(({ name }) => name)).toEqual(["web"]);
    expect(arrived.map(line)).toEqual(["LoadBalancer: +0.0.0.0/32 +192.0.2.0/24 +198.51.100.1/32"]);
    const moved = compiler.update(changes([[before, after]])).delta.upsert;
    expect(moved.map(line)).toEqual(["LoadBalancer: +192.0.2.0/24 -0.0.0.0/32"]);
  });

  test("row 45: ranges of one family on a dual-stack Service are warned of once, until they are mended", () => {
    const compiler = new Compiler("here");
    const [trap, open] = [guarded(["203.0.113.0/24"]), guarded(["203.0.113.0/24", "2001:db8::/32"])];
    const sentence =
      "Service default/web: spec.loadBalancerSourceRanges has no IPv6 range, so over IPv6 everybody is served: add ranges, or the annotation portolan.dev/source-ranges-policy: strict to serve nobody";
    const told = (...steps: Parameters<typeof changes>) =>
      compiler.update(changes(...steps)).warnings.map(({ message }) => message);
    expect(told([[undefined, trap]])).toEqual([sentence]);
    expect(told([[trap, guarded(["203.0.113.0/25"])]])).toEqual([]);
    expect(told([[guarded(["203.0.113.0/25"]), open]])).toEqual([]);
    expect(told([[open, trap]])).toEqual([sentence]);
    expect(told([[trap, guarded(["203.0.113.0/24"], policy("strict"))]])).toEqual([]);
    expect(told([[undefined, guarded(["203.0.113.0/24"], {}, { clusterIPs: ["10.96.0.10"] })]])).toEqual([]);
  });
});
