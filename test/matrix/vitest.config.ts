// SPDX-License-Identifier: Apache-2.0
// What run.sh runs in its guest. An emulated processor takes its time: hence the limits.
import type { ViteUserConfig } from "vitest/config";
import type { Mode } from "../../src/datapath/probe/answer.ts";
import { looked } from "./looked.ts";

/** Not every kernel allows them. */
const NEEDED_MODE: Readonly<Record<string, Mode>> = {
  "test/matrix/devices.test.ts": "ebpf",
  "test/matrix/ipvs-take-over.test.ts": "ebpf",
  "test/matrix/layout.test.ts": "ebpf",
  "test/matrix/mode-switch.test.ts": "ebpf",
  "test/matrix/sctp.test.ts": "ebpf",
};
/** What needs a mode that this kernel cannot serve in is left out, and says so. */
function isPossible(what: string, mode: Mode): boolean {
  const answer = looked.modes.find((one) => one.mode === mode);
  if (!answer?.usable) console.log(`matrix: SKIPPED ${what}: mode ${mode}: ${answer?.reason}`);
  return answer?.usable === true;
}

const exclude = Object.entries(NEEDED_MODE)
  .filter(([file, mode]) => !isPossible(file, mode))
  .map(([file]) => file);

const config: ViteUserConfig = {
  test: {
    include: ["test/matrix/**/*.test.ts"],
    exclude,
    fileParallelism: false,
    pool: "forks",
    reporters: ["verbose"],
    testTimeout: 180_000,
    hookTimeout: 600_000,
  },
};

export default config;
