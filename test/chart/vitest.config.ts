// SPDX-License-Identifier: Apache-2.0
// What `npm run test:chart` runs. HELM names the command.
import type { ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = {
  test: { name: "chart", include: ["test/chart/**/*.test.ts"], reporters: ["verbose"], testTimeout: 60_000 },
};

export default config;
