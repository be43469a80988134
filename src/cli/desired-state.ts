// SPDX-License-Identifier: Apache-2.0
// What an agent of this node would have in the kernel now, worked out anew from its source by the rooms that the agent
// uses, without asking the agent.

import { hostname } from "node:os";
import { resolve } from "node:path";
import { readConfig } from "../agent/config/config-file.ts";
import { readText } from "../agent/config/document.ts";
import { UsageError } from "../agent/errors.ts";
import { globalAddresses, localAddresses } from "../agent/node-addresses.ts";
import { type SourceFlags, type SourceOptions, sourceOptions } from "../agent/source-options.ts";
import { Compiler } from "../compile/compiler.ts";
import type { CompiledService } from "../compile/state.ts";
import { readServedOptions, type ServedOptions } from "../inspect/settings.ts";
import { netnsCookie, openNetlink } from "../libbpf/index.ts";
import type { ModelChanges } from "../model/changes.ts";
import type { Ip } from "../model/ip.ts";
import { namesSource, readModel } from "./cluster-services.ts";

export interface DesiredFlags extends SourceFlags {
  readonly config?: string;
  readonly nodeName?: string;
  readonly stateDir: string;
}

/** What decides what the node is to serve. */
export interface Desired {
  readonly source: SourceOptions;
  readonly nodeName: string;
}

/**
 * By the flags, else by their --config, else as the agent was started that left its record in --state-dir. agentNode: the
 * node's name in the maps, "" unknown. Throws UsageError where all of them name no source.
 */
export function desiredBy(flags: DesiredFlags, agentNode: string): Desired {
  const file = flags.config === undefined ? {} : readFlags(resolve(flags.config));
  const told = namesSource(flags) ? flags : file;
  const record = readServedOptions(flags.stateDir);
  const named = flags.nodeName ?? file.nodeName ?? (agentNode || record?.nodeName) ?? hostname();
  const nodeName = named.toLowerCase(); // as the agent has it
  if (namesSource(told)) return { source: sourceOptions(told), nodeName };
  if (record) return { source: sourceOf(record), nodeName };
  throw new UsageError(
    `no agent left a record of its source in --state-dir ${flags.stateDir}: give one of --kubeconfig FILE, --in-cluster, --manifests DIR and --config FILE`,
  );
}

/** What the node's datapath knows of where it is. */
export interface KnownNode {
  /** Of its network namespace. */
  readonly netnsCookie: bigint | undefined;
  /** Addresses of its interfaces, as they were last told. */
  addresses(): readonly Ip[];
}

/** Everything that is to be served, each service port once. What a Service asks for in vain is said on stderr. */
export async function readDesired({ source, nodeName }: Desired, node: KnownNode): Promise<Compiled> {
  return compileAll(await readModel(source, nodeName), nodeName, globalAddresses(nodeAddresses(node)));
}

type Compiled = ReturnType<typeof compileAll>;

/** local: addresses on interfaces of the node. */
export function compileAll(
  changes: ModelChanges,
  nodeName: string,
  local: ReadonlySet<Ip>,
): { readonly services: readonly CompiledService[]; readonly warnings: readonly string[] } {
  const compiler = new Compiler(nodeName);
  compiler.setLocalAddresses(local);
  const { delta, warnings } = compiler.update(changes);
  return { services: delta.upsert, warnings: warnings.map(({ message }) => message) };
}

/** As its interfaces have them; from another network namespace as the agent last wrote them. */
function nodeAddresses(node: KnownNode): ReadonlySet<Ip> {
  if (node.netnsCookie !== netnsCookie()) return new Set(node.addresses());
  using netlink = openNetlink();
  return localAddresses({ links: netlink.links(), addresses: netlink.addresses() });
}

function readFlags(path: string): SourceFlags & Pick<DesiredFlags, "nodeName"> {
  return readConfig(path, readText(path)).flags;
}

function sourceOf({ source }: ServedOptions): SourceOptions {
  if (source.kind === "manifests") return source;
  return { kind: "kubernetes", kubeconfig: source.kubeconfig, servers: source.servers };
}
