// SPDX-License-Identifier: Apache-2.0
// spec.sessionAffinity of a Service (behaviour rows 51 and 52): what is read, and what is warned about and served all
// the same.

import { expect, test } from "vitest";
import { readDocument } from "../../../src/source/manifest-document.ts";

function read(spec: object) {
  const ports = [{ port: 80 }];
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web" },
    spec: { clusterIP: "10.96.0.10", ports, ...spec },
  };
  const { objects, findings } = readDocument(JSON.stringify(service), "json", (text) => text);
  const [object] = objects;
  if (object?.kind !== "Service") throw new Error("no Service was read");
  return { seconds: object.affinitySeconds, ports: object.ports.length, findings };
}

const clientIp = (timeoutSeconds: unknown) => ({
  sessionAffinity: "ClientIP",
  sessionAffinityConfig: { clientIP: { timeoutSeconds } },
});

test.each([
  ["nothing", {}, 0],
  ["None", { sessionAffinity: "None" }, 0],
  ["None with a leftover timeout", { ...clientIp(100), sessionAffinity: "None" }, 0],
  ["ClientIP", { sessionAffinity: "ClientIP" }, 10800],
  ["ClientIP with an empty config", { sessionAffinity: "ClientIP", sessionAffinityConfig: {} }, 10800],
  [
    "ClientIP with an empty clientIP",
    { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: null } },
    10800,
  ],
  ["the least timeout", clientIp(1), 1],
  ["the greatest timeout", clientIp(86400), 86400],
])("row 51: sessionAffinity with %s", (_what, spec, seconds) => {
  expect(read(spec)).toEqual({ seconds, ports: 1, findings: [] });
});

const at = (timeout: string) =>
  `Service default/web: spec.sessionAffinityConfig.clientIP.timeoutSeconds: ${timeout} is not a whole number from 1 to 86400 (until then the rest of it counts)`;

test.each([
  ["no timeout", clientIp(0), 10800, at("0")],
  ["a timeout beyond a day", clientIp(86401), 10800, at("86401")],
  ["half a second", clientIp(0.5), 10800, at("0.5")],
  ["a timeout in words", clientIp("1h"), 10800, at('"1h"')],
  [
    "a config that is no object",
    { sessionAffinity: "ClientIP", sessionAffinityConfig: 5 },
    10800,
    "Service default/web: spec.sessionAffinityConfig: must be an object with named fields (until then the rest of it counts)",
  ],
  [
    "another affinity",
    { ...clientIp(100), sessionAffinity: "Cookie" },
    0,
    'Service default/web: spec.sessionAffinity: "Cookie" is not known: use None, ClientIP (until then the rest of it counts)',
  ],
  [
    "an affinity that is no string",
    { sessionAffinity: true },
    0,
    "Service default/web: spec.sessionAffinity: true must be a string: put it in quotes (until then the rest of it counts)",
  ],
])("row 52: %s is warned about, and the Service served", (_what, spec, seconds, message) => {
  const { findings, ...served } = read(spec);
  expect(served).toEqual({ seconds, ports: 1 });
  expect(findings.map(({ severity, message }) => ({ severity, message }))).toEqual([{ severity: "warning", message }]);
});
