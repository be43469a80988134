// SPDX-License-Identifier: Apache-2.0
// What run.sh runs in its guest.
import type { ViteUserConfig } from "vitest/config";
import type { Mode } from "../../src/datapath/probe/answer.ts";
import { isPossible, looked, PATIENTLY } from "./looked.ts";

/** Not every kernel allows them. */
const NEEDED_MODE: Readonly<Record<string, Mode>> = {
  "test/matrix/devices.test.ts": "ebpf",
  "test/matrix/ipvs-take-over.test.ts": "ebpf",
  "test/matrix/layout.test.ts": "ebpf",
  "test/matrix/mode-switch.test.ts": "ebpf",
  "test/matrix/sctp.test.ts": "ebpf",
};

const named = process.env.PORTOLAN_TESTS ?? "";
const hasEbpf = looked.modes.some(({ mode, usable }) => mode === "ebpf" && usable);
/** Minutes each, beside what fills a guest's time already: by name alone. Where mode ebpf serves the others show that it does. */
const BY_NAME = ["test/matrix/mode-switch.test.ts", ...(hasEbpf ? ["test/matrix/fallback.test.ts"] : [])];
const unnamed = BY_NAME.filter((file) => named === "" || !file.includes(named));
for (const file of unnamed) console.log(`matrix: LEFT OUT ${file}: name it`);

const impossible = Object.entries(NEEDED_MODE)
  .filter(([file, mode]) => !isPossible(file, mode))
  .map(([file]) => file);
const exclude = [...unnamed, ...impossible];

const config: ViteUserConfig = {
  test: { ...PATIENTLY, include: ["test/matrix/**/*.test.ts"], exclude, reporters: ["verbose"] },
};

export default config;
