// SPDX-License-Identifier: Apache-2.0
// Hooks the devices of this network namespace as on a kernel without TCX. Argument: a bpffs.

import { mapSizeTable } from "../../../src/agent/map-sizes.ts";
import { DeviceHooks } from "../../../src/datapath/ebpf/attach.ts";
import { pinsUnder } from "../../../src/datapath/ebpf/pins.ts";
import { Programs } from "../../../src/datapath/ebpf/programs.ts";
import { Network } from "../../../src/datapath/network.ts";
import { netnsCookie, openNetlink, probeFeatures } from "../../../src/libbpf/index.ts";

const pins = pinsUnder(process.argv[2] ?? "");
using programs = await Programs.load(pins, mapSizeTable({ maxServices: 1024, maxBackends: 1024, maxFlows: 1024 }), {
  hostNetnsCookie: netnsCookie(),
  masqueradeAll: false,
  detectLocalMode: "Device",
  vipPing: false,
  xdp: false,
  snatPorts: { min: 1024, max: 65_535 },
  nodePorts: { min: 30_000, max: 32_767 },
  markBits: { inbound: 29, outbound: 30 },
  features: probeFeatures(),
});
using network = new Network(openNetlink(), (error) => console.error(error));
const hooks = new DeviceHooks(programs, programs.map("devices"), pins, "clsact");
const rules = { uplinkPatterns: ["eth0"], podPatterns: [], nodeAddresses: [] };
for (const { device, error } of hooks.reconcile(network.view(), rules).failed) {
  throw new Error(`${device.name} could not be hooked`, { cause: error });
}
