// SPDX-License-Identifier: Apache-2.0
// Scenario `sync`: how long Services take into the kernel. For each size: the first write of everything, then changes
// of single endpoints, each read back from the pinned map by another process before it counts, then a restart with
// nothing changed.

import { mapSizeTable } from "../agent/map-sizes.ts";
import { Compiler } from "../compile/compiler.ts";
import type { ApplyReport } from "../datapath/contract.ts";
import { EbpfDriver } from "../datapath/ebpf/driver.ts";
import { pinsUnder } from "../datapath/ebpf/pins.ts";
import { batchOtherThreads, netnsCookie, probeFeatures } from "../libbpf/index.ts";
import { type ModelChanges, NO_CHANGES } from "../model/changes.ts";
import { stolenCpuMs } from "./machine.ts";
import { type BenchRecord, quantile, summarize } from "./record.ts";
import { SERVICE_PORT, SyncModel } from "./sync-model.ts";
import { SyncReader } from "./sync-reader.ts";

export interface SyncSize {
  readonly services: number;
  readonly endpoints: number;
  readonly changes: number;
}

/** bpffs: an empty bpf file system. script: the file that runs `portolan`, for the reading process. */
export async function benchSync(size: SyncSize, bpffs: string, script: string): Promise<readonly BenchRecord[]> {
  batchOtherThreads(); // as the agent does
  const model = new SyncModel(size.services, size.endpoints);
  const record = (metric: string, unit: string, values: readonly number[]) =>
    summarize(
      {
        scenario: "sync",
        competitor: "portolan",
        params: { services: size.services, endpoints: size.endpoints },
        metric,
        unit,
      },
      values,
    );
  using driver = await openDriver(size, bpffs);
  driver.adopt();
  const compiler = new Compiler("this-node");
  const cold = await coldWrite(model, compiler, driver);
  using reader = await SyncReader.start(script, bpffs);
  const stolenBefore = stolenCpuMs();
  const changes = await changeEndpoints(model, size.changes, compiler, driver, reader);
  const stolen = stolenCpuMs() - stolenBefore;
  const restart = await restartUnchanged(model, size, bpffs);
  return [
    record("cold_compile", "ms", [cold.compileMs]),
    record("cold_write", "ms", [cold.writeMs]),
    record("change_p50", "ms", [quantile(changes, 0.5)]),
    record("change_p99", "ms", [quantile(changes, 0.99)]),
    record("change_max", "ms", [quantile(changes, 1)]),
    record("change_cpu_stolen", "ms", [stolen]),
    record("restart_adopt_and_sync", "ms", [restart.ms]),
    record("restart_writes", "writes", [writes(restart.report)]),
  ];
}

function openDriver(size: SyncSize, bpffs: string): Promise<EbpfDriver> {
  return EbpfDriver.load({
    pins: pinsUnder(bpffs),
    sizes: mapSizeTable({
      maxServices: Math.max(1024, size.services * 2),
      maxBackends: Math.max(4096, size.services * size.endpoints * 2),
      maxFlows: 8192,
    }),
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
    nodeName: "this-node",
    version: "bench",
    onError: (error) => {
      throw error;
    },
  });
}

async function coldWrite(
  model: SyncModel,
  compiler: Compiler,
  driver: EbpfDriver,
): Promise<{ compileMs: number; writeMs: number }> {
  const begin = performance.now();
  const { delta } = compiler.update(wholeModel(model));
  const compiled = performance.now();
  await driver.sync(delta);
  return { compileMs: compiled - begin, writeMs: performance.now() - compiled };
}

/** Milliseconds of each change, sorted: from the changed EndpointSlice to the published word. */
async function changeEndpoints(
  model: SyncModel,
  count: number,
  compiler: Compiler,
  driver: EbpfDriver,
  reader: SyncReader,
): Promise<readonly number[]> {
  const tookMs: number[] = [];
  for (let n = 0; n < count; n++) {
    const { service, previous, current, added, removed } = model.change(Math.random);
    const begin = performance.now();
    const { delta } = compiler.update({
      ...NO_CHANGES,
      synced: true,
      endpointSlices: [{ previous, current }],
    });
    await driver.apply(delta);
    tookMs.push(performance.now() - begin);
    const [address] = service.clusterIps;
    const seen = address === undefined ? [] : await reader.endpoints(address, SERVICE_PORT);
    if (!seen.includes(added) || seen.includes(removed)) {
      throw new Error(`change ${n} of ${service.name}: the other process reads ${seen.join(" ")}, without ${added}`);
    }
  }
  return tookMs.sort((a, b) => a - b);
}

async function restartUnchanged(
  model: SyncModel,
  size: SyncSize,
  bpffs: string,
): Promise<{ ms: number; report: ApplyReport }> {
  const compiler = new Compiler("this-node");
  const { delta } = compiler.update(wholeModel(model));
  const begin = performance.now();
  using driver = await openDriver(size, bpffs);
  driver.adopt();
  const report = await driver.sync(delta);
  return { ms: performance.now() - begin, report };
}

function writes(report: ApplyReport): number {
  return (
    report.servicesWritten +
    report.servicesRemoved +
    report.frontendsWritten +
    report.frontendsRemoved +
    report.backendsWritten
  );
}

function wholeModel(model: SyncModel): ModelChanges {
  const added = <T>(current: T) => ({ previous: undefined, current });
  const [services, endpointSlices] = [model.services.map(added), model.slices.map(added)];
  return { ...NO_CHANGES, synced: true, services, endpointSlices };
}
