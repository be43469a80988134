// SPDX-License-Identifier: Apache-2.0
// The real programs over the explained node's maps, with its settings: for sockets on cgroups, for packets pinned. Any of
// them can be replaced by a build with a fault, and put back.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { mapPin } from "../../../src/datapath/ebpf/pins.ts";
import { bpfObjectPath } from "../../../src/datapath/ebpf/programs.ts";
import { openObject, openPinnedMap } from "../../../src/libbpf/index.ts";
import type { BpfLink, CgroupAttachType, LoadedBpfObject } from "../../../src/libbpf/types.ts";
import type { ExplainedNode } from "./explained-node.ts";

const SOCKET_HOOKS: readonly CgroupAttachType[] = [
  ...(["connect4", "connect6", "sendmsg4", "sendmsg6"] as const),
  ...(["recvmsg4", "recvmsg6", "getpeername4", "getpeername6"] as const),
];

export type RealObject = "cgroup" | "tc";

const PROGRAMS: Readonly<Record<RealObject, readonly string[]>> = {
  cgroup: SOCKET_HOOKS.map((hook) => `pt_${hook}`),
  tc: ["pt_ingress"],
};

export class RealPrograms implements Disposable {
  readonly #node: Pick<ExplainedNode, "pins" | "config">;
  readonly #cgroups: readonly string[];
  /** The last one of each object is in force. */
  readonly #stack: { readonly name: RealObject; readonly object: LoadedBpfObject }[] = [];
  #links: readonly BpfLink[] = [];
  #pins = 0;

  constructor(node: Pick<ExplainedNode, "pins" | "config">, cgroups: readonly string[]) {
    this.#node = node;
    this.#cgroups = cgroups;
    this.use("cgroup");
    this.use("tc");
  }

  /** That which PORTOLAN_BPF_DIR names, or the built one, is in force from now on. */
  use(name: RealObject): void {
    this.#stack.push({ name, object: this.#load(name) });
    this.#enforce(name);
  }

  /** Back to those before. */
  drop(): void {
    const top = this.#stack.pop();
    if (top === undefined) return;
    this.#enforce(top.name);
    top.object[Symbol.dispose]();
  }

  /** Where pt_ingress in force is pinned. */
  get ingressPin(): string {
    return join(this.#node.pins.root, `real-ingress-${this.#pins}`);
  }

  #enforce(name: RealObject): void {
    const object = this.#stack.findLast((loaded) => loaded.name === name)?.object;
    if (name === "tc") {
      this.#pins++;
      object?.program("pt_ingress").pin(this.ingressPin);
      return;
    }
    for (const link of this.#links) {
      link.detach();
      link[Symbol.dispose]();
    }
    this.#links = this.#cgroups.flatMap((cgroup) =>
      object ? SOCKET_HOOKS.map((hook) => object.program(`pt_${hook}`).attachCgroup(cgroup, hook)) : [],
    );
  }

  #load(name: RealObject): LoadedBpfObject {
    const { pins, config } = this.#node;
    using object = openObject(bpfObjectPath(name));
    for (const map of object.mapNames) {
      const pin = mapPin(pins, map);
      if (!existsSync(pin)) continue;
      using pinned = openPinnedMap(pin);
      object.reuseMap(map, pinned);
    }
    for (const program of object.programNames) object.setAutoload(program, PROGRAMS[name].includes(program));
    object.setRodata("host_netns_cookie", new Uint8Array(BigUint64Array.of(config.hostNetnsCookie).buffer));
    object.setRodata("masquerade_all", new Uint8Array(Uint32Array.of(config.masqueradeAll ? 1 : 0).buffer));
    return object.load();
  }

  [Symbol.dispose](): void {
    while (this.#stack.length > 0) this.drop();
  }
}
