// SPDX-License-Identifier: Apache-2.0
// Bundles agent and CLI into dist/portolan.js (start-up and memory count), and the traffic programs of the demo's lab
// into dist/programs, where the bundle looks for them. The addon and the BPF objects stay in build/.
import { defineConfig } from "rolldown";

const shared = { platform: "node", transform: { target: "es2023" } };

export default defineConfig([
  {
    ...shared,
    // Of the client only the kubeconfig is ours; the thousand classes of its API are left out.
    treeshake: { moduleSideEffects: [{ test: /@kubernetes\/client-node/, sideEffects: false }] },
    input: { portolan: "src/cli/main.ts" },
    output: {
      dir: "dist",
      format: "esm",
      postBanner: "#!/usr/bin/env node",
      sourcemap: true,
      minify: false,
      codeSplitting: false,
    },
  },
  {
    ...shared,
    input: { agent: "src/demo/lab/programs/agent.mjs", server: "src/demo/lab/programs/server.mjs" },
    output: { dir: "dist/programs", format: "esm", entryFileNames: "[name].mjs", chunkFileNames: "[name].mjs" },
  },
]);
