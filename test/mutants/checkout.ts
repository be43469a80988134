// SPDX-License-Identifier: Apache-2.0
// A copy of this checkout with a fault planted: its own source and tests, the packages and what is built by links.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Mutation } from "../support/mutant.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** file: relative to the checkout. Gone when disposed. Throws when the text to change is not there any more. */
export function changedCheckout({ file, from, to }: Mutation): Disposable & { readonly root: string } {
  const root = mkdtempSync("/tmp/pt-mutant-");
  for (const name of ["src", "test", "bpf", "package.json", "vitest.config.ts"]) {
    cpSync(`${ROOT}/${name}`, `${root}/${name}`, { recursive: true });
  }
  for (const name of ["node_modules", "build", "dist"]) symlinkSync(`${ROOT}/${name}`, `${root}/${name}`);
  const text = readFileSync(`${root}/${file}`, "utf8");
  if (!text.includes(from)) throw new Error(`${file} has no ${JSON.stringify(from)} any more: name what it has`);
  writeFileSync(
    `${root}/${file}`,
    text.replace(from, () => to),
  );
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true }) };
}
