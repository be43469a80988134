// SPDX-License-Identifier: Apache-2.0
// Looks whether somebody has taken our hooks off devices or cgroups, for as long as the agent runs, and puts them back.

import type { EbpfDriver } from "../datapath/ebpf/driver.ts";
import type { Log } from "./log.ts";

/** They are back within five seconds. */
const LOOK_MS = 3000;

/** Runs until disposed. A look that fails is logged, once for each reason, and the next one tries again. */
export function keepHooks(driver: Pick<EbpfDriver, "healHooks">, log: Log): Disposable {
  let told: string | undefined;
  const timer = setInterval(() => {
    try {
      const healed = driver.healHooks();
      if (healed.length > 0) log.warn({ hooks: healed.join() }, "somebody has taken hooks of ours off, they are back");
      told = undefined;
    } catch (error) {
      if (told !== String(error)) log.error({ err: error }, "hooks could not be looked after, it is tried again");
      told = String(error);
    }
  }, LOOK_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
