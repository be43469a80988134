// SPDX-License-Identifier: Apache-2.0
// `portolan status` in the moment between an agent's start and its first complete state.

import { expect, test } from "vitest";
import { mapSizeTable } from "../../src/agent/map-sizes.ts";
import { EbpfDriver } from "../../src/datapath/ebpf/driver.ts";
import { pinsUnder } from "../../src/datapath/ebpf/pins.ts";
import { run } from "../../src/demo/lab/run.ts";
import { portolanCommand } from "../../src/demo/portolan.ts";
import { netnsCookie, probeFeatures } from "../../src/libbpf/index.ts";
import { bpffs } from "../support/bpffs.ts";

test("status exits with 3 until the first state is in the kernel, and with 0 from then on", async () => {
  using mount = bpffs();
  using driver = new EbpfDriver({
    pins: pinsUnder(mount.path),
    sizes: mapSizeTable({ maxServices: 1024, maxBackends: 4096, maxFlows: 8192 }),
    config: {
      hostNetnsCookie: netnsCookie(),
      masqueradeAll: false,
      detectLocalMode: "Device",
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
  const status = () => run([...portolanCommand(), "status", "--bpffs", mount.path]);
  await expect(status()).rejects.toThrow(/exit 3\n.*State: +not yet in the kernel\n/s);
  driver.sync({ upsert: [], remove: [] });
  expect(await status()).toMatch(/\nState: +in the kernel, last change /);
});
