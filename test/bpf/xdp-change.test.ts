// SPDX-License-Identifier: Apache-2.0
// A transit flow whose Service changes (rows 50 and 58): of datagrams tc is asked whether their endpoint still serves, and once
// it has said so XDP goes on with them; a connection goes on in XDP whatever becomes of its endpoint.

import { describe, expect, test } from "vitest";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { decode, encode } from "../../src/datapath/ebpf/codec.ts";
import { bytes } from "./support/hex.ts";
import { play, type Step, useDatapath } from "./support/scenario.ts";
import { services4, services6 } from "./support/services.ts";
import { transit4, transit6 } from "./support/transit.ts";

describe.each([
  { family: 4, services: services4, transit: transit4 },
  { family: 6, services: services6, transit: transit6 },
])("IPv$family", ({ services, transit }) => {
  const datapath = useDatapath(services);

  /** Its word says that it has changed; its endpoints are the same. */
  async function change(name: string): Promise<void> {
    const id = services.findIndex((service) => service.name === name) + 1;
    const words = await datapath().entries("services");
    const [key, value] = words.find(([one]) => one[0] === id) ?? [];
    if (!key || !value) throw new Error(`no Service ${name}`);
    const word = decode(abi.serviceWord, value);
    await datapath().write("services", [[key, encode(abi.serviceWord, { ...word, epoch: word.epoch + 1 })]]);
  }

  /** The client's last word once more. */
  async function again(steps: readonly Step[], hook: "xdp" | "ingress"): Promise<string> {
    return (await datapath().run(hook, "uplink", bytes(steps.at(-1)?.packet ?? ""))).verdict;
  }

  test.each([
    { proto: "udp", service: "far-dns", verdicts: ["back", "next", "redirect", "back"] },
    { proto: "tcp", service: "far", verdicts: ["back", "back", "redirect", "back"] },
  ] as const)("$proto", async ({ proto, service, verdicts }) => {
    const steps = transit[proto];
    await datapath().forgetFlows();
    for (const { packet } of steps) await datapath().run("ingress", "uplink", bytes(packet));
    const seen = [await again(steps, "xdp")];
    await change(service);
    for (const hook of ["xdp", "ingress", "xdp"] as const) seen.push(await again(steps, hook));
    expect(seen).toEqual(verdicts);
    await play(datapath(), { name: "nothing is left", steps: [] });
  });
});
