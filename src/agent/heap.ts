// SPDX-License-Identifier: Apache-2.0
// The memory of a long-lived agent: V8 sizes its heap for throughput, and left alone an idle agent would go on holding
// what it took to read the whole cluster once.

import { Session } from "node:inspector";

/**
 * Collects all garbage soon and closes the gaps between what is left, as a debugger asks for it: V8 by itself waits
 * until as much again has been allocated, which in a quiet agent is never. Stops the event loop while it runs, some
 * 100 ms at 100 000 endpoints.
 */
export function collectGarbage(): void {
  const session = new Session();
  session.connect();
  // To disconnect within the answer would wait for the answer to end, for ever.
  session.post("HeapProfiler.collectGarbage", () => setImmediate(() => session.disconnect()));
}
