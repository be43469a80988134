// SPDX-License-Identifier: Apache-2.0
// Paths that a document names in code quotes.

export const FOLDERS: readonly string[] = ["src", "test", "bpf", "native", "docs", "examples", "deploy"];

/** Words in code quotes that begin with one of our folders. */
export function namedPaths(text: string): readonly string[] {
  const quoted = [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? "");
  return quoted.filter((word) => /^[\w./*-]+$/.test(word) && FOLDERS.some((folder) => word.startsWith(`${folder}/`)));
}
