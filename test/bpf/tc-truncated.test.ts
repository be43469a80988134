// SPDX-License-Identifier: Apache-2.0
// A packet to a frontend, cut off after every possible number of bytes: while its own lengths say there should be more,
// it goes nowhere, and is counted. On its way out it is the stack's.

import { describe, expect, test } from "vitest";
import { bytes, dump } from "./support/hex.ts";
import { useDatapath } from "./support/scenario.ts";
import { services4, services6 } from "./support/services.ts";

/** With less than an Ethernet and a fixed IP header the kernel refuses a test run (EINVAL). */
const shortest = (packet: Uint8Array): number => (packet[12] === 0x08 ? 34 : 54);

const requests: Readonly<Record<string, string>> = {
  "IPv4 TCP": `
    020000000021 02000000ff10 0800
    45000028 00014000 40062665 0a00000a 0a600001
    c350 0050 00001001 00000000 5002ffff c7d6 0000`,
  "IPv4 UDP": `
    020000000021 02000000ff10 0800
    45000021 00014000 40112661 0a00000a 0a600001
    c350 0035 000d e3fe 68656c6c6f`,
  "IPv4 SCTP": `
    020000000021 02000000ff10 0800
    45000034 00014000 408425db 0a00000a 0a600001
    c350 960c 00000000 f9d61391 01000014 0000a001 0000fc00 000a000a 00000001`,
  "IPv6 TCP": `
    020000000021 02000000ff10 86dd
    6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
    c350 0050 00001001 00000000 5002ffff e198 0000`,
  "IPv6 with extension headers": `
    020000000021 02000000ff10 86dd
    6000000000240040 fd000000000000000000000000000010 fd000096000000000000000000000001
    3c00010400000000 0600010400000000
    c350 0050 00001001 00000000 5002ffff e198 0000`,
};

describe("packets cut short", () => {
  const datapath = useDatapath([...services4, ...services6]);

  test.each(Object.entries(requests))("%s: nothing at every length, translated when whole", async (_, packet) => {
    const whole = bytes(packet);
    const malformed = async (): Promise<number> => (await datapath().counters())["drops.malformed"] ?? 0;
    const before = await malformed();
    for (let length = shortest(whole); length < whole.length; length++) {
      const cut = whole.slice(0, length);
      const coming = await datapath().run("ingress", "client", cut);
      expect({ length, verdict: coming.verdict }).toEqual({ length, verdict: "drop" });
      const { verdict, data, mark } = await datapath().run("egress", "client", cut);
      expect({ length, verdict, data: dump(data), mark }).toEqual({
        length,
        verdict: "next",
        data: dump(cut),
        mark: 0,
      });
    }
    expect((await malformed()) - before).toBe(whole.length - shortest(whole));
    expect(await datapath().flows()).toEqual([]);
    expect(dump((await datapath().run("ingress", "client", whole)).data)).not.toEqual(dump(whole));
    await datapath().forgetFlows();
  });
});
