// SPDX-License-Identifier: Apache-2.0
// One unconnected UDP socket of a pod that talks to more Services than a socket remembers (a resolver, a SIP server): each
// answer comes from the Service that was asked (row 62 of the behaviour contract).
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { useCluster } from "../support/cluster.ts";
import { serviceAddresses } from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";

const PROGRAM = fileURLToPath(new URL("../support/programs/udp-many.mjs", import.meta.url));
/** Four more than abi.h's SOCK_PEERS. */
const NUMBERS = Array.from({ length: 12 }, (_, i) => 61 + i);

const cluster = useCluster({
  services: (lab) =>
    NUMBERS.map((number) => ({
      name: `many${number}`,
      number,
      endpoints: [{ address: lab.pod("p2a").address, nodeName: "n2", port: 8000 + number }],
    })),
});

beforeAll(async () => {
  const { lab } = cluster();
  await lab.serve(lab.pod("p2a"), { tcp: [], udp: NUMBERS.map((number) => 8000 + number) });
});

test.each(["v4", "v6"] as const)(
  "answers to a pod's socket come from the %s Services it asked, all twelve",
  async (family) => {
    const { lab } = cluster();
    const servers = NUMBERS.map((number) => `${serviceAddresses(number).clusterIP[family]}/80`);
    const client = lab.spawn(hostOf(lab, "p1a"), ["node", PROGRAM, ...servers]);
    await client.waitForOutput(/^done$/m);
    expect(client.stdout).toBe("done\n");
  },
);
