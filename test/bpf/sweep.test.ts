// SPDX-License-Identifier: Apache-2.0
// The in-kernel sweeper on flow tables filled by hand: what goes, what stays, what is counted.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { ipToBytes } from "../../src/model/ip.ts";
import { ip } from "../support/compiled.ts";
import {
  bootSeconds,
  FlowTables,
  flow,
  index,
  innerKey,
  ownerKey,
  reversedInnerKey,
  snatKey,
  type Table,
} from "../support/flow-tables.ts";

const { FLOW_ANSWERED, FLOW_FIN_CLIENT, FLOW_FIN_BACKEND, FLOW_RST } = abi.FlowState;
const LASTING = FLOW_ANSWERED | abi.FlowState.FLOW_LASTING;
const { FLOW_PASS } = abi.FlowRole;
const TCP = 6;
const UDP = 17;

/** Of a run that had nothing to do. */
const NOTHING = { scanned: 0, ownersDeleted: 0, indexesDeleted: 0, failed: 0, nascent: 0, owners: 0, snat: 0 };

let tables: FlowTables;
beforeAll(() => {
  tables = new FlowTables();
});
afterAll(() => tables[Symbol.dispose]());
beforeEach(() => tables.clear());

function putFlow(table: Table, record: abi.Flow): void {
  tables.put(table, innerKey(record), index(record));
  if ((record.flags & abi.FlowFlags.FLOW_SNAT) !== 0) tables.put(table, snatKey(record), index(record));
  tables.put(table, ownerKey(record), record);
}

describe("an owner", () => {
  test.each([
    { name: "established TCP", proto: TCP, state: LASTING, limit: 86_400 },
    { name: "TCP with one FIN", proto: TCP, state: LASTING | FLOW_FIN_CLIENT, limit: 86_400 },
    {
      name: "TCP with both FINs",
      proto: TCP,
      state: LASTING | FLOW_FIN_CLIENT | FLOW_FIN_BACKEND,
      limit: 60,
    },
    { name: "reset TCP", proto: TCP, state: LASTING | FLOW_RST, limit: 60 },
    { name: "UDP both ways", proto: UDP, state: LASTING, limit: 180 },
    { name: "TCP whose handshake nobody completed", proto: TCP, state: FLOW_ANSWERED, limit: 60 },
    { name: "UDP of one question and its answer", proto: UDP, state: FLOW_ANSWERED, limit: 60 },
    { name: "unanswered TCP", proto: TCP, state: 0, limit: 60 },
    { name: "unanswered UDP", proto: UDP, state: 0, limit: 60 },
  ])("of $name goes after $limit idle seconds, with its indexes, and not before", ({ proto, state, limit }) => {
    const now = bootSeconds();
    const young = flow({ proto, state, lastSeen: (now - limit + 5) >>> 0 });
    putFlow("flows", young);
    expect(tables.sweep()).toEqual({ ...NOTHING, scanned: 3, owners: 1, snat: 1 });
    tables.clear();
    const old = flow({ proto, state, lastSeen: (now - limit - 5) >>> 0 });
    putFlow("flows", old);
    const other = flow({ proto, state, clientPort: 41_000, mappedPort: 41_000, snatPort: 51_000 });
    putFlow("flows", other);
    expect(tables.sweep()).toMatchObject({ ownersDeleted: 1, indexesDeleted: 2, failed: 0 });
    expect([ownerKey(old), innerKey(old), snatKey(old)].map((key) => tables.has("flows", key))).toEqual([
      false,
      false,
      false,
    ]);
    expect([ownerKey(other), innerKey(other), snatKey(other)].map((key) => tables.has("flows", key))).toEqual([
      true,
      true,
      true,
    ]);
  });

  test("takes its index along also where the backend's end comes first", () => {
    const old = flow({ client: ipToBytes(ip("10.9.1.200")), flags: 0, lastSeen: (bootSeconds() - 90_000) >>> 0 });
    tables.put("flows", reversedInnerKey(old), index(old));
    tables.put("flows", ownerKey(old), old);
    expect(tables.sweep()).toMatchObject({ ownersDeleted: 1, indexesDeleted: 1 });
    expect(tables.size("flows")).toBe(0);
  });

  test("goes from the nascent table too, when its client has given up", () => {
    putFlow("nascent", flow({ state: 0, lastSeen: bootSeconds() - 65 }));
    const waiting = flow({ state: 0, clientPort: 41_000, mappedPort: 41_000, snatPort: 51_000 });
    putFlow("nascent", waiting);
    expect(tables.sweep()).toMatchObject({ ownersDeleted: 1, indexesDeleted: 2 });
    expect(tables.size("nascent")).toBe(3);
    expect(tables.has("nascent", ownerKey(waiting))).toBe(true);
  });

  test("that expires leaves an index alone which another flow holds by now", () => {
    const old = flow({ lastSeen: (bootSeconds() - 90_000) >>> 0 });
    const heir = flow({ vip: ipToBytes(ip("10.96.0.2")), snatPort: 51_000 });
    putFlow("flows", old);
    putFlow("flows", heir);
    expect(tables.sweep()).toMatchObject({ ownersDeleted: 1, indexesDeleted: 1 });
    expect(tables.has("flows", innerKey(heir))).toBe(true);
    expect(tables.has("flows", snatKey(old))).toBe(false);
  });
});

