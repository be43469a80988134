// SPDX-License-Identifier: Apache-2.0
// What nft 1.0.6 lists of our table, read back. The texts are its own.
import { expect, test } from "vitest";
import { readElements, readTable } from "../../../src/datapath/nftables/listing.ts";

const META = '{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}';
const TRANSLATION =
  '{"dnat": {"family": "ip", "addr": {"map": {"key": {"numgen": {"mode": "random", "mod": 2, "offset": 5000}}, "data": "@endpoints4-tcp-3"}}}}';
const TABLE = `{"nftables": [${META}, {"table": {"family": "inet", "name": "portolan", "handle": 1}},
  {"map": {"family": "inet", "name": "endpoints4-tcp-3", "table": "portolan", "type": "integer", "handle": 1, "map": "ipv4_addr . inet_service"}},
  {"set": {"family": "inet", "name": "hairpins4", "table": "portolan", "type": ["ipv4_addr", "ipv4_addr"], "handle": 4}},
  {"chain": {"family": "inet", "table": "portolan", "name": "a", "handle": 6}},
  {"chain": {"family": "inet", "table": "portolan", "name": "b", "handle": 7}},
  {"rule": {"family": "inet", "table": "portolan", "chain": "a", "handle": 25, "comment": "0123456789abcdef", "expr": [{"jump": {"target": "m"}}]}},
  {"rule": {"family": "inet", "table": "portolan", "chain": "a", "handle": 26, "expr": [${TRANSLATION}]}}]}`;

test("chains with their seals and the maps that they choose from", () => {
  expect(readTable(TABLE)).toEqual({
    names: ["endpoints4-tcp-3", "hairpins4"],
    chains: [
      { name: "a", seal: "2 0123456789abcdef", shards: ["endpoints4-tcp-3"] },
      { name: "b", seal: "", shards: [] },
    ],
  });
});

test.each([
  [
    '{"map": {"name": "frontends4", "type": ["ipv4_addr", "inet_proto", "inet_service"], "map": "verdict", "elem": [[{"concat": ["10.96.0.1", 6, 80]}, {"goto": {"target": "internal4-x/y"}}], [{"concat": ["10.96.0.2", 132, 80]}, {"drop": null}]]}}',
    [
      { of: "frontends4", key: "10.96.0.1 . 6 . 80", value: "goto internal4-x/y" },
      { of: "frontends4", key: "10.96.0.2 . 132 . 80", value: "drop" },
    ],
  ],
  [
    '{"set": {"name": "hairpins6", "type": ["ipv6_addr", "ipv6_addr"], "elem": [{"concat": ["fd00::1", "fd00::1"]}]}}',
    [{ of: "hairpins6", key: "fd00::1 . fd00::1", value: "" }],
  ],
  [
    '{"set": {"name": "nodeport-ips6", "type": "ipv6_addr", "elem": ["fd00::1"]}}',
    [{ of: "nodeport-ips6", key: "fd00::1", value: "" }],
  ],
  ['{"set": {"name": "nodeport-ips4", "type": "ipv4_addr"}}', []],
])("elements, in the words in which they were written: %s", (listed, elements) => {
  expect(readElements(`{"nftables": [${META}, ${listed}]}`)).toEqual(elements);
});
