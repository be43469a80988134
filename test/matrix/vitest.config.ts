// SPDX-License-Identifier: Apache-2.0
// What run.sh runs in its guest. An emulated processor takes its time: hence the limits.
import type { ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = {
  test: {
    include: ["test/matrix/**/*.test.ts"],
    fileParallelism: false,
    pool: "forks",
    reporters: ["verbose"],
    testTimeout: 180_000,
    hookTimeout: 600_000,
  },
};

export default config;
