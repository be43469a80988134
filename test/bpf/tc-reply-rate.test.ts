// SPDX-License-Identifier: Apache-2.0
// How many refusals a node tells senders of in a flood (behaviour row 32): a bucket of tokens on each CPU.

import { availableParallelism } from "node:os";
import { describe, expect, test } from "vitest";
import { buildPacket } from "./support/build-packet.ts";
import { useDatapath } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";
import { u32 } from "./support/world.ts";

const RATE = 25;
const FLOOD = 1000;
const syn = (sourcePort: number, source = "10.0.0.10") =>
  buildPacket({
    device: "client",
    family: 4,
    proto: "tcp",
    source,
    destination: "10.96.0.1",
    sourcePort,
    destinationPort: 81,
    flags: 2,
    payload: new Uint8Array(),
  });

const datapath = useDatapath(services4, { rodata: { reply_rate: u32(RATE) } });

test("row 32: of a flood at once a second's worth is told, and as much of each second that it takes", async () => {
  const begin = performance.now();
  const verdicts: string[] = [];
  for (let i = 0; i < FLOOD; i++) verdicts.push((await datapath().run("ingress", "client", syn(1024 + i))).verdict);
  const seconds = (performance.now() - begin) / 1000;
  const told = verdicts.filter((verdict) => verdict === "redirect").length;
  expect(verdicts.slice(0, RATE)).toEqual(Array(RATE).fill("redirect"));
  expect(told).toBeLessThanOrEqual(Math.ceil(RATE * (1 + seconds)) * availableParallelism());
  expect(await datapath().counters()).toEqual({ "drops.unused_port": told, "drops.reply_limit": FLOOD - told });
});

describe("one sender's share", () => {
  const shared = useDatapath(services4, { rodata: { reply_rate: u32(500), reply_rate_source: u32(RATE) } });

  test("row 32: who floods is told no more than its share, and who does not is told every time", async () => {
    const begin = performance.now();
    let flooder = 0;
    const other: string[] = [];
    for (let i = 0; i < FLOOD; i++) {
      if ((await shared().run("ingress", "client", syn(1024 + i))).verdict === "redirect") flooder++;
      if (i % (FLOOD / RATE) > 0) continue;
      other.push((await shared().run("ingress", "client", syn(1024 + i, "10.0.0.11"))).verdict);
    }
    const seconds = (performance.now() - begin) / 1000;
    expect(flooder).toBeGreaterThanOrEqual(RATE);
    expect(flooder).toBeLessThanOrEqual(Math.ceil(RATE * (1 + seconds)) * availableParallelism());
    expect(other).toEqual(Array(RATE).fill("redirect"));
  });
});
