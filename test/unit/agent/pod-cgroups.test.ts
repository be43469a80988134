// SPDX-License-Identifier: Apache-2.0
// Where kubelet keeps pods' cgroups: the names of both its drivers, and directories that come and go.

import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cgroupName, PodCgroups } from "../../../src/agent/pod-cgroups.ts";
import { until } from "../../support/until.ts";

const UID = "12345678-9abc-4def-8123-456789abcdef";
const SYSTEMD = "12345678_9abc_4def_8123_456789abcdef";

test.each([
  ["root", "kubepods.slice", { place: "kubepods" }],
  ["root", "kubepods", { place: "kubepods" }],
  ["root", "kubelet-kubepods.slice", { place: "kubepods" }],
  ["root", "system.slice", undefined],
  ["root", `pod${UID}`, undefined],
  ["kubepods", "burstable", { place: "class" }],
  ["kubepods", "besteffort", { place: "class" }],
  ["kubepods", "kubepods-burstable.slice", { place: "class" }],
  ["kubepods", "kubelet-kubepods-besteffort.slice", { place: "class" }],
  ["kubepods", `kubepods-pod${SYSTEMD}.slice`, { uid: UID }],
  ["kubepods", `pod${UID}`, { uid: UID }],
  ["kubepods", "cgroup.procs", undefined],
  ["class", `kubepods-burstable-pod${SYSTEMD}.slice`, { uid: UID }],
  ["class", `kubelet-kubepods-besteffort-pod${SYSTEMD}.slice`, { uid: UID }],
  ["class", `pod${UID.toUpperCase()}`, { uid: UID }],
  ["class", "pod05ee5f4f7a1a1a9b9b2b2c3c4d4d5e5e", { uid: "05ee5f4f7a1a1a9b9b2b2c3c4d4d5e5e" }],
  ["class", "burstable", undefined],
] as const)("in the place %s, %s", (place, name, expected) => {
  expect(cgroupName(place, name)).toEqual(expected);
});

let root: string;
let changed: string[];
let cgroups: PodCgroups | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "pt-cgroups-"));
  changed = [];
});

afterEach(() => {
  cgroups?.[Symbol.dispose]();
  rmSync(root, { recursive: true });
});

function follow(): PodCgroups {
  const onError = (_: string, error: Error) => {
    throw error;
  };
  cgroups = new PodCgroups([root], { onChange: (uid) => changed.push(uid), onError });
  return cgroups;
}

test("what is there at the start is known at once", () => {
  mkdirSync(join(root, "kubepods/burstable", `pod${UID}`), { recursive: true });
  expect(follow().directories(UID)).toEqual([join(root, "kubepods/burstable", `pod${UID}`)]);
  expect(changed).toEqual([]);
});

test("what comes is told, in whatever order its directories come", async () => {
  const found = follow();
  const pod = join(root, "kubepods.slice/kubepods-besteffort.slice", `kubepods-besteffort-pod${SYSTEMD}.slice`);
  mkdirSync(pod, { recursive: true });
  await until("the pod is found", () => found.directories(UID).length === 1);
  expect(found.directories(UID)).toEqual([pod]);
  expect(changed).toEqual([UID]);
  mkdirSync(join(root, "kubepods.slice", "kubepods-podaa_bb.slice"));
  await until("a pod of class Guaranteed is found", () => found.directories("aa-bb").length === 1);
});

test("what goes is told, with everything above it too", async () => {
  const pod = join(root, "kubepods/burstable", `pod${UID}`);
  mkdirSync(pod, { recursive: true });
  const found = follow();
  rmSync(pod, { recursive: true });
  await until("the pod is gone", () => found.directories(UID).length === 0);
  mkdirSync(pod);
  await until("the pod is back", () => found.directories(UID).length === 1);
  renameSync(join(root, "kubepods"), join(root, "gone"));
  await until("all pods are gone", () => found.directories(UID).length === 0);
  expect(changed).toEqual([UID, UID, UID]);
});
