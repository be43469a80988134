// SPDX-License-Identifier: Apache-2.0
// What `npm run test:snat` runs: a crowd that needs its time, and memory for 120 000 sockets.
import type { ViteUserConfig } from "vitest/config";

process.env.PATH = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;

const config: ViteUserConfig = {
  test: { include: ["test/snat/**/*.test.ts"], pool: "forks", reporters: ["verbose"], hookTimeout: 120_000 },
};

export default config;
