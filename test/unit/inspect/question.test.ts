// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { formatEndpoint, parseEndpoint } from "../../../src/inspect/endpoint.ts";
import { parseBatchLine, parseQuestion } from "../../../src/inspect/question.ts";
import type { Ip } from "../../../src/model/ip.ts";

test.each([
  ["203.0.113.2", "172.30.0.41:80", ["203.0.113.2", 40000, "172.30.0.41", 80, "TCP"]],
  ["203.0.113.2:1234", "172.30.0.41:53/udp", ["203.0.113.2", 1234, "172.30.0.41", 53, "UDP"]],
  ["203.0.113.2", "172.30.0.41:38412/sctp", ["203.0.113.2", 40000, "172.30.0.41", 38412, "SCTP"]],
  ["2001:db8::1", "[2001:db8::2]:80/TCP", ["2001:db8::1", 40000, "2001:db8::2", 80, "TCP"]],
  ["[2001:db8::1]:1234", "[2001:DB8:0::2]:80", ["2001:db8::1", 1234, "2001:db8::2", 80, "TCP"]],
])("the arguments %s %s are understood", (source, destination, expected) => {
  expect(Object.values(parseQuestion(source, destination))).toEqual(expected);
});

test.each([
  ["here", "172.30.0.41:80", '"here" is no source: write ADDRESS or ADDRESS:PORT, IPv6 as [ADDRESS]:PORT'],
  ["10.0.0.1", "172.30.0.41", '"172.30.0.41" is no destination: write ADDRESS:PORT[/PROTO], IPv6 as [ADDRESS]:PORT'],
  [
    "10.0.0.1",
    "172.30.0.41:0",
    '"172.30.0.41:0" is no destination: write ADDRESS:PORT[/PROTO], IPv6 as [ADDRESS]:PORT',
  ],
  ["10.0.0.1", "172.30.0.41:80/DCCP", 'protocol "DCCP": must be TCP, UDP or SCTP'],
  ["10.0.0.1", "[fd00::1]:80", "10.0.0.1 and fd00::1 are of different families: no packet goes from one to the other"],
])("the arguments %s %s are refused", (source, destination, message) => {
  expect(() => parseQuestion(source, destination)).toThrow(message);
});

test("a line of --batch is understood", () => {
  const line = '{"src":"203.0.113.2","sport":40001,"dst":"172.30.0.41","dport":80,"proto":"TCP"}';
  expect(Object.values(parseBatchLine(line))).toEqual(["203.0.113.2", 40001, "172.30.0.41", 80, "TCP"]);
});

test.each([
  ["[1]", 'not an object: write {"src":"…","sport":40000,"dst":"…","dport":80,"proto":"TCP"}'],
  ['{"dst":"10.0.0.1","dport":80}', '"src" is undefined: must be an IP address'],
  ['{"src":"10.0.0.2","dst":"10.0.0.1","dport":70000}', '"dport" is 70000: must be a port, 1 to 65535'],
])("the line %s is refused", (line, message) => {
  expect(() => parseBatchLine(line)).toThrow(message);
});

test("endpoints of both families are written and read", () => {
  expect(formatEndpoint("10.0.0.1" as Ip, 80)).toBe("10.0.0.1:80");
  expect(formatEndpoint("fd00::1" as Ip, 80)).toBe("[fd00::1]:80");
  expect(parseEndpoint("[fd00::1]:80")).toEqual({ address: "fd00::1", port: 80 });
  expect(parseEndpoint("fd00::1:80")).toBeUndefined();
});
