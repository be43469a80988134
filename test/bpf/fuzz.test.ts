// SPDX-License-Identifier: Apache-2.0
// A million packets, no two alike, through both tc programs: every rewrite is one that the reference model allows, with
// checksums as right as they were; everything else comes out byte for byte; every drop has a name.

import { describe, expect, test } from "vitest";
import { type Mutation, useMutant } from "../support/mutant.ts";
import { Datapath, u16 } from "./support/datapath.ts";
import { useDatapath } from "./support/scenario.ts";
import { services4, services6 } from "./support/services.ts";

const PACKETS = Number(process.env.PORTOLAN_FUZZ_PACKETS ?? 1_000_000);
/** Half a minute on a core of its own. */
const TIMEOUT_MS = 900_000;
/** A fault must show within so many. */
const FAULTY_PACKETS = 50_000;

const anyPort = { snat_port_min: u16(1024), snat_port_max: u16(65535) };
const services = [...services4, ...services6];
/** No record is evicted in a round of the fuzzer. */
const sizes = { flows: 1 << 18, nascent: 1 << 18 };

describe("packets changed at random", () => {
  const datapath = useDatapath(services, { rodata: anyPort, sizes });

  test(
    `${PACKETS} of them meet what the model says`,
    async () => {
      const seed = Number(process.env.PORTOLAN_SEED ?? Date.now() % 2 ** 31);
      console.log(`fuzz: seed ${seed} (PORTOLAN_SEED repeats it)`);
      const report = await datapath().fuzz(seed, PACKETS);
      console.log(JSON.stringify(report, null, 2));
      expect(report.faults).toEqual([]);
      expect(report.packets).toBe(PACKETS);
      expect(report.aimed).toBeGreaterThan(PACKETS / 3);
      // row 48; one Service of five is SCTP's
      expect(report.protocols[132]).toBeGreaterThan(PACKETS / 50);
      expect(report.unnamed).toBe(0);
      expect(report.drops.malformed).toBe(report.kinds.malformed);
      expect(report.kinds.malformed).toBeGreaterThan(PACKETS / 100);
    },
    TIMEOUT_MS,
  );

  const faults: Readonly<Record<string, Mutation>> = {
    "the checksum does not follow a port": {
      file: "packet.bpf.h",
      from: "err |= bpf_l4_csum_replace(skb, p->l4_csum, *old_port, port, mangled | 2);",
      to: "",
    },
    "row 48: an SCTP checksum does not follow a port": {
      file: "sctp.bpf.h",
      from: "return checksum ? checksum ^ crc32c_change(difference, length) : 0;",
      to: "return checksum;",
    },
    "row 48: an SCTP checksum of 0 is changed": {
      file: "sctp.bpf.h",
      from: "return checksum ? checksum ^ crc32c_change(difference, length) : 0;",
      to: "return checksum ^ crc32c_change(difference, length);",
    },
    "row 48: an INIT ACK begins an association": {
      file: "sctp.bpf.h",
      from: "return TCP_SYN | TCP_ACK;",
      to: "return TCP_SYN;",
    },
    "a UDP checksum of 0 is filled in": {
      file: "packet.bpf.h",
      from: "p->proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;",
      to: "0;",
    },
    "an answer comes from the backend's port": {
      file: "tc.bpf.c",
      from: "set_end(skb, p, true, &owner->vip, owner->vip_port)",
      to: "set_end(skb, p, true, &owner->vip, owner->backend_port)",
    },
    "the backend sees an address that is not its device's": {
      file: "begin.bpf.h",
      from: "flow->snat = addr_is_v4(&flow->backend) ? out->snat4 : out->snat6;",
      to: "flow->snat = flow->vip;",
    },
    "what only passes through does not age": { file: "packet.bpf.h", from: "ttl--;", to: "" },
    "a refusal is not counted": { file: "begin.bpf.h", from: "count_refusal(chosen.service, -err);", to: "" },
    "a datagram longer than its packet is taken for whole": {
      file: "packet.bpf.h",
      from: "return p->fragment || skb->gso_size || p->l4 + length <= p->end;",
      to: "return true;",
    },
    "what is malformed goes past a VIP": {
      file: "tc.bpf.c",
      from: "return reason && is_vip_alone(address_flags(&w->packet.dst)) ? drop(-(__s32)reason) : TC_NEXT;",
      to: "return TC_NEXT;",
    },
    "a packet that is cut off is taken for whole": {
      file: "packet.bpf.h",
      from: "return header < 20 || (!p->fragment && p->l4 + header > p->end) ? MALFORMED : 0;",
      to: "return 0;",
    },
  };

  test.each(Object.entries(faults))("a planted fault is found: %s", async (name, mutation) => {
    using _mutant = useMutant(mutation);
    const settings = { rodata: anyPort, sizes };
    const faulty = await Datapath.load(datapath().machine, services, settings);
    const { faults, packets, unnamed } = await faulty.fuzz(1, FAULTY_PACKETS);
    console.log(`${name}: ${faults[0] ?? `${unnamed} packets dropped without a name`}, in ${packets} packets`);
    expect(faults.length > 0 || unnamed > 0).toBe(true);
  });
});
