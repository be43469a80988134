// SPDX-License-Identifier: Apache-2.0
// Session affinity on the wire (behaviour rows 51-53, 56): which endpoint a client's next connection goes to.

import { beforeEach, describe, expect, test } from "vitest";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { decode, encode } from "../../src/datapath/ebpf/codec.ts";
import { ipFromBytes } from "../../src/model/ip.ts";
import { bootSeconds } from "../support/flow-tables.ts";
import { buildPacket } from "./support/build-packet.ts";
import { type Datapath, type Settings, u16 } from "./support/datapath.ts";
import { useDatapath } from "./support/scenario.ts";
import type { DeviceName } from "./support/topology.ts";
import { address, end, type Service, serviceEntries } from "./support/world.ts";

const TIMEOUT = 10_800;
/** Of five endpoints, forty independent choices are the same as another forty once in 5^40 runs. */
const MANY = 40;

const FAMILIES = [
  { family: 4, vip: "10.96.0.", external: "198.51.100.", client: "10.0.0.", endpoint: "10.200.0." },
  { family: 6, vip: "fd00:96::", external: "2001:db8:51::", client: "fd00::", endpoint: "fd00:200::" },
] as const;

const at = (host: string, port: number) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);

type Family = (typeof FAMILIES)[number];

/** Endpoint n is ...N:8080. */
const endpoints = ({ endpoint }: Family, numbers: readonly number[]) => numbers.map((n) => at(endpoint + n, 8080));
const FIVE = [21, 22, 23, 24, 25];

function web(family: Family, numbers: readonly number[] = FIVE, more: Partial<Service> = {}): Service {
  const frontend = at(`${family.vip}1`, 80);
  const rest = { frontend, endpoints: endpoints(family, numbers), affinity: TIMEOUT, ...more };
  return { name: "web", proto: "tcp", kind: "ClusterIP", ...rest };
}

/** What a test asks of one datapath. */
class Clients {
  readonly #datapath: Datapath;
  readonly #family: Family;
  #port = 20_000;

  constructor(datapath: Datapath, family: Family) {
    this.#datapath = datapath;
    this.#family = family;
  }

  /** Last number of the endpoint that a new connection of a client goes to. Every one has a port of its own. */
  async connect(host: number, options: { to?: string; port?: number; device?: DeviceName; udp?: boolean } = {}) {
    const { to = `${this.#family.vip}1`, port = 80, device = "client", udp = false } = options;
    const { family, client } = this.#family;
    const packet = buildPacket({
      device,
      family,
      proto: udp ? "udp" : "tcp",
      source: client + host,
      sourcePort: this.#port++,
      destination: to,
      destinationPort: port,
      flags: 2,
      payload: new Uint8Array(),
    });
    const { verdict, data } = await this.#datapath.run("ingress", device, packet);
    expect(verdict).toBe("next");
    const bytes = family === 4 ? data.subarray(30, 34) : data.subarray(38, 54);
    const text = ipFromBytes(family === 4 ? Uint8Array.of(...address("0.0.0.0").subarray(0, 12), ...bytes) : bytes);
    return Number(text.replace(/.*[.:]/, ""));
  }

  /** The same of clients 1 to count. */
  async connectAll(count: number, options: Parameters<Clients["connect"]>[1] = {}): Promise<readonly number[]> {
    const chosen: number[] = [];
    for (let host = 1; host <= count; host++) chosen.push(await this.connect(host, options));
    return chosen;
  }
}

async function memories(datapath: Datapath): Promise<readonly { key: Uint8Array; memory: abi.Affinity }[]> {
  return (await datapath.entries("affinity")).map(([key, value]) => ({ key, memory: decode(abi.affinity, value) }));
}

async function remember(datapath: Datapath, key: Uint8Array, memory: abi.Affinity): Promise<void> {
  await datapath.write("affinity", [[key, encode(abi.affinity, memory)]]);
}

