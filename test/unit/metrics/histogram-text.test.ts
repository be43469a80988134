// SPDX-License-Identifier: Apache-2.0
// Histograms that others have counted, as Prometheus reads them.

import { expect, test } from "vitest";
import { histogramText } from "../../../src/metrics/histogram-text.ts";
import { parseExposition } from "../../support/prometheus.ts";

test("buckets add up, what is above the last bound counts too, and labels stand behind le", () => {
  const text = histogramText(
    "a_seconds",
    "How long",
    [0.5, 2],
    [
      { counts: [3, 0, 1], sum: 7.25 },
      { labels: { verb: "GET", host: "[::1]:6443" }, counts: [0, 2], sum: 3 },
    ],
  );
  expect(text).toBe(`# HELP a_seconds How long
# TYPE a_seconds histogram
a_seconds_bucket{le="0.5"} 3
a_seconds_bucket{le="2"} 3
a_seconds_bucket{le="+Inf"} 4
a_seconds_sum 7.25
a_seconds_count 4
a_seconds_bucket{le="0.5",verb="GET",host="[::1]:6443"} 0
a_seconds_bucket{le="2",verb="GET",host="[::1]:6443"} 2
a_seconds_bucket{le="+Inf",verb="GET",host="[::1]:6443"} 2
a_seconds_sum{verb="GET",host="[::1]:6443"} 3
a_seconds_count{verb="GET",host="[::1]:6443"} 2
`);
  expect(parseExposition(text).get("a_seconds")?.type).toBe("histogram");
});
