// SPDX-License-Identifier: Apache-2.0
// `portolan status` and `portolan doctor` in the moment between an agent's start and its first complete state; and when
// the cgroup has gone whose sockets were balanced.

import { expect, test } from "vitest";
import { lockPins } from "../../src/agent/lock.ts";
import { mapSizeTable } from "../../src/agent/map-sizes.ts";
import { deviceKey } from "../../src/datapath/ebpf/devices-map.ts";
import { EbpfDriver } from "../../src/datapath/ebpf/driver.ts";
import { attachedLinks } from "../../src/datapath/ebpf/links.ts";
import { mapPin, pinsUnder } from "../../src/datapath/ebpf/pins.ts";
import { openState } from "../../src/datapath/ebpf/state.ts";
import { run } from "../../src/demo/lab/run.ts";
import { portolanCommand } from "../../src/demo/portolan.ts";
import { netnsCookie, openPinnedMap, probeFeatures } from "../../src/libbpf/index.ts";
import { bpffs } from "../support/bpffs.ts";
import { TestCgroup } from "../support/socket-datapath.ts";
import { until } from "../support/until.ts";

/** Ifindex of lo in every network namespace. */
const LOOPBACK = 1;

async function startDriver(mount: { readonly path: string }): Promise<EbpfDriver> {
  const driver = await EbpfDriver.load({
    pins: pinsUnder(mount.path),
    sizes: mapSizeTable({ maxServices: 1024, maxBackends: 4096, maxFlows: 8192 }),
    config: {
      hostNetnsCookie: netnsCookie(),
      masqueradeAll: false,
      detectLocalMode: "Device",
      vipPing: false,
      xdp: false,
      snatPorts: { min: 1024, max: 65_535 },
      nodePorts: { min: 30_000, max: 32_767 },
      markBits: { inbound: 29, outbound: 30 },
      features: probeFeatures(),
    },
    tcAttachment: "tcx",
    nodeName: "n1",
    version: "test",
    onError: (error) => {
      throw error;
    },
  });
  driver.adopt();
  return driver;
}

test("status exits with 3 until the first state is in the kernel, and with 0 from then on", async () => {
  using mount = bpffs();
  using driver = await startDriver(mount);
  const status = () => run([...portolanCommand(), "status", "--bpffs", mount.path]);
  await expect(status()).rejects.toThrow(/exit 3\n.*State: +not yet in the kernel\n/s);
  await driver.sync({ upsert: [], remove: [] });
  expect(await status()).toMatch(/\nState: +in the kernel, last change /);
});

test("doctor exits with 1 until the first state is in the kernel, and where no socket hook hangs on a cgroup", async () => {
  using mount = bpffs();
  using _lock = lockPins(pinsUnder(mount.path)); // as an agent that runs
  using driver = await startDriver(mount);
  const doctor = () => run([...portolanCommand(), "doctor", "--bpffs", mount.path]);
  await expect(doctor()).rejects.toThrow(
    /exit 1\nSEVERITY .*\nerror +state +the Services are not yet in the kernel.*\n$/,
  );
  {
    using cgroup = new TestCgroup("doctor");
    await driver.sync({ upsert: [], remove: [] });
    await expect(doctor()).rejects.toThrow(/exit 1\n.*\nerror +hooks +no socket hook on the node's cgroups, .*\n$/);
    driver.attachSockets(cgroup.path, { protectNodePorts: false });
    // As it stands there where the hooks are clsact filters: known to the programs, and no device has a link.
    using devices = openPinnedMap(mapPin(pinsUnder(mount.path), "devices"));
    devices.update(deviceKey(LOOPBACK), new Uint8Array(devices.valueSize));
    expect(await doctor()).toMatch(/^nothing found; checked: state, .*\n$/);
  }
  await until("the kernel has let go of the links", () => attachedLinks(pinsUnder(mount.path)).size === 0);
  await expect(doctor()).rejects.toThrow(/exit 1\n.*\nerror +hooks +no socket hook on the node's cgroups, .*\n$/);

  // What it calls no fault: these are full where clients are many.
  using state = openState(mount.path);
  const evicting = state.fill().filter(({ evicts }) => evicts);
  expect(evicting.map(({ map }) => map)).toEqual(["nascent", "affinity"]);
});
