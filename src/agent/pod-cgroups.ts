// SPDX-License-Identifier: Apache-2.0
// Where kubelet keeps the pods' cgroups, followed as they come and go: below each root the layouts of both its drivers,
//   kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1234_5678.slice   (systemd)
//   kubepods/burstable/pod1234-5678                                                  (cgroupfs)
// without the middle directory for pods of class Guaranteed. The work is proportional to what comes and goes.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DirectoryWatch } from "../source/directory-watch.ts";

/** What a directory may hold: that of all pods; those of the classes, and pods; pods. */
type Place = "root" | "kubepods" | "class";

const KUBEPODS = /^(?:.+-)?kubepods(?:\.slice)?$/;
const CLASS = /^(?:.+-)?(?:burstable|besteffort)(?:\.slice)?$/;
const POD = /^(?:.+-)?pod([0-9a-f][0-9a-f_-]*)(?:\.slice)?$/i;

export type CgroupName = { readonly place: Place } | { readonly uid: string } | undefined;

/** What an entry of such a directory is; the uid as the Pod has it. undefined: nothing of kubelet's. */
export function cgroupName(place: Place, name: string): CgroupName {
  if (place === "root") return KUBEPODS.test(name) ? { place: "kubepods" } : undefined;
  if (place === "kubepods" && CLASS.test(name)) return { place: "class" };
  const uid = POD.exec(name)?.[1];
  return uid === undefined ? undefined : { uid: uid.replaceAll("_", "-").toLowerCase() };
}

export interface PodCgroupEvents {
  /** A directory of this pod has come or gone. */
  onChange(uid: string): void;
  onError(directory: string, error: NodeJS.ErrnoException): void;
}

export class PodCgroups implements Disposable {
  readonly #events: PodCgroupEvents;
  readonly #watches = new Map<string, DirectoryWatch>();
  /** uid → its directories, at most one a root. */
  readonly #pods = new Map<string, Set<string>>();

  /** What is there already is known when this returns, and no event. */
  constructor(roots: readonly string[], events: PodCgroupEvents) {
    this.#events = { ...events, onChange: () => {} };
    for (const root of roots) this.#follow(root, "root");
    this.#events = events;
  }

  directories(uid: string): readonly string[] {
    return [...(this.#pods.get(uid) ?? [])];
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches.values()) watch[Symbol.dispose]();
    this.#watches.clear();
  }

  #follow(directory: string, place: Place): void {
    if (this.#watches.has(directory)) return;
    const watch = new DirectoryWatch(directory, {
      onSign: (name) => (name === undefined ? this.#list(directory, place) : this.#look(directory, place, name)),
      onTrouble: (error) => {
        if (error && error.code !== "ENOENT") this.#events.onError(directory, error);
      },
    });
    this.#watches.set(directory, watch);
    void watch.look(); // and lists again once it watches: what comes meanwhile is seen
    this.#list(directory, place);
  }

  #list(directory: string, place: Place): void {
    const names = new Set(entriesOf(directory));
    const known = [...this.#watches.keys(), ...[...this.#pods.values()].flatMap((paths) => [...paths])];
    for (const path of known) {
      const name = path.slice(directory.length + 1);
      if (path === join(directory, name) && !name.includes("/")) names.add(name);
    }
    for (const name of names) if (name !== "") this.#look(directory, place, name);
  }

  /** This entry may have come or gone. */
  #look(directory: string, place: Place, name: string): void {
    const found = cgroupName(place, name);
    if (!found) return;
    const path = join(directory, name);
    const there = isDirectory(path);
    if ("uid" in found) this.#note(found.uid, path, there);
    else if (there) this.#follow(path, found.place);
    else this.#leave(path);
  }

  #note(uid: string, path: string, there: boolean): void {
    const paths = this.#pods.get(uid) ?? new Set<string>();
    if (paths.has(path) === there) return;
    if (there) paths.add(path);
    else paths.delete(path);
    if (paths.size > 0) this.#pods.set(uid, paths);
    else this.#pods.delete(uid);
    this.#events.onChange(uid);
  }

  /** A directory that is gone took with it what was below. */
  #leave(directory: string): void {
    for (const [path, watch] of [...this.#watches]) {
      if (path !== directory && !path.startsWith(`${directory}/`)) continue;
      watch[Symbol.dispose]();
      this.#watches.delete(path);
    }
    for (const [uid, paths] of [...this.#pods]) {
      for (const path of [...paths]) if (path.startsWith(`${directory}/`)) this.#note(uid, path, false);
    }
  }
}

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENODEV") return []; // it has just gone
    throw error;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
