// SPDX-License-Identifier: Apache-2.0
// Session affinity in compiled services (behaviour rows 51 and 52).

import { expect, test } from "vitest";
import { Compiler } from "../../../src/compile/compiler.ts";
import { appear, changes, compile, endpoint, service, slice } from "./manifest.ts";

const STICKY = { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 125 } } };

test("row 51: every port of the Service, in both families, has the affinity", () => {
  const ports = [
    { name: "http", port: 80 },
    { name: "dns", port: 53, protocol: "UDP" },
  ];
  const clusterIPs = ["10.96.0.10", "fd00:96::10"];
  const compiled = compile(service({ ...STICKY, ports, clusterIPs }));
  expect(compiled.map(({ key, affinitySeconds }) => [key, affinitySeconds])).toEqual([
    ["default/web:http/TCP/IPv4", 125],
    ["default/web:dns/UDP/IPv4", 125],
    ["default/web:http/TCP/IPv6", 125],
    ["default/web:dns/UDP/IPv6", 125],
  ]);
});

test("row 51: switching it on and off at runtime, and another timeout, are changes", () => {
  const compiler = new Compiler("here");
  const [off, on] = [service(), service(STICKY)];
  const longer = service({ sessionAffinity: "ClientIP" });
  compiler.update(appear(off, slice([endpoint("10.244.0.2")])));
  const seconds = [
    [off, on],
    [on, longer],
    [longer, off],
  ].map(([before, after]) =>
    compiler.update(changes([[before, after]])).delta.upsert.map((one) => one.affinitySeconds),
  );
  expect(seconds).toEqual([[125], [10800], [0]]);
});
