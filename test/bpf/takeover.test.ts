// SPDX-License-Identifier: Apache-2.0
// Programs that take over from another layout: whose packets are, before and after; that no tuple is claimed twice; and
// what moves the records that no packet asks for.

import { describe, expect, test } from "vitest";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { decode, encode } from "../../src/datapath/ebpf/codec.ts";
import { bpfObjectPath } from "../../src/datapath/ebpf/programs.ts";
import { u32 } from "../../src/datapath/ebpf/rodata.ts";
import { openObject } from "../../src/libbpf/index.ts";
import { begun4 } from "./support/begun.ts";
import { Datapath, u16 } from "./support/datapath.ts";
import { asBefore, earlierRodata, earlierSizes, moveBack } from "./support/earlier-layout.ts";
import { bytes } from "./support/hex.ts";
import { Machine } from "./support/machine.ts";
import { services4 } from "./support/services.ts";

const CELL = u32(0);
const mover = { rodata: { ...earlierRodata, generation: u32(7) }, sizes: earlierSizes };
const serving = (generation: number) => encode(abi.serving, { generation, version: 1, from: 2 });

describe("packets between two layouts", () => {
  test("are the old programs' at both hooks until the new ones' generation is stored, and the new ones' from then on", async () => {
    await using machine = await Machine.start();
    const old = await Datapath.load(machine, services4);
    const taking = await Datapath.load(machine, [], mover);
    await taking.handOnTo(old);
    await taking.write("serving", [[CELL, serving(6)]]);
    const syn = bytes(begun4.webSyn.packet);
    const before = await taking.run("ingress", "client", syn);
    expect(before).toEqual({ verdict: "next", data: bytes(begun4.webSyn.out ?? ""), mark: 0x20000000 });
    const synAck = bytes(begun4.webSynAck.packet);
    const answered = await taking.run("egress", "client", synAck);
    expect(answered).toEqual({ verdict: "next", data: bytes(begun4.webSynAck.out ?? ""), mark: 0x40000000 });
    expect([await taking.flows(), (await old.flows()).length]).toEqual([[], 1]);

    // The new ones have no Service, and no table that the flow would be in.
    await taking.write("serving", [[CELL, serving(7)]]);
    const after = await taking.run("ingress", "client", syn);
    expect(after).toEqual({ verdict: "next", data: syn, mark: 0 });
    expect(await taking.run("egress", "client", synAck)).toEqual({ verdict: "next", data: synAck, mark: 0 });
  });

  test("leave what they claim in the old table too, and take it away with the flow", async () => {
    await using machine = await Machine.start();
    const taking = await Datapath.load(machine, services4, mover);
    await taking.run("ingress", "client", bytes(begun4.webSyn.packet));
    const claimed = await taking.entries("flows_before");
    const ours = await taking.entries("nascent");
    expect(claimed.map(([key]) => Buffer.from(key).toString("hex")).sort()).toEqual(
      ours.map(([key]) => Buffer.from(key).toString("hex")).sort(),
    );
    expect(claimed.map(([, value]) => value.every((byte) => byte === 0))).toEqual([true, true]);

    const owner = (await taking.records()).find((record) => record.flow.role === abi.FlowRole.FLOW_OWNER);
    if (!owner) throw new Error("the flow has no owner");
    const closed = { ...owner.flow, state: abi.FlowState.FLOW_RST };
    await taking.write(owner.table, [[owner.key, encode(abi.flow, closed)]]);
    // A SYN on the same tuple begins anew: it finds the claim of the flow that is over neither here nor there.
    const anew = await taking.run("ingress", "client", bytes(begun4.webSyn.packet));
    expect(anew).toEqual({ verdict: "next", data: bytes(begun4.webSyn.out ?? ""), mark: 0x20000000 });
  });
});

/** The SYN with other TCP flags; its checksum is not looked at here. */
const withFlags = (syn: string, flags: string): Uint8Array => bytes(syn.replace(/5002ffff/, `50${flags}ffff`));

