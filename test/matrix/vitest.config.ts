// SPDX-License-Identifier: Apache-2.0
// What run.sh runs in its guest.
import type { ViteUserConfig } from "vitest/config";
import type { Mode } from "../../src/datapath/probe/answer.ts";
import { isPossible, PATIENTLY } from "./looked.ts";

/** Not every kernel allows them. */
const NEEDED_MODE: Readonly<Record<string, Mode>> = {
  "test/matrix/devices.test.ts": "ebpf",
  "test/matrix/ipvs-take-over.test.ts": "ebpf",
  "test/matrix/layout.test.ts": "ebpf",
  "test/matrix/mode-switch.test.ts": "ebpf",
  "test/matrix/sctp.test.ts": "ebpf",
};

const exclude = Object.entries(NEEDED_MODE)
  .filter(([file, mode]) => !isPossible(file, mode))
  .map(([file]) => file);

const config: ViteUserConfig = {
  test: { ...PATIENTLY, include: ["test/matrix/**/*.test.ts"], exclude, reporters: ["verbose"] },
};

export default config;
