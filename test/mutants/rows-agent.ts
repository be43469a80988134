// SPDX-License-Identifier: Apache-2.0
// Rows of what the agent says of itself.
import type { RowMutant } from "./rows.ts";

export const AGENT_ROWS: readonly RowMutant[] = [
  {
    row: 68,
    what: "a node that is to go stays healthy",
    file: "src/health/node-health.ts",
    from: "const good = healthy && node.nodeEligible !== false;",
    to: "const good = healthy;",
    test: "test/unit/health/node-health.test.ts",
  },
  {
    row: 68,
    what: "one Service without room takes the node from all",
    file: "src/agent/attempt.ts",
    from: 'concernsOneService(error) ? "services" : "kernel"',
    to: '"kernel"',
    test: "test/unit/agent/service-follower.test.ts",
  },
  {
    row: 69,
    what: "/livez tells of the node",
    file: "src/health/node-health.ts",
    from: "return healthAnswer(this.#status(this.#options.keepsUp), now, {});",
    to: "return healthAnswer(this.#status(this.#options.keepsUp), now, { nodeEligible: true });",
    test: "test/unit/health/node-health.test.ts",
  },
  {
    row: 70,
    what: "nobody is told the mode",
    file: "src/agent/status-servers.ts",
    from: '"/proxyMode": () =>',
    to: '"/proxymode": () =>',
    test: "test/netns/node-health.test.ts",
  },
  {
    row: 70,
    what: "a Service without any endpoint counts as one without local ones",
    file: "src/metrics/no-local-endpoints.ts",
    from: "if (!service.hasAnyEndpoints || service.local.length > 0) return [];",
    to: "if (service.local.length > 0) return [];",
    test: "test/unit/metrics/sync-metrics.test.ts",
  },
  {
    row: 81,
    what: "another time of the last change is a change",
    file: "src/model/changes.ts",
    from: "const { changeTriggeredMs: _, ...rest } = object;",
    to: "const rest = object;",
    test: "test/unit/metrics/sync-metrics.test.ts",
  },
  {
    row: 71,
    what: "an address that is taken is given up",
    file: "src/health/route-server.ts",
    from: "this.#retry = setTimeout(() => this.#open(), RETRY_MS);",
    to: "this.#retry = undefined;",
    test: "test/netns/node-health.test.ts",
  },
  {
    row: 72,
    what: "an Event is lost when no server answers at once",
    file: "src/source/kubernetes/events.ts",
    from: "if (!mayPass || tries === MAX_TRIES) return error;",
    to: "return error;",
    test: "test/unit/source/kubernetes/events.test.ts",
  },
];
