// SPDX-License-Identifier: Apache-2.0
// What this kernel can do is what is on record of it, so what docs/kernels.md says.
import { expect, test } from "vitest";
import { readKernelRecord } from "./kernel-record.ts";
import { looked } from "./looked.ts";

test("the kernel can do what docs/kernels.md says, no more and no less", () => {
  // Debian mends its kernels: they keep what they can do.
  expect({ ...looked, release: "" }).toEqual({ ...readKernelRecord(process.env.PORTOLAN_KERNEL ?? ""), release: "" });
});
