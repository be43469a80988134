// SPDX-License-Identifier: Apache-2.0
// What a probe says when the kernel answers EPERM.

import { expect, test } from "vitest";
import { permissionReason } from "../../../src/libbpf/features.ts";

const CAP_NET_ADMIN = 1n << 12n;
const CAP_SYS_ADMIN = 1n << 21n;
const CAP_BPF = 1n << 39n;

test.each([
  ["nothing", 0n, "needs CAP_BPF and CAP_NET_ADMIN"],
  ["CAP_BPF", CAP_BPF, "needs CAP_NET_ADMIN"],
  ["CAP_SYS_ADMIN, which includes CAP_BPF", CAP_SYS_ADMIN, "needs CAP_NET_ADMIN"],
  [
    "all of it",
    CAP_BPF | CAP_NET_ADMIN,
    "refused in spite of the capabilities: lockdown, seccomp or a security module",
  ],
])("with %s it names what is missing", (_, effective, reason) => {
  expect(permissionReason(["CAP_BPF", "CAP_NET_ADMIN"], effective, "")).toBe(reason);
});
