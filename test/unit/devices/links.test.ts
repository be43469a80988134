// SPDX-License-Identifier: Apache-2.0
// What the kernel says a link hangs on.

import { expect, test } from "vitest";
import { parseFdinfo } from "../../../src/datapath/ebpf/links.ts";

const link = (rest: string) =>
  `pos:\t0\nflags:\t02000002\nlink_type:\ttcx\nlink_id:\t12\nprog_tag:\ta04f5eef06a7f555\n${rest}`;

test("a tc link names its device, a cgroup link its cgroup", () => {
  expect(parseFdinfo(link("ifindex:\t7\nattach_type:\t46 (tcx_ingress)\n"))).toEqual({
    ifindex: 7,
    cgroupId: undefined,
  });
  expect(parseFdinfo(link("cgroup_id:\t2913\nattach_type:\t10\n"))).toEqual({ ifindex: undefined, cgroupId: 2913n });
});

test("a link whose device or cgroup has gone hangs on nothing", () => {
  expect(parseFdinfo(link("ifindex:\t0\nattach_type:\t46\n"))).toEqual({ ifindex: undefined, cgroupId: undefined });
  expect(parseFdinfo(link("cgroup_id:\t0\nattach_type:\t10\n"))).toEqual({ ifindex: undefined, cgroupId: undefined });
});
