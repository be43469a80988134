// SPDX-License-Identifier: Apache-2.0
// package-lock.json is whole: `npm ci` in a clean clone refuses one that lacks a package, even for another platform.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { root } from "./source-files.ts";

interface LockedPackage {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const { packages } = JSON.parse(readFileSync(`${root}package-lock.json`, "utf8")) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};

/** The package that `name` means to the one at `from`: Node.js looks in the nearest node_modules first. */
function resolve(from: string, name: string): LockedPackage | undefined {
  const found = packages[`${from === "" ? "" : `${from}/`}node_modules/${name}`];
  if (found !== undefined || from === "") return found;
  return resolve(from.slice(0, Math.max(0, from.lastIndexOf("/node_modules/"))), name);
}

test("the lock file holds every package that another one needs, in the exact version where one is named", () => {
  const missing = Object.entries(packages).flatMap(([from, { dependencies, optionalDependencies }]) =>
    Object.entries({ ...dependencies, ...optionalDependencies })
      .filter(([name, wanted]) => {
        const version = resolve(from, name)?.version;
        return version === undefined || (/^\d+\.\d+\.\d+$/.test(wanted) && version !== wanted);
      })
      .map(([name, wanted]) => `${from} needs ${name} ${wanted}`),
  );
  expect(missing).toEqual([]);
});
