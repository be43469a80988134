// SPDX-License-Identifier: Apache-2.0
// `portolan version`: of the agent, of the layout of its maps, of the libbpf in use.

import { Command } from "commander";

export function versionCommand(): Command {
  return new Command("version").description("Versions of agent, ABI and libbpf.").action(run);
}

async function run(): Promise<void> {
  const [{ VERSION }, { PortolanAbi }, { libbpfVersion }] = await Promise.all([
    import("../agent/version.ts"),
    import("../datapath/ebpf/abi.gen.ts"),
    import("../libbpf/index.ts"),
  ]);
  process.stdout.write(`portolan ${VERSION}\nABI v${PortolanAbi.ABI_VERSION}\nlibbpf ${libbpfVersion()}\n`);
}
