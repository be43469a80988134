// SPDX-License-Identifier: Apache-2.0
// Row 44 on the wire: which packets a frontend with source ranges lets begin a connection, by source, family, protocol
// and kind of frontend. What is translated, and how, is in the other tables.

import { describe, expect, test } from "vitest";
import { craftPacket } from "../../src/inspect/packet.ts";
import { familyOf, type Ip, ipToBytes, parseIp } from "../../src/model/ip.ts";
import type { Counters } from "./support/datapath.ts";
import { bytes } from "./support/hex.ts";
import { useDatapath } from "./support/scenario.ts";
import { type DeviceName, macOf } from "./support/topology.ts";
import { encodeVerdict, end, type FrontendKind, type Service, sourceEntries } from "./support/world.ts";

const LB: readonly FrontendKind[] = ["LoadBalancer"];
const RULES4 = ["+203.0.113.0/24", "-203.0.113.128/25", "+203.0.113.200/32", "+10.0.0.0/24", "+0.0.0.0/32"];
const RULES6 = ["+2001:db8:113::/64", "-2001:db8:113::8000/113", "+2001:db8:113::8200/128", "+fd00::/120", "+::/128"];

function service(name: string, kind: FrontendKind, frontend: string, more: Partial<Service> = {}): Service {
  const v6 = frontend.startsWith("[");
  const endpoints = v6 ? ["[fd00::20]:8080"] : ["10.0.0.20:8080"];
  const sources = { kinds: LB, set: v6 ? 2 : 1, rules: v6 ? RULES6 : RULES4 };
  return { name, proto: "tcp", kind, frontend, endpoints, sources, ...more };
}

const everyKind: readonly FrontendKind[] = ["LoadBalancer", "NodePort", "externalIP", "ClusterIP"];
const services: readonly Service[] = [
  service("lb", "LoadBalancer", "198.18.0.1:80"),
  service("lb-udp", "LoadBalancer", "198.18.0.1:53", { proto: "udp" }),
  service("lb6", "LoadBalancer", "[2001:db8:18::1]:80"),
  service("lb6-udp", "LoadBalancer", "[2001:db8:18::1]:53", { proto: "udp" }),
  service("empty", "LoadBalancer", "198.18.0.2:80", { endpoints: [] }),
  service("empty6", "LoadBalancer", "[2001:db8:18::2]:80", { endpoints: [] }),
  // the ranges of these hold for LoadBalancer addresses
  service("port", "NodePort", "0.0.0.0:30080"),
  service("port6", "NodePort", "[::]:30080"),
  service("external", "externalIP", "198.51.100.1:80"),
  service("cluster", "ClusterIP", "10.96.0.1:80"),
  // and of these for all
  service("all-port", "NodePort", "0.0.0.0:30081", { sources: { kinds: everyKind, set: 1, rules: [] } }),
  service("all-port6", "NodePort", "[::]:30081", { sources: { kinds: everyKind, set: 2, rules: [] } }),
  service("all-external", "externalIP", "198.51.100.2:80", { sources: { kinds: everyKind, set: 1, rules: [] } }),
  service("all-cluster", "ClusterIP", "10.96.0.2:80", { sources: { kinds: everyKind, set: 1, rules: [] } }),
  // another set, and none
  service("denies", "LoadBalancer", "198.18.0.3:80", {
    sources: { kinds: LB, set: 3, rules: ["+0.0.0.0/0", "-203.0.113.5/32"] },
  }),
  service("closed", "LoadBalancer", "198.18.0.4:80", { sources: { kinds: LB, set: 0, rules: [] } }),
  service("open", "LoadBalancer", "198.18.0.5:80", { sources: { kinds: [], set: 0, rules: [] } }),
  service("changing", "LoadBalancer", "198.18.0.6:80", { sources: { kinds: LB, set: 4, rules: ["+203.0.113.0/24"] } }),
];

const ip = (text: string): Ip => parseIp(text) ?? (text as Ip);
const packetAddress = (text: string) => ipToBytes(ip(text)).subarray(familyOf(ip(text)) === 4 ? 12 : 0);

/** The first packet from source to a service's frontend; a NodePort is asked for at the node's address. */
function first(source: string, to: Service, device: DeviceName, sourcePort = 50_000): Uint8Array {
  const { addr, port } = end(to.frontend);
  const v6 = to.frontend.startsWith("[");
  const node = packetAddress(v6 ? "2001:db8:2::1" : "192.0.2.1");
  const destination = to.kind === "NodePort" ? node : addr.subarray(v6 ? 0 : 12);
  const protocol = to.proto === "tcp" ? "TCP" : "UDP";
  const spec = { source: packetAddress(source), destination, sourcePort, destinationPort: port, protocol } as const;
  const frame = craftPacket(spec);
  frame.set(bytes(macOf(device)));
  return frame;
}

/** The same packet with ACK for SYN, or so: the checksum grows by what the flags lose (RFC 1624). */
function withFlags(packet: Uint8Array, flags: number): Uint8Array {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const tcp = packet.length - 20;
  const sum = view.getUint16(tcp + 16) + (view.getUint8(tcp + 13) - flags) + 0xffff;
  view.setUint8(tcp + 13, flags);
  view.setUint16(tcp + 16, (sum & 0xffff) + (sum >>> 16));
  return packet;
}

