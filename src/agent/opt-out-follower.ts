// SPDX-License-Identifier: Apache-2.0
// Pods whose sockets are not to be balanced (annotation portolan.dev/socket-balancing: "false", their own or their
// Namespace's) → their cgroups or network namespaces → the map that the socket hooks ask.

import type { OptedOutTable } from "../datapath/ebpf/opted-out.ts";
import type { Change, ModelChanges } from "../model/changes.ts";
import type { Namespace, Pod } from "../model/pod.ts";
import type { Log } from "./log.ts";
import { PodCgroups } from "./pod-cgroups.ts";
import type { PodIdentity } from "./pod-identity.ts";
import { Retry } from "./retry.ts";

/** Processes of version 1 hierarchies come without a sign: so often opted-out pods that are told by them are looked at. */
const LOOK_MS = 500;

export interface OptOutOptions {
  readonly nodeName: string;
  /** Where pods' cgroups are, of either version. */
  readonly podCgroups: readonly string[];
  readonly identify: (directories: readonly string[]) => PodIdentity;
  readonly table: Pick<OptedOutTable, "pods" | "set">;
  readonly log: Log;
}

export class OptOutFollower implements Disposable {
  readonly #options: OptOutOptions;
  /** What Namespaces say that say something. */
  readonly #namespaces = new Map<string, boolean>();
  /** This node's, by `namespace/name`. */
  readonly #pods = new Map<string, Pod>();
  /** Those that are opted out, by uid. */
  readonly #optedOut = new Map<string, Pod>();
  /** Of those, uids that are told by their processes. */
  readonly #byProcesses = new Set<string>();
  /** What was logged last of a pod. */
  readonly #told = new Map<string, string>();
  #cgroups: PodCgroups | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #retry: Retry;
  #synced = false;

  constructor(options: OptOutOptions) {
    this.#options = options;
    const message = "a pod's sockets could not be opted out of balancing, or into it, it is tried again";
    this.#retry = new Retry(options.log, message);
  }

  update({ synced, pods, namespaces }: Pick<ModelChanges, "synced" | "pods" | "namespaces">): void {
    const complete = synced && !this.#synced;
    this.#synced ||= synced;
    const affected = new Set<string>();
    for (const change of pods) for (const name of this.#notePod(change)) affected.add(name);
    for (const change of namespaces) {
      if (!this.#noteNamespace(change)) continue;
      const { name } = change.current ?? change.previous ?? { name: "" };
      for (const [key, pod] of this.#pods) if (pod.namespace === name) affected.add(key);
    }
    for (const name of affected) this.#settle(name);
    if (complete) this.#forgetOthers();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#cgroups?.[Symbol.dispose]();
    this.#retry[Symbol.dispose]();
  }

  /** Returns the name if it may matter. */
  #notePod({ previous, current }: Change<Pod>): readonly string[] {
    const name = nameOf(current ?? previous);
    if (previous && previous.uid !== current?.uid) this.#forget(previous.uid);
    if (current && current.nodeName === this.#options.nodeName) this.#pods.set(name, current);
    else if (!this.#pods.delete(name)) return [];
    return [name];
  }

  /** Whether it says another thing than before. */
  #noteNamespace({ previous, current }: Change<Namespace>): boolean {
    if (current?.socketBalancing !== undefined) this.#namespaces.set(current.name, current.socketBalancing);
    else if (previous) this.#namespaces.delete(previous.name);
    return previous?.socketBalancing !== current?.socketBalancing;
  }

  #settle(name: string): void {
    this.#retry.attempt(name, () => this.#decide(name));
  }

  #decide(name: string): void {
    const pod = this.#pods.get(name);
    const asked = pod && !(pod.socketBalancing ?? this.#namespaces.get(pod.namespace) ?? true);
    if (asked && pod.hostNetwork) {
      this.#tell(name, "uses the host's network, where only sockets are served: they stay balanced");
    } else if (asked && pod.uid !== "") {
      this.#optedOut.set(pod.uid, pod);
      this.#place(pod);
    } else {
      if (pod) this.#forget(pod.uid);
      // Until all is known, what an earlier agent left may be asked for by somebody not read yet.
      if (this.#synced) this.#optIn(name);
    }
  }

  #optIn(name: string): void {
    const [namespace = "", podName = ""] = name.split("/");
    this.#options.table.set({ namespace, name: podName, addresses: [] }, []);
    if (this.#told.delete(name)) this.#options.log.info(`Pod ${name}: its sockets are balanced again`);
  }

  #forget(uid: string): void {
    this.#optedOut.delete(uid);
    this.#byProcesses.delete(uid);
  }

  /** Brings the map up to date with where the pod's processes are. */
  #place(pod: Pod): void {
    this.#cgroups ??= new PodCgroups(this.#options.podCgroups, {
      onChange: (uid) => this.#placeAgain(uid),
      onError: (directory, error) => this.#options.log.error({ err: error, directory }, "pods cannot be followed"),
    });
    const directories = this.#cgroups.directories(pod.uid);
    const { keys, byProcesses, problem } = this.#options.identify(directories);
    if (byProcesses) this.#byProcesses.add(pod.uid);
    else this.#byProcesses.delete(pod.uid);
    this.#lookAgain();
    this.#options.table.set(pod, keys);
    if (problem !== undefined) this.#tell(nameOf(pod), `stays balanced: ${problem}`);
    else if (keys.length === 0) this.#options.log.debug(`Pod ${nameOf(pod)}: no process of it is here yet`);
    else this.#noteOptedOut(nameOf(pod), keys[0]?.level === 0 ? "network namespace" : "cgroup");
  }

  #placeAgain(uid: string): void {
    const pod = this.#optedOut.get(uid);
    if (pod) this.#settle(nameOf(pod));
  }

  #lookAgain(): void {
    if (this.#byProcesses.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else {
      this.#timer ??= setInterval(() => {
        for (const uid of [...this.#byProcesses]) this.#placeAgain(uid);
      }, LOOK_MS);
    }
  }

  /** What an earlier agent left and nobody asks for any more. */
  #forgetOthers(): void {
    const wanted = new Set([...this.#optedOut.values()].map(nameOf));
    for (const name of this.#options.table.pods) {
      if (!wanted.has(name)) this.#retry.attempt(name, () => this.#optIn(name));
    }
  }

  #noteOptedOut(name: string, by: string): void {
    if (this.#told.get(name) === by) return;
    this.#told.set(name, by);
    this.#options.log.info(`Pod ${name}: its sockets are left to the wire, told by its ${by}`);
  }

  #tell(name: string, message: string): void {
    if (this.#told.get(name) === message) return;
    this.#told.set(name, message);
    this.#options.log.warn(`Pod ${name} ${message}`);
  }
}

function nameOf(pod: Pick<Pod, "namespace" | "name"> | undefined): string {
  return pod ? `${pod.namespace}/${pod.name}` : "";
}
