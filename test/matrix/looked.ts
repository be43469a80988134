// SPDX-License-Identifier: Apache-2.0
// In the guest: what the look at its kernel found, for tests that not every kernel allows.

import { readFileSync } from "node:fs";
import type { KernelRecord } from "./kernel-record.ts";

export const looked: KernelRecord = JSON.parse(readFileSync(process.env.PORTOLAN_LOOK ?? "", "utf8")) as KernelRecord;
