// SPDX-License-Identifier: Apache-2.0
// SNAT ports towards one backend as they run out: at 75, 90 and 98 % fill a new connection finds one of those that are
// left. The figures are printed, beside what a limit of 32 random tries would give.

import { describe, expect, test } from "vitest";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { type Datapath, u16 } from "./support/datapath.ts";
import type { Entry } from "./support/machine.ts";
import { outsider4, outsider6 } from "./support/outsider.ts";
import { useDatapath } from "./support/scenario.ts";

const FIRST = 1024;
const LAST = 65535;
/** 30000 to 32767 are NodePorts: 61 744 ports are left. */
const USABLE = 61_744;
const ALLOCATIONS = 2000;
/** Given back together: so few that the fill stays what it is. */
const BATCH = 50;
const PEERS_TRIES = 32;

/** All usable ports, shuffled the same way in every run. */
function shuffledPorts(): readonly number[] {
  const all = Array.from({ length: LAST - FIRST + 1 }, (_, n) => FIRST + n);
  const ports = all.filter((port) => port < 30_000 || port > 32_767);
  let state = 1;
  for (let n = ports.length - 1; n > 0; n--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0; // Numerical Recipes' generator: its upper bits are good
    const other = Math.floor((state / 2 ** 32) * (n + 1));
    [ports[n], ports[other]] = [ports[other] ?? 0, ports[n] ?? 0];
  }
  return ports;
}

describe.each([outsider4, outsider6])("SNAT ports over $family", ({ services, syn }) => {
  const range = { snat_port_min: u16(FIRST), snat_port_max: u16(LAST) };
  const datapath = useDatapath(services, { rodata: range, sizes: { flows: 65_536 } });
  const ports = shuffledPorts();
  const held = new Set<number>();

  test.each([75, 90, 98])("at %i percent fill at least 999 of 1000 allocations succeed", async (percent) => {
    expect(ports.length).toBe(USABLE);
    await fillTo(Math.round((USABLE * percent) / 100));
    const drawn: number[] = [];
    for (let begun = 0; begun < ALLOCATIONS; begun += BATCH) drawn.push(...(await allocate(begun)));
    const share = (100 * drawn.length) / ALLOCATIONS;
    const peers = 100 * (1 - (held.size / USABLE) ** PEERS_TRIES);
    console.log(
      `${held.size} of ${USABLE} ports taken (${percent} %): ${drawn.length} of ${ALLOCATIONS} new connections got one, ` +
        `${share.toFixed(2)} %; ${PEERS_TRIES} random tries: ${peers.toFixed(2)} %`,
    );
    expect(share).toBeGreaterThanOrEqual(99.9);
    expect(drawn.filter((port) => held.has(port) || port < FIRST || (port >= 30_000 && port <= 32_767))).toEqual([]);
  });

  /** Claims ports by records of connections that last, like one that was made. */
  async function fillTo(count: number): Promise<void> {
    const [key, value] = await madeClaim(datapath());
    const wanted = ports.slice(held.size, count);
    const entries = wanted.map((port): Entry => [withPort(key, abi.flowKeyOffset.dport, port), value]);
    await datapath().write("flows", entries);
    for (const port of wanted) held.add(port);
  }

  async function madeClaim(loaded: Datapath): Promise<Entry> {
    await loaded.run("ingress", "uplink", syn(50_000));
    const claim = (await loaded.records()).find(
      ({ table, key, flow }) =>
        table === "nascent" &&
        flow.role === abi.FlowRole.FLOW_INDEX &&
        key[abi.flowKeyOffset.space] === abi.FlowSpace.SPACE_OUTER,
    );
    const [, value] =
      (await loaded.entries("nascent")).find(([key]) => Buffer.compare(key, claim?.key ?? key) === 0) ?? [];
    if (claim === undefined || value === undefined) throw new Error("the request made no SNAT claim");
    await forgetNew(loaded);
    return [claim.key, value];
  }

  /** A connection each from so many ports of the client; returns the ports that they got, and takes them back. */
  async function allocate(begun: number): Promise<readonly number[]> {
    for (let n = 0; n < BATCH; n++) {
      await datapath().run("ingress", "uplink", syn(FIRST + begun + n));
    }
    const nascent = await datapath().entries("nascent");
    await forgetNew(datapath());
    const claims = nascent.filter(([key]) => key[abi.flowKeyOffset.space] === abi.FlowSpace.SPACE_OUTER);
    const given = claims.map(([, value]) => abi.flow.read(new DataView(value.buffer, value.byteOffset), 0));
    const owners = given.filter(({ role }) => role === abi.FlowRole.FLOW_OWNER).map(({ snatPort }) => snatPort);
    expect(new Set(owners).size).toBe(owners.length);
    return owners;
  }
});

async function forgetNew(loaded: Datapath): Promise<void> {
  const keys = (await loaded.entries("nascent")).map(([key]) => key);
  await loaded.remove("nascent", keys);
}

function withPort(data: Uint8Array, offset: number, port: number): Uint8Array {
  const copy = Uint8Array.from(data);
  new DataView(copy.buffer).setUint16(offset, port);
  return copy;
}
