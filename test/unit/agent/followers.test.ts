// SPDX-License-Identifier: Apache-2.0
// In which order the parts of the agent are told of a change.

import { expect, test } from "vitest";
import { startSource } from "../../../src/agent/followers.ts";
import { NO_CHANGES } from "../../../src/model/changes.ts";
import type { OnChange } from "../../../src/source/source.ts";

test("row 46: silence is taken from a range before Services are published, and comes to one after", async () => {
  const told: string[] = [];
  const tell = (name: string) => (_changes: unknown, sure?: boolean) =>
    void told.push(sure === undefined ? name : `${name}, ${sure ? "sure" : "in doubt"}`);
  const tellServices = tell("services");
  const followers = {
    node: { update: tell("node") },
    services: {
      update: async (...changes: Parameters<typeof tellServices>) => tellServices(...changes),
      troubled: new Set(["Service default/web", "Service default/api"]),
    },
    ranges: { update: tell("ranges"), settle: () => void told.push("ranges settle") },
    health: { update: tell("health") },
    optOuts: { update: tell("opt-outs") },
    driver: { noteProblems: (count: number) => void told.push(`${count} problems`) },
  };
  const changes = { ...NO_CHANGES, synced: true };
  const start = async (onChange: OnChange) => {
    onChange(changes, new Set());
    onChange(changes, new Set(["Service default/web"]));
  };
  await startSource({ start }, followers, false);
  const after = ["health", "opt-outs", "2 problems"];
  expect(told).toEqual([
    ...["node", "ranges, sure", "services, sure", "ranges settle", ...after],
    ...["node", "ranges, in doubt", "services, in doubt", "ranges settle", ...after],
  ]);
});
