// SPDX-License-Identifier: Apache-2.0
import type { ViteUserConfig } from "vitest/config";

// Debian's plain su leaves root without the directories of iptables, sysctl and bpftool.
process.env.PATH = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;

// unit needs neither root nor kernel. Kernel files stay in namespaces of their own and mostly wait: two run at a time.
const config: ViteUserConfig = {
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts", "test/property/**/*.test.ts"] } },
      {
        test: {
          name: "kernel",
          globalSetup: ["test/support/leftovers.ts"],
          include: ["test/bpf/**/*.test.ts", "test/netns/**/*.test.ts", "test/conformance/**/*.test.ts"],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          pool: "forks",
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
};

export default config;