describe("what the old tables know", () => {
  test("goes on where `flows` has no room for it", async () => {
    await using machine = await Machine.start();
    const taking = await Datapath.load(machine, services4, { ...mover, sizes: { ...earlierSizes, flows: 2 } });
    await taking.write("serving", [[CELL, serving(7)]]);
    for (const step of [begun4.webSyn, begun4.webSynAck]) {
      const [hook] = step.at.split(" ") as ["ingress" | "egress"];
      await taking.run(hook, "client", bytes(step.packet));
    }
    await taking.run("ingress", "client", withFlags(begun4.webSyn.packet, "10"));
    expect(await taking.flows()).toEqual(["flows owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 answered"]);
    await moveBack(taking);
    await taking.write(
      "flows",
      [1, 2].map((port) => [key(port), encode(abi.flow, flow({}))] as const),
    );
    const { verdict, mark } = await taking.run("ingress", "client", withFlags(begun4.webSyn.packet, "18"));
    expect([verdict, mark]).toEqual(["next", 0x20000000]);
    expect(await taking.flows()).toContain("nascent owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 answered");
  });

  test("is not hidden by those who would have its SNAT port", async () => {
    await using machine = await Machine.start();
    const ports = { snat_port_max: u16(40_001) };
    const taking = await Datapath.load(machine, services4, { ...mover, rodata: { ...mover.rodata, ...ports } });
    await taking.write("serving", [[CELL, serving(7)]]);
    const syn = begun4.nodePortSyn.packet;
    await taking.run("ingress", "uplink", bytes(syn));
    const owner = (await taking.records()).find((record) => record.flow.role === abi.FlowRole.FLOW_OWNER);
    await moveBack(taking);
    // Two ports in all, each drawn by one of these more likely than not by 4000 to 1.
    for (let port = 0xc351; port < 0xc35d; port++) {
      await taking.run("ingress", "uplink", bytes(syn.replace("c350 7580", `${port.toString(16)} 7580`)));
    }
    const snat = (owner?.flow.snatPort ?? 0).toString(16);
    const synAck = `
      020000000021 02000000ff10 0800
      45000028 00014000 4006f4b5 0a000014 c0000201
      1f90 ${snat} 00001001 00002001 5012ffff 0000 0000`;
    const { data, mark } = await taking.run("ingress", "client", bytes(synAck));
    const ends = Buffer.from(data).toString("hex").slice(52, 76);
    expect([ends, mark]).toEqual(["0a000014cb0071051f90c350", 0x20000000]);
  });

  test("and claims there do not outlive the flows that made them", async () => {
    await using machine = await Machine.start();
    const taking = await Datapath.load(machine, services4, mover);
    await taking.write("serving", [[CELL, serving(7)]]);
    await taking.run("ingress", "client", bytes(begun4.webSyn.packet));
    expect((await taking.expireAll()).left).toEqual([]);
    const { verdict, mark } = await taking.run("ingress", "client", bytes(begun4.webSyn.packet));
    expect([verdict, mark]).toEqual(["next", 0x20000000]);
  });
});

function flow(more: Partial<abi.Flow>): abi.Flow {
  return { ...decode(abi.flow, new Uint8Array(abi.flow.size)), role: 1, proto: 6, created: 5, lastSeen: 9, ...more };
}
const key = (sport: number): Uint8Array =>
  encode(abi.flowKey, { src: new Uint8Array(16), dst: new Uint8Array(16), sport, dport: 80, proto: 6, space: 1 });

function migrator(sizes: Readonly<Record<string, number>>) {
  using object = openObject(bpfObjectPath("migrate"));
  for (const [name, value] of Object.entries({ ...earlierRodata, generation: u32(7) })) object.setRodata(name, value);
  for (const [name, size] of Object.entries({ ...earlierSizes, ...sizes })) object.setMaxEntries(name, size);
  return object.load();
}

function migrate(loaded: ReturnType<typeof migrator>): abi.Migration {
  const { ctxOut } = loaded.program("pt_migrate").testRun({ ctx: new Uint8Array(abi.migration.size) });
  return decode(abi.migration, ctxOut);
}

describe("pt_migrate", () => {
  test("brings every record to the table of the same name, but claims, and what is there already", () => {
    using loaded = migrator({ flows: 16, nascent: 1024 });
    const [lasting, nascent, newer] = [flow({ state: 17 }), flow({ state: 1 }), flow({ state: 29 })];
    const earlier = (record: abi.Flow) => asBefore(encode(abi.flow, record));
    loaded.map("flows_before").update(key(1), earlier(lasting));
    loaded.map("flows_before").update(key(2), new Uint8Array(abi.flow.size));
    loaded.map("flows_before").update(key(3), earlier(lasting));
    loaded.map("nascent_before").update(key(4), earlier(nascent));
    loaded.map("flows").update(key(3), encode(abi.flow, newer));
    expect(migrate(loaded)).toEqual({ records: 4, failed: 0, error: 0 });
    const found = (table: string) =>
      [1, 2, 3, 4].map((port) => {
        const record = loaded.map(table).lookup(key(port));
        return record && decode(abi.flow, record);
      });
    expect(found("flows")).toEqual([lasting, undefined, newer, undefined]);
    expect(found("nascent")).toEqual([undefined, undefined, undefined, nascent]);
    expect([...loaded.map("flows_before").entries(), ...loaded.map("nascent_before").entries()]).toEqual([]);
  });

  test("says how many found no room, and leaves them where they are", () => {
    using loaded = migrator({ flows: 2, nascent: 1024 });
    for (let port = 1; port <= 5; port++) {
      loaded.map("flows_before").update(key(port), asBefore(encode(abi.flow, flow({}))));
    }
    expect(migrate(loaded)).toEqual({ records: 5, failed: 3, error: 7 /* E2BIG */ });
    expect([...loaded.map("flows_before").entries()].length).toBe(5);
  });
});
