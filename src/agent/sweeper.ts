// SPDX-License-Identifier: Apache-2.0
// Lets the kernel delete expired flows every few seconds.

import type { EbpfDriver } from "../datapath/ebpf/driver.ts";
import type { Log } from "./log.ts";

const SWEEP_INTERVAL_MS = 5000;

/** Runs until disposed. A run that fails is logged and the next one tries again. */
export function startSweeper(driver: Pick<EbpfDriver, "sweep">, log: Log): Disposable {
  const timer = setInterval(() => {
    try {
      log.debug(driver.sweep(), "swept");
    } catch (error) {
      log.error({ err: error }, "sweeping expired flows failed");
    }
  }, SWEEP_INTERVAL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
