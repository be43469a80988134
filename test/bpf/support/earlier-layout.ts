// SPDX-License-Identifier: Apache-2.0
// Tables of flows as an earlier layout of struct flow had them. Between any two packets all that is known stands there,
// so that the programs, loaded as those that take over, have to find each record anew.

import type { Datapath } from "./datapath.ts";
import type { LoadOptions } from "./machine.ts";

/** Field → where it is now, where it was, its size; bytes. */
const FIELDS: Readonly<Record<string, readonly [now: number, before: number, size: number]>> = {
  client: [0, 48, 16],
  vip: [16, 32, 16],
  backend: [32, 16, 16],
  snat: [48, 0, 16],
  client_port: [64, 100, 2],
  vip_port: [66, 98, 2],
  backend_port: [68, 96, 2],
  snat_port: [70, 94, 2],
  mapped_port: [72, 92, 2],
  role: [74, 103, 1],
  proto: [75, 102, 1],
  service: [76, 88, 4],
  backend_id: [80, 84, 4],
  created: [84, 80, 4],
  last_seen: [88, 76, 4],
  state: [92, 72, 4],
  flags: [96, 68, 4],
  epoch: [100, 64, 4],
};
const SIZE = 104;
const ROLE_BEFORE = 103;
const TABLES = ["flows", "nascent"] as const;

let wanted = false;

/** For the test file that says so before its first datapath. */
export function meetEarlierLayout(): void {
  wanted = true;
}

export function earlierLayoutWanted(): boolean {
  return wanted;
}

const u16 = (value: number) => new Uint8Array(Uint16Array.of(value).buffer);
const u32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);

/** What the programs are told; `serving` is 0 all the time, as is their generation. */
export const earlierRodata: LoadOptions["rodata"] = {
  takes_over: u32(1),
  ...Object.fromEntries(Object.entries(FIELDS).map(([field, [, before]]) => [`before_${field}`, u16(before)])),
};
export const earlierSizes: LoadOptions["sizes"] = { flows_before: 1024, nascent_before: 4096 };

/** A record as the earlier layout has it. */
export function asBefore(record: Uint8Array): Uint8Array {
  const turned = new Uint8Array(SIZE);
  for (const [now, before, size] of Object.values(FIELDS)) turned.set(record.subarray(now, now + size), before);
  return turned;
}

function asNow(record: Uint8Array): Uint8Array {
  const turned = new Uint8Array(SIZE);
  for (const [now, before, size] of Object.values(FIELDS)) turned.set(record.subarray(before, before + size), now);
  return turned;
}

/** Everything into the earlier tables; what stands in ours counts. */
export async function moveBack(datapath: Datapath): Promise<void> {
  await moveForward(datapath);
  for (const table of TABLES) {
    const entries = await datapath.entries(table);
    await datapath.write(
      `${table}_before`,
      entries.map(([key, value]) => [key, asBefore(value)]),
    );
    await datapath.remove(
      table,
      entries.map(([key]) => key),
    );
  }
}

/** Everything into our tables; the earlier ones are empty then, claims without a record included. */
export async function moveForward(datapath: Datapath): Promise<void> {
  const known = new Set<string>();
  for (const table of TABLES)
    for (const [key] of await datapath.entries(table)) known.add(Buffer.from(key).toString("hex"));
  for (const table of TABLES) {
    const entries = await datapath.entries(`${table}_before`);
    const missing = entries.filter(
      ([key, value]) => value[ROLE_BEFORE] !== 0 && !known.has(Buffer.from(key).toString("hex")),
    );
    await datapath.write(
      table,
      missing.map(([key, value]) => [key, asNow(value)]),
    );
    await datapath.remove(
      `${table}_before`,
      entries.map(([key]) => key),
    );
  }
}
