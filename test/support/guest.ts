// SPDX-License-Identifier: Apache-2.0
// What is different where tests run in a guest of test/matrix, on an emulated processor.
import type { AgentStart } from "../../src/demo/portolan.ts";

/** By the bundle, as people start it: to compile the source takes minutes there, as does checking the programs. */
export const GUEST_AGENT: Required<Pick<AgentStart, "command" | "timeoutMs">> = {
  command: [process.execPath, "dist/portolan.js"],
  timeoutMs: 480_000,
};

/** The kernel that run.sh has booted. */
export const inGuest: boolean = process.env.PORTOLAN_KERNEL !== undefined;

/** Of a deadline that is no measurement: what takes a moment elsewhere takes many there. */
export const patience = (ms: number): number => (inGuest ? 5 * ms : ms);
