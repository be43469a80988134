// SPDX-License-Identifier: Apache-2.0
// The import arrows of the house: which room of src may see which. docs/architecture.md draws them.
import { posix } from "node:path";
import { describe, expect, test } from "vitest";
import { type SourceFile, sourceFiles } from "./source-files.ts";

const agentSide = [
  "model",
  "source",
  "compile",
  "datapath",
  "libbpf",
  "health",
  "metrics",
  "agent",
  "inspect",
  "sysdump",
];
const mayImport: Readonly<Record<string, readonly string[]>> = {
  model: [],
  libbpf: [],
  source: ["model"],
  compile: ["model"],
  health: ["model"],
  metrics: ["datapath", "compile", "model"],
  datapath: ["compile", "model", "libbpf"],
  inspect: ["datapath", "compile", "model", "libbpf"],
  sysdump: ["inspect", "datapath", "libbpf"],
  agent: ["model", "source", "compile", "datapath", "libbpf", "health", "metrics", "inspect"],
  bench: [...agentSide, "demo"],
  demo: agentSide,
  cli: [...agentSide, "bench", "demo"],
};

/** `from "x"`, `import "x"` and `import("x")`; relative ones only. */
function relativeImports(file: SourceFile): readonly string[] {
  const statements = file.text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)["'](\.{1,2}\/[^"']+)["']/g);
  return [...statements].map((match) => posix.join(posix.dirname(file.path), match[1] ?? ""));
}

/** One line for each import that goes against the arrows. */
function violations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    const room = file.path.split("/")[1] ?? "";
    const allowed = mayImport[room];
    if (allowed === undefined) return [`${file.path}: src/${room} is no room of the house`];
    return relativeImports(file)
      .filter((target) => target !== "package.json")
      .filter((target) => {
        const [top, targetRoom = ""] = target.split("/");
        return top !== "src" || (targetRoom !== room && !allowed.includes(targetRoom));
      })
      .map((target) => `${file.path}: ${room} must not import ${target}`);
  });
}

describe("the import arrows", () => {
  test("no room of src imports against them", () => {
    const files = sourceFiles(["src"], /\.(ts|mjs)$/);
    expect(files.length).toBeGreaterThan(20);
    expect(violations(files)).toEqual([]);
  });

  test.each([
    ["model importing another room", "src/model/a.ts", 'import { b } from "../compile/b.ts";'],
    ["compile importing the kernel's side", "src/compile/a.ts", 'import type { B } from "../datapath/b.ts";'],
    ["a room importing the agent", "src/inspect/a.ts", 'export { b } from "../agent/b.ts";'],
    ["the agent importing the demo, lazily", "src/agent/a.ts", 'const b = await import("../demo/b.ts");'],
    ["an import for its side effect", "src/libbpf/a.ts", 'import "../model/b.ts";'],
    ["a statement over several lines", "src/source/a.ts", 'import {\n  b,\n} from "../compile/b.ts";'],
    ["src importing a test", "src/cli/a.ts", 'import { b } from "../../test/support/b.ts";'],
    ["an unknown room", "src/utils/a.ts", ""],
  ])("%s is found", (_what, path, text) => {
    expect(violations([{ path, text }])).toHaveLength(1);
  });

  test("imports along the arrows and of packages are not found", () => {
    const text = 'import { a } from "../../model/a.ts";\nimport { b } from "./b.ts";\nimport yaml from "yaml";';
    expect(violations([{ path: "src/datapath/ebpf/c.ts", text }])).toEqual([]);
  });
});
