// SPDX-License-Identifier: Apache-2.0
// The row allocator against the plainest model there is: a set of taken rows.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RowPool } from "../../src/datapath/ebpf/row-pool.ts";

const SIZE = 200;

const steps = fc.array(
  fc.oneof(
    fc.record({ take: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ release: fc.nat({ max: 20 }) }),
    fc.record({ reserve: fc.nat({ max: SIZE + 5 }), count: fc.integer({ min: 1, max: 20 }) }),
  ),
  { maxLength: 80 },
);

describe("the row allocator", () => {
  it("never hands a row out twice, and all rows merge again when everything is given back", () => {
    fc.assert(
      fc.property(steps, (list) => {
        const pool = new RowPool(SIZE);
        const runs: [row: number, count: number][] = [];
        const taken = new Set<number>();
        const take = (row: number, count: number) => {
          for (let at = row; at < row + count; at++) {
            expect(at >= 1 && at < SIZE && !taken.has(at)).toBe(true);
            taken.add(at);
          }
          runs.push([row, count]);
        };
        for (const step of list) {
          if ("take" in step) {
            const row = pool.take(step.take);
            if (row !== undefined) take(row, step.take);
          } else if ("reserve" in step) {
            const { reserve, count } = step;
            const free = reserve >= 1 && reserve + count <= SIZE;
            const clean = free && !Array.from({ length: count }, (_, i) => taken.has(reserve + i)).includes(true);
            expect(pool.reserve(reserve, count)).toBe(clean);
            if (clean) take(reserve, count);
          } else {
            const [run] = runs.splice(step.release, 1);
            if (run === undefined) continue;
            pool.release(run[0], run[1]);
            for (let at = run[0]; at < run[0] + run[1]; at++) taken.delete(at);
          }
          expect(pool.freeRows).toBe(SIZE - 1 - taken.size);
        }
        for (const [row, count] of runs) pool.release(row, count);
        expect([pool.take(64), pool.take(64)].sort()).toEqual([128, 64]);
      }),
    );
  });

  it("refuses to take back what it has not handed out", () => {
    const pool = new RowPool(SIZE);
    expect(pool.take(3)).toBe(4);
    pool.release(4, 3);
    expect(() => pool.release(4, 3)).toThrow("row 4 is released but was not taken");
  });
});
