// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import { createWriteStream, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { Writable } from "node:stream";
import { afterAll, expect, test } from "vitest";
import { writeArchive } from "../../../src/sysdump/archive.ts";
import { type Part, PartialError } from "../../../src/sysdump/part.ts";

const scratch = mkdtempSync(join(tmpdir(), "pt-archive-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const PARTS: readonly Part[] = [
  { file: "a/whole.txt", what: "w", read: () => "token=hunter2 é\n" },
  {
    file: "half.txt",
    what: "h",
    read: () => Promise.reject(new PartialError("https://u:hunter2@h broke", "password: hunter2")),
  },
  {
    file: "none.txt",
    what: "n",
    read: () => {
      throw new Error("ENOENT");
    },
  },
];

const INDEX = [
  { file: "a/whole.txt", what: "w", bytes: 20, error: null },
  { file: "half.txt", what: "h", bytes: 20, error: "https://CLASSIFIED@h broke" },
  { file: "none.txt", what: "n", bytes: 0, error: "ENOENT" },
];

test("what cannot be had says why in its place, and all is clean of secrets; tar(1) reads it", async () => {
  const out = createWriteStream(join(scratch, "dump.tar.gz"));
  expect(await writeArchive(PARTS, "dump", out)).toEqual(INDEX);
  const tar = (...args: readonly string[]) => execFileSync("tar", args, { cwd: scratch, encoding: "utf8" });
  expect(tar("-tvzf", "dump.tar.gz").split("\n")[0]).toMatch(/^-rw------- 0\/0 +20 20\d\d-.* dump\/a\/whole.txt$/);
  tar("-xzf", "dump.tar.gz");
  const found = readdirSync(join(scratch, "dump"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  expect(Object.fromEntries(found.map((path) => [relative(scratch, path), readFileSync(path, "utf8")]))).toEqual({
    "dump/a/whole.txt": "token=CLASSIFIED é\n",
    "dump/half.txt": "password: CLASSIFIED",
    "dump/half.txt.error": "https://CLASSIFIED@h broke\n",
    "dump/none.txt.error": "ENOENT\n",
    "dump/index.json": `${JSON.stringify(INDEX, undefined, 2)}\n`,
  });
});

test("a name that tar has no room for is named", async () => {
  const out = new Writable({ write: (_chunk, _encoding, done) => done() });
  await expect(writeArchive(PARTS, "d".repeat(90), out)).rejects.toThrow("a/whole.txt: too long a name");
});

test("a disk that is full ends it", async () => {
  const out = new Writable({ write: (_chunk, _encoding, done) => done(new Error("ENOSPC")) });
  const big: Part = {
    file: "big",
    what: "",
    read: () =>
      Math.random()
        .toString(36)
        .repeat(1 << 18),
  };
  await expect(writeArchive([big, big, big], "dump", out)).rejects.toThrow("ENOSPC");
});
