// SPDX-License-Identifier: Apache-2.0
// What `npm run test:kubelets` runs, once build.sh has built the nodes' parts and deploy/image.sh the image.
import type { ViteUserConfig } from "vitest/config";

process.env.PATH = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;

const config: ViteUserConfig = {
  test: {
    name: "kubelets",
    include: ["test/kubelets/**/*.test.ts"],
    globalSetup: "test/support/leftovers.ts",
    reporters: ["verbose"],
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
};

export default config;
