// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { filterRows, type RowFilter } from "../../../src/inspect/filter.ts";

const ROWS = [
  { id: "web", service: "default/web:http", protocol: "TCP", addresses: ["10.96.0.1:80", "[fd00::1]:80"] },
  { id: "dns", service: "kube-system/dns:udp", protocol: "UDP", addresses: ["10.96.0.10:53"] },
  { id: "unnamed", service: "default/web2", protocol: "TCP", addresses: ["10.96.0.12:80"] },
  { id: "direct", service: null, protocol: "TCP", addresses: ["10.0.0.5:22"] },
];

test.each<[RowFilter, string[]]>([
  [{}, ["web", "dns", "unnamed", "direct"]],
  [{ namespace: "default" }, ["web", "unnamed"]],
  [{ service: "web" }, ["web"]],
  [{ service: "web:http" }, ["web"]],
  [{ service: "default/web" }, ["web"]],
  [{ service: "default/web:http" }, ["web"]],
  [{ service: "default/web2" }, ["unnamed"]],
  [{ service: "web", namespace: "kube-system" }, []],
  [{ address: "10.96.0.1" }, ["web"]],
  [{ address: "fd00::1" }, ["web"]],
  [{ address: "[fd00::1]:80" }, ["web"]],
  [{ address: "10.96.0.1:81" }, []],
  [{ protocol: "udp" }, ["dns"]],
  [{ protocol: "TCP", address: "10.0.0.5" }, ["direct"]],
])("the filter %j leaves %j", (filter, expected) => {
  expect(filterRows(ROWS, filter, (row) => row.addresses).map((row) => row.id)).toEqual(expected);
});
