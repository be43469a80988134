// SPDX-License-Identifier: Apache-2.0
// What a node must have.

import { expect, test } from "vitest";
import { checkBpffs, checkManifests } from "../../../src/agent/checks.ts";
import { NodeError, UsageError } from "../../../src/agent/errors.ts";
import { cgroup2Mount } from "../../../src/datapath/mounts.ts";

test("the first cgroup2 mount is the root, blanks in its name included", () => {
  const mounts =
    "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /mnt/a\\040b cgroup2 rw 0 0\ncgroup2 /c cgroup2 rw 0 0\n";
  expect(cgroup2Mount(mounts)).toBe("/mnt/a b");
  expect(cgroup2Mount("tmpfs / tmpfs rw 0 0\n")).toBeUndefined();
  expect(cgroup2Mount(`${mounts}cgroup2 /host/cgroup/unified cgroup2 rw 0 0\n`, "/host/cgroup")).toBe(
    "/host/cgroup/unified",
  );
  expect(cgroup2Mount(mounts, "/mnt/a")).toBeUndefined();
});

test("a bpffs that is not mounted is refused with the command that mounts it", () => {
  expect(() => checkBpffs("/proc")).toThrow(
    new NodeError("no bpf file system is mounted at /proc: mount -t bpf bpf /proc"),
  );
  expect(() => checkBpffs("/nowhere")).toThrow("mkdir -p /nowhere && mount -t bpf bpf /nowhere");
  expect(() => checkBpffs("/etc/passwd")).toThrow(
    new NodeError("--bpffs /etc/passwd is a file: name a directory for the mount"),
  );
});

test("a manifests directory that is none is wrong usage, with what to name instead", () => {
  expect(() => checkManifests("/proc")).not.toThrow();
  expect(() => checkManifests("/nowhere")).toThrow(
    new UsageError("--manifests /nowhere does not exist: name the directory with the Service and EndpointSlice files"),
  );
  expect(() => checkManifests("/etc/passwd")).toThrow(
    new UsageError("--manifests /etc/passwd is a file: name the directory that it is in"),
  );
});
