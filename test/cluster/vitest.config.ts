// SPDX-License-Identifier: Apache-2.0
// What `npm run test:cluster` runs. Each file has a control plane of its own: those that put load on it have the machine to
// themselves, the others go two at a time.
import type { ViteUserConfig } from "vitest/config";

process.env.PATH = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;

const QUIET = ["control-plane", "dns", "events", "refused", "schema", "shipped"].map(
  (name) => `test/cluster/${name}.test.ts`,
);

const common = {
  globalSetup: "test/support/leftovers.ts",
  pool: "forks",
  testTimeout: 120_000,
  hookTimeout: 180_000,
} as const;

const config: ViteUserConfig = {
  test: {
    reporters: ["verbose"],
    projects: [
      { test: { ...common, name: "quiet", include: QUIET, maxWorkers: 2, sequence: { groupOrder: 1 } } },
      {
        test: {
          ...common,
          name: "cluster",
          include: ["test/cluster/**/*.test.ts"],
          exclude: QUIET,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
};

export default config;
