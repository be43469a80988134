// SPDX-License-Identifier: Apache-2.0
// Looks whether somebody has taken our hooks off devices or cgroups, for as long as the agent runs, and puts them back.

import type { EbpfDriver } from "../datapath/ebpf/driver.ts";
import type { Log } from "./log.ts";

/** All are looked at in three seconds, a part at a time, so that no change waits for that. */
const LOOK_MS = 100;
const PARTS = 30;

/** Runs until disposed. A look that fails is logged, once for each reason, and the next one tries again. */
export function keepHooks(driver: Pick<EbpfDriver, "healHooks">, log: Log): Disposable {
  let told: string | undefined;
  let part = 0;
  const timer = setInterval(() => {
    try {
      part = (part + 1) % PARTS;
      const healed = driver.healHooks(part, PARTS);
      if (healed.length > 0) log.warn({ hooks: healed.join() }, "somebody has taken hooks of ours off, they are back");
      told = undefined;
    } catch (error) {
      if (told !== String(error)) log.error({ err: error }, "hooks could not be looked after, it is tried again");
      told = String(error);
    }
  }, LOOK_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