test("connections that stay are counted, and those of them that hold a port", () => {
  putFlow("flows", flow({}));
  putFlow("nascent", flow({ state: 0, clientPort: 41_000, mappedPort: 41_000, flags: 0 }));
  expect(tables.sweep()).toEqual({ ...NOTHING, scanned: 5, nascent: 2, owners: 2, snat: 1 });
});

test("a PASS record goes when it is idle, and stays while it is used", () => {
  const pass = flow({ role: FLOW_PASS, proto: UDP, service: 0, flags: 0, state: 0, lastSeen: bootSeconds() - 200 });
  const used = { ...pass, clientPort: 41_000, lastSeen: bootSeconds() - 20 };
  tables.put("flows", ownerKey(pass), pass);
  tables.put("flows", ownerKey(used), used);
  expect(tables.sweep()).toEqual({ ...NOTHING, scanned: 2, ownersDeleted: 1 });
  expect(tables.has("flows", ownerKey(used))).toBe(true);
});

describe("an index without its owner", () => {
  test("stays for five seconds, for its flow may be in the making, then goes", () => {
    const making = flow({ created: bootSeconds() - 1, flags: 0 });
    tables.put("flows", innerKey(making), index(making));
    expect(tables.sweep()).toMatchObject({ scanned: 1, indexesDeleted: 0 });
    const left = flow({ created: bootSeconds() - 8, flags: 0 });
    tables.put("flows", innerKey(left), index(left));
    expect(tables.sweep()).toMatchObject({ scanned: 1, indexesDeleted: 1 });
    expect(tables.size("flows")).toBe(0);
  });

  test("goes when the owner of that name is another flow", () => {
    const before = flow({ flags: 0, backend: ipToBytes(ip("10.9.2.30")) });
    tables.put("flows", innerKey(before), index(before));
    const now = flow({ flags: 0 });
    putFlow("flows", now);
    expect(tables.sweep()).toMatchObject({ scanned: 3, ownersDeleted: 0, indexesDeleted: 1 });
    expect(tables.has("flows", innerKey(now))).toBe(true);
    expect(tables.has("flows", innerKey(before))).toBe(false);
  });

  test("stays while its owner is still nascent: the flow is moving", () => {
    const moving = flow({ flags: 0 });
    tables.put("flows", innerKey(moving), index(moving));
    tables.put("nascent", ownerKey(moving), moving);
    expect(tables.sweep()).toMatchObject({ scanned: 2, ownersDeleted: 0, indexesDeleted: 0 });
  });

  test("rests for sixty seconds when it holds a SNAT port: the backend may be in TIME_WAIT", () => {
    const forgotten = flow({ created: bootSeconds() - 500, lastSeen: bootSeconds() - 50 });
    tables.put("flows", snatKey(forgotten), index(forgotten));
    expect(tables.sweep()).toMatchObject({ indexesDeleted: 0 });
    const rested = flow({ created: bootSeconds() - 500, lastSeen: bootSeconds() - 65 });
    tables.put("flows", snatKey(rested), index(rested));
    expect(tables.sweep()).toMatchObject({ indexesDeleted: 1 });
  });
});

test("IPv6 flows go like IPv4 ones", () => {
  const old = flow({
    client: ipToBytes(ip("fd00:9:1::10")),
    vip: ipToBytes(ip("fd00:10:96::1")),
    backend: ipToBytes(ip("fd00:9:2::20")),
    snat: ipToBytes(ip("fd00:50::1")),
    lastSeen: (bootSeconds() - 90_000) >>> 0,
  });
  putFlow("flows", old);
  expect(tables.sweep()).toMatchObject({ ownersDeleted: 1, indexesDeleted: 2, failed: 0 });
  expect(tables.size("flows")).toBe(0);
});

test("timeouts are those of the configuration", () => {
  using hasty = new FlowTables({ timeout_tcp_established: 10 });
  const idle = flow({ lastSeen: bootSeconds() - 15, flags: 0 });
  hasty.put("flows", ownerKey(idle), idle);
  expect(hasty.sweep()).toMatchObject({ scanned: 1, ownersDeleted: 1 });
});

test("20 000 flows, half of them expired, are swept in one run to the last one", () => {
  const [live, old] = [bootSeconds(), bootSeconds() - 300];
  for (let i = 0; i < 20_000; i++) {
    const record = flow({ proto: UDP, clientPort: i, flags: 0, lastSeen: i % 2 === 0 ? live : old });
    tables.put("flows", ownerKey(record), record);
  }
  expect(tables.sweep()).toMatchObject({ scanned: 20_000, ownersDeleted: 10_000, indexesDeleted: 0, failed: 0 });
  expect(tables.size("flows")).toBe(10_000);
});
