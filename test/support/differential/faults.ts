// SPDX-License-Identifier: Apache-2.0
// Faults to plant: in the state between manifests and maps, and in the C programs. Each is one that a hand could make.

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { EndpointManifest, World } from "../model/world.ts";
import type { Fault } from "./explained-node.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

function withEndpoints(world: World, change: (endpoint: EndpointManifest) => EndpointManifest): World {
  return { ...world, slices: world.slices.map((slice) => ({ ...slice, endpoints: slice.endpoints.map(change) })) };
}

export const STATE_FAULTS: Readonly<Record<string, Fault>> = {
  "row 16: the last endpoint of the Cluster set is missing": {
    service: (service) => ({ ...service, cluster: service.cluster.slice(0, -1) }),
  },
  "row 15: policy Local gets the Cluster set": {
    service: (service) => ({ ...service, local: service.cluster }),
  },
  "row 21: hints narrow the Local set": {
    service: (service) => ({ ...service, local: service.local.filter((member) => service.cluster.includes(member)) }),
  },
  "row 20: hints are not looked at": {
    world: (world) => withEndpoints(world, (endpoint) => ({ ...endpoint, hints: null })),
  },
  "row 17: an endpoint that terminates is used beside ready ones": {
    world: (world) =>
      withEndpoints(world, (endpoint) => {
        const { serving, terminating } = endpoint.conditions ?? {};
        return serving && terminating ? { ...endpoint, conditions: { ready: true, serving, terminating } } : endpoint;
      }),
  },
  "row 19: silence where nobody has an endpoint": {
    service: (service) => ({ ...service, hasAnyEndpoints: true }),
  },
  "row 34: the external policy is forgotten": {
    service: (service) => ({ ...service, externalLocal: false }),
  },
  "row 15: the external policy binds the cluster IP": {
    service: (service) => ({ ...service, internalLocal: service.externalLocal }),
  },
  "row 36: external addresses are taken for cluster IPs": {
    service: (service) => ({
      ...service,
      frontends: service.frontends.map((frontend) => ({ ...frontend, kind: "ClusterIP" as const })),
    }),
  },
  "row 9: the second address of an endpoint counts": {
    world: (world) =>
      withEndpoints(world, (endpoint) => ({ ...endpoint, addresses: [endpoint.addresses.at(-1) ?? ""] })),
  },
};

/** What stands in a file of bpf/, and what to write instead. */
export interface Mutation {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const PROGRAM_FAULTS: Readonly<Record<string, Mutation>> = {
  "row 24: the last endpoint of a set is never chosen": {
    file: "select.bpf.h",
    from: "bpf_get_prandom_u32() * set->count",
    to: "bpf_get_prandom_u32() * (set->count > 1 ? set->count - 1 : 1)",
  },
  "row 27: NodePorts answer on addresses that are excluded": {
    file: "select.bpf.h",
    from: "!(node->flags & NODE_ADDR_NODEPORT)",
    to: "!node",
  },
  "row 29: loopback NodePorts answer pods": {
    file: "select.bpf.h",
    from: "(node->flags & NODE_ADDR_LOOPBACK) && !own_process",
    to: "false",
  },
  "row 34: policy Local binds the node's own pods": {
    file: "select.bpf.h",
    from: "(block->header.flags & BLOCK_EXTERNAL_LOCAL) && who == CLIENT_OUTSIDE",
    to: "(block->header.flags & BLOCK_EXTERNAL_LOCAL)",
  },
  "row 37: clients from outside are not masqueraded at the cluster IP": {
    file: "select.bpf.h",
    from: "return who != CLIENT_POD;",
    to: "return who == CLIENT_HOST;",
  },
  "row 39: a pod that reaches itself is not masqueraded": {
    file: "begin.bpf.h",
    from: "chosen.masquerade || addr_equal(&w->flow.client, &w->flow.backend)",
    to: "chosen.masquerade",
  },
};

const FLAGS = ["-g", "-O2", "-target", "bpf", "-mcpu=v3"];

/** Builds tc and explain from a changed copy of bpf/, beside the other objects. Their directory is gone when disposed. */
export function buildMutant({ file, from, to }: Mutation): Disposable & { readonly directory: string } {
  const directory = mkdtempSync("/tmp/pt-mutant-");
  const sources = `${directory}/bpf`;
  cpSync(`${ROOT}/bpf`, sources, { recursive: true });
  const text = readFileSync(`${sources}/${file}`, "utf8");
  if (!text.includes(from)) throw new Error(`bpf/${file} has no ${JSON.stringify(from)} any more: name what it has`);
  writeFileSync(`${sources}/${file}`, text.replace(from, to));
  cpSync(`${ROOT}/build/bpf`, `${directory}/objects`, { recursive: true });
  const machine = execFileSync("uname", ["-m"], { encoding: "utf8" }).trim();
  const includes = [`-D__TARGET_ARCH_${machine === "aarch64" ? "arm64" : "x86"}`, "-idirafter"];
  for (const name of ["tc", "explain"]) {
    const output = `${directory}/objects/${name}.bpf.o`;
    const command = [...FLAGS, ...includes, `/usr/include/${machine}-linux-gnu`, "-c", `${sources}/${name}.bpf.c`];
    execFileSync(process.env.CLANG ?? "clang-19", [...command, "-o", output], { stdio: "pipe" });
  }
  return { directory: `${directory}/objects`, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}
