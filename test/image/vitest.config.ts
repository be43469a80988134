// SPDX-License-Identifier: Apache-2.0
// What `npm run test:image` runs, once deploy/image.sh has built the images.
import type { ViteUserConfig } from "vitest/config";

process.env.PATH = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;

const config: ViteUserConfig = {
  test: {
    name: "image",
    include: ["test/image/**/*.test.ts"],
    globalSetup: "test/support/leftovers.ts",
    reporters: ["verbose"],
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
};

export default config;
