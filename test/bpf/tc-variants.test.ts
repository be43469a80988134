// SPDX-License-Identifier: Apache-2.0
// The programs as they are loaded on other kernels and with other settings: every constant of config.bpf.h that the
// agent sets, with what it changes on the wire.

import { describe, expect, test } from "vitest";
import { u16 } from "./support/datapath.ts";
import { bytes, dump } from "./support/hex.ts";
import { MARK_IN, MARK_OUT, useDatapath } from "./support/scenario.ts";
import { services4, services6 } from "./support/services.ts";
import { faultOf } from "./support/valid-packet.ts";
import { u32 } from "./support/world.ts";

const u64 = (value: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(value).buffer);

const request4 = bytes(`
  020000000021 02000000ff10 0800
  45000028 00014000 40062665 0a00000a 0a600001
  c350 0050 00001001 00000000 5002ffff c7d6 0000`);
const translated4 = bytes(`
  020000000021 02000000ff10 0800
  45000028 00014000 400626b2 0a00000a 0a000014
  c350 1f90 00001001 00000000 5002ffff a8e3 0000`);
const masqueraded4 = bytes(`
  020000000021 02000000ff10 0800
  45000028 00014000 40066eba c0000201 0a000014
  9c40 1f90 00001001 00000000 5002ffff 17fc 0000`);
const fromOutside4 = bytes(`
  020000000011 02000000ff99 0800
  45000028 00014000 4006f468 cb007105 0a600001
  c350 0050 00001001 00000000 5002ffff 95da 0000`);
const request6 = bytes(`
  020000000021 02000000ff10 86dd
  6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001
  c350 0050 00001001 00000000 5002ffff e198 0000`);
const translated6 = bytes(`
  020000000021 02000000ff10 86dd
  6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020
  c350 1f90 00001001 00000000 5002ffff c2cf 0000`);

test("the packets below are valid", () => {
  const all = [request4, translated4, masqueraded4, request6, translated6, fromOutside4];
  expect(all.map(faultOf)).toEqual(all.map(() => undefined));
});

describe("without the conntrack lookup and BPF_F_IPV6 (kernels before 5.18 and 6.16)", () => {
  const old = { rodata: { has_conntrack: u32(0), csum_ipv6_flag: u64(0n) } };
  const datapath = useDatapath([...services4, ...services6], old);

  test("the same bytes leave", async () => {
    expect(dump((await datapath().run("ingress", "client", request4)).data)).toBe(dump(translated4));
    expect(dump((await datapath().run("ingress", "client", request6)).data)).toBe(dump(translated6));
  });
});

describe("with other mark bits", () => {
  const bits = { rodata: { mark_in: u32(0x100), mark_out: u32(0x200) } };
  const datapath = useDatapath(services4, bits);

  test("they are set and heeded, and the usual ones mean nothing", async () => {
    expect(await datapath().run("ingress", "client", request4, 0x100)).toMatchObject({ mark: 0x100, data: request4 });
    const { mark, data } = await datapath().run("ingress", "client", request4, MARK_IN | MARK_OUT);
    expect({ mark, data: dump(data) }).toEqual({ mark: 0x100 | MARK_IN | MARK_OUT, data: dump(translated4) });
  });
});

describe("with masquerade_all", () => {
  const datapath = useDatapath(services4, { rodata: { masquerade_all: u32(1) } });

  test("a pod's connection through a ClusterIP is masqueraded too", async () => {
    const { data } = await datapath().run("ingress", "client", request4);
    expect(dump(data)).toBe(dump(translated4));
    expect(dump((await datapath().run("egress", "server", data)).data)).toBe(dump(masqueraded4));
  });
});

describe("as a dry run", () => {
  const datapath = useDatapath(services4, { rodata: { dry_run: u32(1) } });

  test("nothing is recorded, counted or sent, whatever comes", async () => {
    const packets = ["ingress client", "ingress uplink", "ingress portA", "egress client"] as const;
    for (const place of packets) {
      const [hook, device] = place.split(" ") as ["ingress" | "egress", "client" | "uplink" | "portA"];
      const { mark, data } = await datapath().run(hook, device, request4);
      expect({ place, mark, data: dump(data) }).toEqual({ place, mark: 0, data: dump(request4) });
    }
    expect(await datapath().flows()).toEqual([]);
    expect(await datapath().counters()).toEqual({});
  });
});

describe("without a usable port", () => {
  const datapath = useDatapath(services4, { rodata: { snat_port_min: u16(30000), snat_port_max: u16(32767) } });

  test("what needs no port is served, what needs one is refused by name", async () => {
    expect(dump((await datapath().run("ingress", "client", request4)).data)).toBe(dump(translated4));
    expect((await datapath().run("ingress", "uplink", request4)).verdict).toBe("next");
    expect((await datapath().run("ingress", "uplink", fromOutside4)).verdict).toBe("drop");
    expect(await datapath().counters()).toMatchObject({ "drops.snat_exhausted": 1 });
  });
});
