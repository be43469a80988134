// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readSettings } from "../../../src/inspect/settings.ts";

const directory = mkdtempSync(join(tmpdir(), "pt-settings-"));
afterAll(() => rmSync(directory, { recursive: true }));

function recorded(text: string): string {
  writeFileSync(join(directory, "agent.json"), text);
  return directory;
}

test("the settings of this very agent are read", () => {
  const file = '{"pid":7,"options":{"manifests":"/etc/portolan","cgroupRoot":"/sys/fs/cgroup/x","bpffs":"/b"}}';
  expect(readSettings(recorded(file), 7)).toEqual({ manifests: "/etc/portolan", cgroupRoot: "/sys/fs/cgroup/x" });
  expect(readSettings(recorded('{"pid":7,"options":{"manifests":"/m"}}'), 7)).toEqual({
    manifests: "/m",
    cgroupRoot: null,
  });
});

test("another agent's settings, half a file and no file are nothing", () => {
  expect(readSettings(recorded('{"pid":8,"options":{"manifests":"/m"}}'), 7)).toBeNull();
  expect(readSettings(recorded('{"pid":7,"opt'), 7)).toBeNull();
  expect(readSettings(recorded('{"pid":7}'), 7)).toBeNull();
  expect(readSettings(join(directory, "nowhere"), 7)).toBeNull();
});
