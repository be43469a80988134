// SPDX-License-Identifier: Apache-2.0
// A directory of manifests of its own, and what a source tells of the Services in it.
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, vi } from "vitest";
import type { ModelChanges } from "../../src/model/changes.ts";
import type { Source } from "../../src/source/source.ts";

/** A Service default/NAME with one port. */
export function service(name: string, port: number): string {
  const spec = `spec: {clusterIP: 10.96.0.10, ports: [{port: ${port}}]}`;
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\n${spec}\n`;
}

export class WatchedManifests implements AsyncDisposable {
  readonly directory: string;
  /** Name and port of each Service that is there. */
  readonly services: Map<string, number> = new Map();
  /** Every Service that ever went, in order. */
  readonly removed: string[] = [];
  readonly told: ModelChanges[] = [];
  /** Errors and warnings, without the directory's path. */
  readonly problems: string[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async make(): Promise<WatchedManifests> {
    const directory = join(await mkdtemp(join(tmpdir(), "pt-manifests-")), "services");
    await mkdir(directory);
    return new WatchedManifests(directory);
  }

  begin(source: Source): void {
    source.begin(({ severity, place, message }) => {
      if (severity === "debug") return;
      this.problems.push(`${severity} ${place}: ${message}`.replaceAll(`${this.directory}/`, ""));
    });
  }

  follow(source: Source): Promise<void> {
    this.begin(source);
    return this.start(source);
  }

  /** After begin(). */
  start(source: Source): Promise<void> {
    return source.start((changes) => {
      this.told.push(changes);
      for (const { previous, current } of changes.services) {
        if (current) this.services.set(current.name, current.ports[0]?.port ?? 0);
        else if (previous && this.services.delete(previous.name)) this.removed.push(previous.name);
      }
    }, false);
  }

  write(name: string, text: string): Promise<void> {
    return writeFile(join(this.directory, name), text);
  }

  move(from: string, to: string): Promise<void> {
    return rename(join(this.directory, from), join(this.directory, to));
  }

  served(expected: Readonly<Record<string, number>>): Promise<void> {
    return eventually(() => expect(Object.fromEntries(this.services)).toEqual(expected));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(join(this.directory, ".."), { recursive: true, force: true });
  }
}

/** Until check throws no more. */
export function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 20_000, interval: 5 });
}
