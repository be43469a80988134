// SPDX-License-Identifier: Apache-2.0
// What every source file must have: its license line, and a length that can be read in one sitting.
import { expect, test } from "vitest";
import { type SourceFile, sourceFiles } from "./source-files.ts";

const LINES_AT_MOST = 350;
const kernelLicense = "SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause";
const license = "SPDX-License-Identifier: Apache-2.0";

const kernelFiles = [...sourceFiles(["bpf"], /\.(c|h|sh)$/), ...sourceFiles(["test"], /\.bpf\.c$/)];
const otherFiles = [
  ...sourceFiles(["src", "test", "native", "deploy"], /\.(ts|mjs|js|(?<!bpf\.)c|cc|h|sh)$/),
  ...sourceFiles([".ci"], /^run$/),
];

/** First line, or second after a shebang. */
function hasLicense(file: SourceFile, wanted: string): boolean {
  const [first = "", second = ""] = file.text.split("\n");
  const line = first.startsWith("#!") ? second : first;
  return line.replace(/^(\/\/|\/\*|#) /, "").replace(/ \*\/$/, "") === wanted;
}

test("every source file begins with its SPDX line", () => {
  expect(otherFiles.filter((file) => !hasLicense(file, license)).map((file) => file.path)).toEqual([]);
  expect(kernelFiles.filter((file) => !hasLicense(file, kernelLicense)).map((file) => file.path)).toEqual([]);
});

test("a file without its SPDX line, or with another room's, is found", () => {
  expect(hasLicense({ path: "a.ts", text: "export const a = 1;\n" }, license)).toBe(false);
  expect(hasLicense({ path: "a.c", text: `// ${license}\n` }, kernelLicense)).toBe(false);
  expect(hasLicense({ path: "a.sh", text: `#!/bin/sh\n# ${license}\n` }, license)).toBe(true);
});

test("the BPF objects declare the license that their SPDX lines give", () => {
  const declared = kernelFiles.filter((file) => file.path.endsWith(".bpf.c") && /SEC\("[^.]/.test(file.text));
  const wrong = declared.filter((file) => !file.text.includes('SEC("license") = "Dual BSD/GPL"'));
  expect(wrong.map((file) => file.path)).toEqual([]);
});

test(`no source file is longer than ${LINES_AT_MOST} lines`, () => {
  const exempt = (path: string) => path.endsWith(".gen.ts");
  const written = [...kernelFiles, ...otherFiles].filter((file) => !exempt(file.path));
  const long = written.map((file) => ({ path: file.path, lines: file.text.trimEnd().split("\n").length }));
  expect(long.filter((file) => file.lines > LINES_AT_MOST)).toEqual([]);
});
