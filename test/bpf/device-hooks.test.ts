// SPDX-License-Identifier: Apache-2.0
// Hooks of devices whose attaching did not come to its end: nothing of them stays, in the map or among the links.

import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { DeviceHooks } from "../../src/datapath/ebpf/attach.ts";
import { decode } from "../../src/datapath/ebpf/codec.ts";
import { deviceKey, knownDevices } from "../../src/datapath/ebpf/devices-map.ts";
import { dropLink, ensureLink } from "../../src/datapath/ebpf/links.ts";
import { pinsUnder } from "../../src/datapath/ebpf/pins.ts";
import { FakeMap, FakeProgram } from "../../src/libbpf/fake.ts";
import { BpfError, openObject } from "../../src/libbpf/index.ts";
import { compileFixture } from "../support/bpf-fixture.ts";
import { bpffs } from "../support/bpffs.ts";
import { address, defaultRoute, link, network, veth } from "../unit/devices/builders.ts";

const RULES = { uplinkPatterns: [], podPatterns: [], nodeAddresses: [] };
/** No device of this machine has so great an index. */
const IFINDEX = 2_000_000_000;

class RefusedProgram extends FakeProgram {
  refuse = true;
  override attachTc(ifindex: number, direction: "ingress" | "egress"): void {
    if (this.refuse) throw new BpfError({ syscall: "attach", errno: -19, object: this.name, hint: "fake" });
    super.attachTc(ifindex, direction);
  }
}

