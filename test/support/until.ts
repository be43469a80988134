// SPDX-License-Identifier: Apache-2.0
// Waits for a condition with a deadline, instead of sleeping.

import { patience } from "./guest.ts";

const PAUSE_MS = 20;

/** Resolves once the condition holds; rejects, naming what was waited for, after timeoutMs. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number = patience(10_000),
  pauseMs: number = PAUSE_MS,
): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; !(await condition()); ) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
