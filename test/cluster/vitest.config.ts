// SPDX-License-Identifier: Apache-2.0
// What `npm run test:cluster` runs: files one after another, for each has a control plane of its own.
import type { ViteUserConfig } from "vitest/config";

process.env.PATH = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;

const config: ViteUserConfig = {
  test: {
    include: ["test/cluster/**/*.test.ts"],
    globalSetup: ["test/support/leftovers.ts"],
    fileParallelism: false,
    pool: "forks",
    reporters: ["verbose"],
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
};

export default config;