test("a device that goes while it is attached to leaves nothing in the map; one that stays is attached to later", () => {
  const directory = mkdtempSync(join(tmpdir(), "pt-hooks-"));
  const pins = pinsUnder(directory);
  mkdirSync(pins.links, { recursive: true });
  try {
    const map = new FakeMap({ name: "devices", type: 1, keySize: 4, valueSize: abi.device.size, maxEntries: 8 });
    const ingress = new RefusedProgram("pt_ingress");
    const hooks = new DeviceHooks({ ingress, egress: new FakeProgram("pt_egress") }, map, pins, "clsact");
    const pod = network({ links: [veth(IFINDEX, "v_gone")] });
    expect(hooks.reconcile(network({}), RULES).removed).toEqual([]);

    expect(hooks.reconcile(pod, RULES)).toMatchObject({ added: [], failed: [{ error: { code: "ENODEV" } }] });
    expect(hooks.reconcile(network({}), RULES).removed).toEqual([IFINDEX]);
    expect(knownDevices(map)).toEqual([]);

    expect(hooks.reconcile(pod, RULES).failed).toHaveLength(1);
    ingress.refuse = false;
    expect(hooks.reconcile(pod, RULES)).toMatchObject({ added: [{ name: "v_gone" }], changed: [], failed: [] });
    expect([...ingress.attachments]).toEqual([`clsact/ingress of ${IFINDEX}`]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("row 38: pods told by the name of their interface are pods until the programs that ask no more are in place", () => {
  const directory = mkdtempSync(join(tmpdir(), "pt-hooks-"));
  const pins = pinsUnder(directory);
  mkdirSync(pins.links, { recursive: true });
  try {
    const map = new FakeMap({ name: "devices", type: 1, keySize: 4, valueSize: abi.device.size, maxEntries: 8 });
    const said = () =>
      [...map.entries()].map(([, value]) => decode(abi.device, value).flags & abi.DeviceFlags.DEVICE_LOCAL);
    const seen: (readonly number[])[] = [];
    class NotingProgram extends FakeProgram {
      override attachTc(ifindex: number, direction: "ingress" | "egress"): void {
        seen.push(said());
        super.attachTc(ifindex, direction);
      }
    }
    const agent = () =>
      new DeviceHooks({ ingress: new NotingProgram("in"), egress: new NotingProgram("out") }, map, pins, "clsact");
    const pod = network({ links: [veth(IFINDEX, "v_pod")] });
    agent().reconcile(pod, { ...RULES, isLocalInterface: (name) => name.startsWith("v_") });
    expect(said()).toEqual([64]);
    seen.length = 0;
    const next = agent();
    next.reconcile(pod, RULES);
    expect(seen).toEqual([[64], [64]]);
    expect(said()).toEqual([0]);
    expect(next.reconcile(pod, RULES).changed).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

/** ifindex → flags */
function flagsIn(map: FakeMap): Readonly<Record<number, number>> {
  return Object.fromEntries(
    knownDevices(map).map((ifindex) => [
      ifindex,
      decode(abi.device, map.lookup(deviceKey(ifindex)) ?? new Uint8Array()).flags,
    ]),
  );
}

test("row 14: an agent that finds neither route nor address goes on serving through what an earlier one served through", () => {
  const directory = mkdtempSync(join(tmpdir(), "pt-hooks-"));
  const pins = pinsUnder(directory);
  mkdirSync(pins.links, { recursive: true });
  try {
    const map = new FakeMap({ name: "devices", type: 1, keySize: 4, valueSize: abi.device.size, maxEntries: 8 });
    const agent = () => {
      const ingress = new FakeProgram("pt_ingress");
      return {
        ingress,
        hooks: new DeviceHooks({ ingress, egress: new FakeProgram("pt_egress") }, map, pins, "clsact"),
      };
    };
    const [uplink, card, plain] = [IFINDEX, IFINDEX + 1, IFINDEX + 2];
    const links = [link(uplink, "up0"), link(card, "eth1"), link(plain, "extra0")];
    const rules = { ...RULES, uplinkPatterns: ["extra*"] };
    const whole = { addresses: [address(card, [192, 0, 2, 1])], defaultRoutes: [defaultRoute(uplink)] };
    const first = agent();
    first.hooks.reconcile(network({ links, ...whole }), rules);
    expect(flagsIn(map)).toEqual({ [uplink]: 1, [card]: 1, [plain]: 1 });
    const renamed = [link(uplink, "up0"), link(card, "eth1"), link(plain, "plain0")];
    expect(first.hooks.reconcile(network({ links: renamed }), rules).removed).toEqual([plain]);

    const second = agent();
    second.hooks.adopt();
    expect(second.hooks.reconcile(network({ links }), RULES)).toMatchObject({
      added: [{ name: "up0" }, { name: "eth1" }],
      removed: [],
    });
    expect(flagsIn(map)).toEqual({ [uplink]: 1, [card]: 1 });
    expect(second.ingress.attachments.size).toBe(2);
    expect(second.hooks.reconcile(network({ links: links.slice(1) }), RULES).removed).toEqual([uplink]);
    expect(second.hooks.reconcile(network({ links }), RULES)).toMatchObject({ added: [], removed: [] });
    const pod = { ...RULES, podPatterns: ["eth1"] };
    expect(second.hooks.reconcile(network({ links }), pod)).toMatchObject({ changed: [{ role: { pod: true } }] });

    // Of another network namespace: nothing is adopted, all of it goes.
    expect(agent().hooks.reconcile(network({ links }), RULES).removed).toEqual([card]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a link that a killed agent pinned beside the one in force goes when that is taken over", () => {
  const cgroup = `/sys/fs/cgroup/unified/pt-${randomBytes(4).toString("hex")}`;
  mkdirSync(cgroup);
  try {
    using fixture = compileFixture("addon");
    using pins = bpffs();
    using object = openObject(fixture.path);
    using loaded = object.load();
    const program = loaded.program("refuse_connect");
    const links = join(pins.path, "links");
    mkdirSync(links);
    const pin = join(links, "cgroup-connect4");
    const ensure = (isWanted: boolean) =>
      ensureLink(
        pin,
        program,
        () => isWanted,
        () => program.attachCgroup(cgroup, "connect4"),
      );
    ensure(true);
    {
      using beside = program.attachCgroup(cgroup, "connect4");
      beside.pin(`${pin}-new`);
    }
    ensure(true);
    expect(readdirSync(links)).toEqual(["cgroup-connect4"]);
    dropLink(pin);
    expect(readdirSync(links)).toEqual([]);
  } finally {
    rmdirSync(cgroup);
  }
});
