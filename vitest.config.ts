// SPDX-License-Identifier: Apache-2.0
import type { ViteUserConfig } from "vitest/config";

// Debian's plain su leaves root without the directories of iptables, sysctl and bpftool.
process.env.PATH = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;

// unit needs neither root nor kernel; kernel tests run one file at a time, each in namespaces of its own.
const config: ViteUserConfig = {
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts", "test/property/**/*.test.ts"] } },
      {
        test: {
          name: "kernel",
          globalSetup: ["test/support/leftovers.ts"],
          include: ["test/bpf/**/*.test.ts", "test/netns/**/*.test.ts", "test/conformance/**/*.test.ts"],
          fileParallelism: false,
          pool: "forks",
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
};

export default config;
