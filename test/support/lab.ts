// SPDX-License-Identifier: Apache-2.0
// A lab for one test file: made before its tests, taken down after them, failed or not.
import { afterAll, beforeAll } from "vitest";
import { Lab } from "../../src/demo/lab/lab.ts";
import type { LabOptions } from "../../src/demo/lab/plan.ts";

/** Call inside describe(); the function it returns gives the lab from within tests and later hooks. */
export function useLab(options: LabOptions = {}): () => Lab {
  let lab: Lab | undefined;
  beforeAll(async () => {
    lab = await Lab.create(options);
  });
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });
  return () => {
    if (lab === undefined) throw new Error("the lab is there only while tests run");
    return lab;
  };
}
