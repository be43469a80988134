// SPDX-License-Identifier: Apache-2.0
// Row 66: what a load balancer is told.

import { expect, test } from "vitest";
import { healthAnswer } from "../../../src/health/answer.ts";

const NOW = new Date("2026-03-04T05:06:07Z");

test("row 66: a Service with local endpoints answers 200 with kube-proxy's headers and body", () => {
  const answer = healthAnswer({ namespace: "shop", name: "web", localEndpoints: 12, healthy: true }, NOW);
  const body =
    '{\n\t"service": {\n\t\t"namespace": "shop",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 12,\n\t"serviceProxyHealthy": true\n}';
  expect(answer).toEqual({
    status: 200,
    headers: [
      "Content-Type",
      "application/json",
      "X-Content-Type-Options",
      "nosniff",
      "X-Load-Balancing-Endpoint-Weight",
      "12",
      "Date",
      "Wed, 04 Mar 2026 05:06:07 GMT",
      "Content-Length",
      "112",
    ],
    body,
  });
});

test.each([
  [0, true],
  [0, false],
  [3, false],
])("row 66: with %i local endpoints, served: %s, it answers 503 and says so", (localEndpoints, healthy) => {
  const { status, headers, body } = healthAnswer({ namespace: "a", name: "b", localEndpoints, healthy }, NOW);
  expect(status).toBe(503);
  expect(headers[5]).toBe(String(localEndpoints));
  expect(body).toContain(`\t"localEndpoints": ${localEndpoints},\n\t"serviceProxyHealthy": ${healthy}\n}`);
});