/** Lets this many seconds pass for every memory. */
async function age(datapath: Datapath, seconds: number): Promise<void> {
  for (const { key, memory } of await memories(datapath)) {
    await remember(datapath, key, { ...memory, lastUsed: memory.lastUsed - seconds });
  }
}

function useClients(family: Family, services: readonly Service[], settings: Settings = {}) {
  const rodata = { snat_port_min: u16(1024), snat_port_max: u16(65535) };
  const datapath = useDatapath(services, { ...settings, rodata });
  beforeEach(async () => {
    await datapath().forgetFlows();
    const keys = (await datapath().entries("affinity")).map(([key]) => key);
    await datapath().remove("affinity", keys);
    await datapath().remove(
      "client_netns",
      (await datapath().entries("client_netns")).map(([key]) => key),
    );
    for (const [map, entries] of Object.entries(serviceEntries(services))) await datapath().write(map, entries);
  });
  const publish = async (...changed: readonly Service[]) => {
    for (const [map, entries] of Object.entries(serviceEntries(changed))) await datapath().write(map, entries);
  };
  return { datapath, publish, clients: () => new Clients(datapath(), family) };
}

describe.each(FAMILIES)("IPv$family", (family) => {
  describe("one service port", () => {
    const { datapath, publish, clients } = useClients(family, [web(family)]);

    test("row 51: a client comes to one endpoint from whatever port", async () => {
      const asking = clients();
      const chosen = new Set<number>();
      for (let i = 0; i < 200; i++) chosen.add(await asking.connect(10));
      expect(chosen.size).toBe(1);
    });

    test("row 53: as many clients as come keep an endpoint each, and all endpoints serve", async () => {
      const asking = clients();
      const chosen = await asking.connectAll(250);
      expect([...new Set(chosen)].sort()).toEqual(FIVE);
      expect(await asking.connectAll(250)).toEqual(chosen);
    });

    test("row 52: the timeout counts from the last connection, and every connection begins it anew", async () => {
      const asking = clients();
      const chosen = await asking.connectAll(MANY);
      await age(datapath(), TIMEOUT - 5);
      expect(await asking.connectAll(MANY)).toEqual(chosen);
      const now = bootSeconds();
      for (const { memory } of await memories(datapath())) expect(now - memory.lastUsed).toBeLessThan(5);
      await age(datapath(), TIMEOUT - 5);
      expect(await asking.connectAll(MANY)).toEqual(chosen);
    });

    test("row 52: after the timeout a client gets a new choice, and keeps that", async () => {
      const asking = clients();
      const chosen = await asking.connectAll(MANY);
      await age(datapath(), TIMEOUT + 2);
      const anew = await asking.connectAll(MANY);
      expect(anew).not.toEqual(chosen);
      expect(await asking.connectAll(MANY)).toEqual(anew);
    });

    test("row 56: with an endpoint gone its clients choose anew and keep that; the others stay", async () => {
      const asking = clients();
      const chosen = await asking.connectAll(MANY);
      await publish(web(family, [22, 24, 25]));
      const after = await asking.connectAll(MANY);
      expect([...new Set(after)].sort()).toEqual([22, 24, 25]);
      const stays = (endpoint: number | undefined) => endpoint !== 21 && endpoint !== 23;
      expect(after.filter((_, i) => stays(chosen[i]))).toEqual(chosen.filter(stays));
      expect(await asking.connectAll(MANY)).toEqual(after);
      await publish(web(family));
      expect(await asking.connectAll(MANY)).toEqual(after);
    });

    test("row 51: what clients had of the id's earlier service, or before affinity was switched off, is void", async () => {
      const asking = clients();
      const chosen = await asking.connectAll(MANY);
      await publish(web(family, FIVE, { affinityEpoch: 2 }));
      expect(await asking.connectAll(MANY)).not.toEqual(chosen);
    });

    test("row 51: without affinity nothing is remembered", async () => {
      const { affinity: _, ...plain } = web(family);
      await publish(plain);
      expect(new Set(await clients().connectAll(MANY)).size).toBeGreaterThan(1);
      expect(await memories(datapath())).toEqual([]);
    });

    test("row 51: an address that a pod's sockets use is that pod", async () => {
      const asking = clients();
      await datapath().write("client_netns", [
        [address(`${family.client}7`), encode(abi.clientNetns, { cookie: 4711n })],
        [address(`${family.client}8`), encode(abi.clientNetns, { cookie: 4711n })],
      ]);
      const chosen = await asking.connect(7);
      for (let i = 0; i < MANY; i++) expect(await asking.connect(i % 2 === 0 ? 7 : 8)).toBe(chosen);
      const keys = (await memories(datapath())).map(({ key }) => decode(abi.affinityKey, key));
      expect(keys).toEqual([{ netns: 4711n, client: new Uint8Array(16), service: 1 }]);
    });
  });

  describe("two ports of a Service, and two frontends of a port", () => {
    const { datapath, clients } = useClients(family, [
      web(family),
      web(family, FIVE, { name: "web-tls", frontend: at(`${family.vip}1`, 443) }),
      web(family, FIVE, { name: "web-udp", frontend: at(`${family.vip}1`, 80), proto: "udp" }),
    ]);

    test("row 51: ports are independent", async () => {
      const asking = clients();
      const chosen = await asking.connectAll(MANY);
      const others = [{ port: 443 }, { udp: true }];
      for (const other of others) {
        const own = await asking.connectAll(MANY, other);
        expect(own).not.toEqual(chosen);
        expect(await asking.connectAll(MANY, other)).toEqual(own);
      }
      expect(await asking.connectAll(MANY)).toEqual(chosen);
    });

    test("row 51: frontends of one port share", async () => {
      const asking = clients();
      const to = `${family.external}9`;
      const key = encode(abi.frontendKey, { ...end(at(to, 80)), proto: 6 });
      const second = { service: 1, kind: abi.FrontendKind.FRONTEND_LOAD_BALANCER, flags: 0 };
      await datapath().write("frontends", [[key, encode(abi.frontend, second)]]);
      expect(await asking.connectAll(MANY, { to })).toEqual(await asking.connectAll(MANY));
    });
  });

  describe("policy Local", () => {
    const to = `${family.external}1`;
    const local = web(family, FIVE, {
      kind: "externalIP",
      frontend: at(to, 80),
      local: 2,
      flags: abi.BlockFlags.BLOCK_EXTERNAL_LOCAL,
    });
    const { clients } = useClients(family, [local]);

    test("row 56: an endpoint that the policy does not offer here is not used, and the new choice is kept", async () => {
      const asking = clients();
      const fromPods = await asking.connectAll(MANY, { to });
      expect([...new Set(fromPods)].sort()).toEqual(FIVE);
      const outside = await asking.connectAll(MANY, { to, device: "uplink" });
      expect(new Set(outside)).toEqual(new Set([21, 22]));
      for (const [i, chosen] of fromPods.entries()) if (chosen < 23) expect(outside[i]).toBe(chosen);
      expect(await asking.connectAll(MANY, { to })).toEqual(outside);
    });
  });

  describe("a thousand endpoints", () => {
    const all = Array.from({ length: 1000 }, (_, i) => i + 1);
    const many = (numbers: readonly number[]) =>
      web(family, [], { endpoints: numbers.map((n) => at(`${family.endpoint}9`, 1000 + n)) });
    const { datapath, publish, clients } = useClients(family, [many(all)], {
      sizes: { backends: 2048, backend_stats: 2048 },
    });

    const ports = async () =>
      (await memories(datapath())).map(({ key, memory }) => [Buffer.from(key).toString("hex"), memory.port]);

    test("row 56: an endpoint is found wherever it stands now", async () => {
      const asking = clients();
      await asking.connectAll(MANY);
      const before = await ports();
      expect(new Set(before.map(([, port]) => port)).size).toBeGreaterThan(MANY / 2);
      await publish(many([...all.slice(700), ...all.slice(0, 700)]));
      await asking.connectAll(MANY);
      expect((await ports()).sort()).toEqual(before.sort());
    });
  });
});
