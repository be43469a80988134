// SPDX-License-Identifier: Apache-2.0
// An RST that the end it is for does not believe (RFC 5961) closes no flow for good: the connection may be idle for hours.

import { begun4, begun6 } from "./support/begun.ts";
import { MARK_IN, MARK_OUT, type Step, table } from "./support/scenario.ts";
import { services4, services6 } from "./support/services.ts";

/** A segment's flags, its checksum between client and VIP, and between client and endpoint. */
type Segment = readonly [flags: string, outside: string, inside: string];

const IPV4 = {
  toVip: "45000028 00014000 40062665 0a00000a 0a600001",
  toEndpoint: "45000028 00014000 400626b2 0a00000a 0a000014",
  fromEndpoint: "45000028 00014000 400626b2 0a000014 0a00000a",
  fromVip: "45000028 00014000 40062665 0a600001 0a00000a",
  type: "0800",
  bytes: 54,
  ack: ["5010", "a7c7", "88d4"],
  rst: ["5014", "a7c3", "88d0"],
  flow: "flows owner 10.0.0.10:50000 > 10.96.0.1:80 > 10.0.0.20:8080 answered",
  begun: [begun4.webSyn, begun4.webSynAck],
} as const;

const IPV6 = {
  toVip: "6000000000140640 fd000000000000000000000000000010 fd000096000000000000000000000001",
  toEndpoint: "6000000000140640 fd000000000000000000000000000010 fd000000000000000000000000000020",
  fromEndpoint: "6000000000140640 fd000000000000000000000000000020 fd000000000000000000000000000010",
  fromVip: "6000000000140640 fd000096000000000000000000000001 fd000000000000000000000000000010",
  type: "86dd",
  bytes: 74,
  ack: ["5010", "c189", "a2c0"],
  rst: ["5014", "c185", "a2bc"],
  flow: "flows owner [fd00::10]:50000 > [fd00:96::1]:80 > [fd00::20]:8080 answered",
  begun: [begun6.webSyn, begun6.webSynAck],
} as const;

for (const [title, way, services] of [
  ["IPv4", IPV4, services4],
  ["IPv6", IPV6, services6],
] as const) {
  const counts = { "web.packets": 1, "web.bytes": way.bytes };
  const client = ([flags, outside, inside]: Segment): Step => ({
    at: "ingress client",
    packet: `020000000021 02000000ff10 ${way.type} ${way.toVip} c350 0050 00001001 00002001 ${flags}ffff ${outside} 0000`,
    verdict: "next",
    out: `020000000021 02000000ff10 ${way.type} ${way.toEndpoint} c350 1f90 00001001 00002001 ${flags}ffff ${inside} 0000`,
    markOut: MARK_IN,
    counts,
  });
  const endpoint = ([flags, outside, inside]: Segment): Step => ({
    at: "egress client",
    packet: `02000000ff10 020000000021 ${way.type} ${way.fromEndpoint} 1f90 c350 00001001 00002001 ${flags}ffff ${inside} 0000`,
    verdict: "next",
    out: `02000000ff10 020000000021 ${way.type} ${way.fromVip} 0050 c350 00001001 00002001 ${flags}ffff ${outside} 0000`,
    markOut: MARK_OUT,
    counts,
  });
  const begun = [...way.begun, client(way.ack)];

  table(`resets over ${title}`, services, [
    {
      name: "the client's RST closes, whatever the client sent before it",
      steps: [...begun, client(way.rst), client(way.ack)],
      flows: [`${way.flow} rst rst_client`],
    },
    {
      name: "an endpoint that talks on after the client's RST has not taken it",
      steps: [...begun, client(way.rst), endpoint(way.ack)],
      flows: [way.flow],
    },
    {
      name: "an endpoint that answers it with an RST has",
      steps: [...begun, client(way.rst), endpoint(way.rst)],
      flows: [`${way.flow} rst rst_client`],
    },
    {
      name: "the endpoint's RST closes, whatever the endpoint sent before it",
      steps: [...begun, endpoint(way.rst), endpoint(way.ack)],
      flows: [`${way.flow} rst`],
    },
    {
      name: "a client that talks on after the endpoint's RST has not taken it",
      steps: [...begun, endpoint(way.rst), client(way.ack)],
      flows: [way.flow],
    },
  ]);
}
