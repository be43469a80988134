// SPDX-License-Identifier: Apache-2.0
// The driver that the rows are asked of: PORTOLAN_DRIVER names it, ebpf if nothing does. Later drivers run the same files.

import type { Question } from "./ask.ts";

export interface Driver {
  readonly name: string;
  readonly agentFlags: readonly string[];
  /** Ways of asking that it serves. */
  readonly by: readonly Question["by"][];
}

const DRIVERS: readonly Driver[] = [{ name: "ebpf", agentFlags: ["--mode", "ebpf"], by: ["wire", "socket"] }];

/** Throws for a driver that there is not. */
export function driverUnderTest(): Driver {
  const name = process.env.PORTOLAN_DRIVER ?? "ebpf";
  const driver = DRIVERS.find((known) => known.name === name);
  if (driver) return driver;
  throw new Error(`PORTOLAN_DRIVER=${name}: there are ${DRIVERS.map((known) => known.name).join(", ")}`);
}