describe("row 44: a frontend with source ranges", () => {
  const datapath = useDatapath(services);

  async function ask(name: string, device: DeviceName, packet: (to: Service) => Uint8Array) {
    const to = services.find((one) => one.name === name);
    if (to === undefined) throw new Error(`no service ${name}`);
    const before = await datapath().counters();
    const { verdict } = await datapath().run("ingress", device, packet(to));
    const after = await datapath().counters();
    const moved = (counter: string) => (after[counter] ?? 0) - (before[counter] ?? 0);
    const counted: Counters = {
      connections: moved(`${name}.connections`),
      rejects: moved(`${name}.rejects`),
      source_range: moved("drops.source_range"),
    };
    return { verdict: verdict === "drop" ? "drop" : "goes on", ...counted };
  }

  const SERVED = { verdict: "goes on", connections: 1, rejects: 0, source_range: 0 };
  const DROPPED = { verdict: "drop", connections: 0, rejects: 1, source_range: 1 };

  test.each<[service: string, device: DeviceName, source: string, served: boolean]>([
    ["lb", "uplink", "203.0.113.5", true],
    ["lb", "uplink", "203.0.113.127", true],
    ["lb", "uplink", "203.0.113.128", false], // the longer prefix denies
    ["lb", "uplink", "203.0.113.200", true], // the longest admits
    ["lb", "uplink", "203.0.114.5", false], // in none
    ["lb", "client", "10.0.0.10", true], // pods are asked like everybody
    ["lb", "client", "10.0.9.9", false],
    ["lb", "uplink", "0.0.0.0", false], // stands for the node's own sockets, not for packets
    ["lb-udp", "uplink", "203.0.113.5", true],
    ["lb-udp", "uplink", "203.0.113.128", false],
    ["lb6", "uplink", "2001:db8:113::5", true],
    ["lb6", "uplink", "2001:db8:113::8000", false],
    ["lb6", "uplink", "2001:db8:113::8200", true],
    ["lb6", "uplink", "2001:db8:113:1::5", false],
    ["lb6", "client", "fd00::10", true],
    ["lb6", "client", "fd00::9:9", false],
    ["lb6", "uplink", "::", false],
    ["lb6-udp", "uplink", "2001:db8:113::5", true],
    ["lb6-udp", "uplink", "2001:db8:113::8000", false],
    // other kinds of frontends are not asked for, unless they are
    ["port", "uplink", "203.0.114.5", true],
    ["port6", "uplink", "2001:db8:113:1::5", true],
    ["external", "uplink", "203.0.114.5", true],
    ["cluster", "client", "10.0.9.9", true],
    ["all-port", "uplink", "203.0.114.5", false],
    ["all-port", "uplink", "203.0.113.5", true],
    ["all-port6", "uplink", "2001:db8:113:1::5", false],
    ["all-port6", "uplink", "2001:db8:113::5", true],
    ["all-external", "uplink", "203.0.114.5", false],
    ["all-external", "uplink", "203.0.113.5", true],
    ["all-cluster", "client", "10.0.9.9", false],
    ["all-cluster", "client", "10.0.0.10", true],
    // sets know nothing of each other
    ["denies", "uplink", "203.0.113.5", false],
    ["denies", "uplink", "203.0.114.5", true],
    ["closed", "uplink", "203.0.113.5", false],
    ["open", "uplink", "203.0.114.5", true],
  ])("%s, by %s, from %s: served %s", async (name, device, source, served) => {
    await datapath().forgetFlows();
    expect(await ask(name, device, (to) => first(source, to, device))).toEqual(served ? SERVED : DROPPED);
  });

  test.each<[service: string, admitted: string, other: string]>([
    ["empty", "203.0.113.5", "203.0.114.5"],
    ["empty6", "2001:db8:113::5", "2001:db8:113:1::5"],
  ])("%s, without endpoints, refuses whom it would serve and is silent to others", async (name, admitted, other) => {
    const refused = { verdict: "goes on", connections: 0, rejects: 1, source_range: 0 };
    expect(await ask(name, "uplink", (to) => first(admitted, to, "uplink"))).toEqual(refused);
    expect(await ask(name, "uplink", (to) => first(other, to, "uplink"))).toEqual(DROPPED);
  });

  test.each<[service: string, admitted: string, other: string]>([
    ["lb", "203.0.113.5", "203.0.114.5"],
    ["lb6", "2001:db8:113::5", "2001:db8:113:1::5"],
  ])("%s resets an ACK out of the blue, but is silent to those it does not serve", async (name, admitted, other) => {
    await datapath().forgetFlows();
    const ack = (source: string) => (to: Service) => withFlags(first(source, to, "uplink"), 0x10);
    const reset = { verdict: "goes on", connections: 0, rejects: 1, source_range: 0 };
    expect(await ask(name, "uplink", ack(admitted))).toEqual(reset);
    expect(await ask(name, "uplink", ack(other))).toEqual(DROPPED);
  });

  test("row 50: a connection that was begun before its client's range went goes on, a new one does not begin", async () => {
    await datapath().forgetFlows();
    const from = (port: number) => (to: Service) => first("203.0.113.5", to, "uplink", port);
    const later = (to: Service) => withFlags(from(50_000)(to), 0x10);
    expect(await ask("changing", "uplink", from(50_000))).toEqual(SERVED);
    const narrowed = sourceEntries({ sources: { kinds: LB, set: 4, rules: ["-203.0.113.0/24"] } });
    await datapath().write("source_ranges", narrowed.map(encodeVerdict));
    expect(await ask("changing", "uplink", later)).toEqual({ ...SERVED, connections: 0 });
    expect(await ask("changing", "uplink", from(50_001))).toEqual(DROPPED);
  });
});
