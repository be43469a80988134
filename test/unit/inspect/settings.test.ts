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

const MANIFESTS = '{"kind":"manifests","directory":"/etc/portolan"}';
const KUBECONFIG = '{"kind":"kubernetes","kubeconfig":"/etc/kubeconfig","servers":[]}';
const IN_CLUSTER = '{"kind":"kubernetes","servers":["https://192.0.2.1:6443","https://192.0.2.2:6443"]}';

test.each([
  [MANIFESTS, "manifests in /etc/portolan"],
  [KUBECONFIG, "API server by /etc/kubeconfig"],
  [IN_CLUSTER, "API server https://192.0.2.1:6443, https://192.0.2.2:6443 by the pod's service account"],
])("the settings of this very agent are read: source %s", (source, text) => {
  const file = `{"pid":7,"options":{"source":${source},"cgroupRoot":"/sys/fs/cgroup/x","bpffs":"/b"},"lacks":["hostPID"]}`;
  expect(readSettings(recorded(file), 7)).toEqual({ source: text, cgroupRoot: "/sys/fs/cgroup/x", lacks: ["hostPID"] });
  expect(readSettings(recorded(`{"pid":7,"options":{"source":${source}}}`), 7)).toEqual({
    source: text,
    cgroupRoot: null,
    lacks: [],
  });
});

test("another agent's settings, half a file and no file are nothing", () => {
  expect(readSettings(recorded(`{"pid":8,"options":{"source":${MANIFESTS}}}`), 7)).toBeNull();
  expect(readSettings(recorded('{"pid":7,"opt'), 7)).toBeNull();
  expect(readSettings(recorded('{"pid":7}'), 7)).toBeNull();
  expect(readSettings(join(directory, "nowhere"), 7)).toBeNull();
});
