// SPDX-License-Identifier: Apache-2.0
// What run.sh --conformance runs in its guest: test/conformance by the drivers that the kernel can serve by, or by one of them.
import type { ViteUserConfig } from "vitest/config";
import type { Mode } from "../../src/datapath/probe/answer.ts";
import { isPossible, PATIENTLY } from "./looked.ts";

/** By PORTOLAN_DRIVER. */
const DRIVERS: Readonly<Record<string, Mode>> = {
  ebpf: "ebpf",
  nftables: "nftables",
  "iptables-nft": "iptables",
  "iptables-legacy": "iptables",
  ipvs: "ipvs",
};

const asked = process.env.PORTOLAN_CONFORMANCE;
const drivers = Object.entries(DRIVERS)
  .filter(([name]) => asked === "all" || asked === name)
  .filter(([name, mode]) => isPossible(`test/conformance by ${name}`, mode));

const config: ViteUserConfig = {
  test: {
    reporters: ["verbose"],
    projects: drivers.map(([name], position) => ({
      test: {
        ...PATIENTLY,
        name,
        include: ["test/conformance/**/*.test.ts"],
        env: { PORTOLAN_DRIVER: name },
        sequence: { groupOrder: position },
      },
    })),
  },
};

export default config;
