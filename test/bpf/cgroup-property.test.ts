// SPDX-License-Identifier: Apache-2.0
// Random histories of Services and unconnected datagram sockets against a model of what a socket may meet.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { Member } from "../../src/compile/state.ts";
import { service } from "../support/compiled.ts";
import { UdpClient } from "../support/loopback.ts";
import { memberOf, type SocketFixture, useSocketDatapath, WAYS, type Way } from "../support/socket-fixture.ts";

const fixture = useSocketDatapath("property");
const SERVER_SETS = [[], ["a"], ["b"], ["a", "b"]] as const;

type Step =
  | { readonly kind: "publish"; readonly vip: number; readonly set: number }
  | { readonly kind: "remove"; readonly vip: number }
  | { readonly kind: "ask"; readonly socket: number; readonly vip: number }
  | { readonly kind: "direct"; readonly socket: number; readonly server: "a" | "b" };

const vip = fc.integer({ min: 1, max: 3 });
const socket = fc.integer({ min: 0, max: 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("publish"), vip, set: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove"), vip }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("ask"), socket, vip }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("direct"), socket, server: fc.constantFrom("a", "b") }) },
);

/** Services as published, and by socket the server that each VIP's datagrams went to. */
class World implements Disposable {
  readonly #way: Way;
  readonly #fixture: SocketFixture;
  readonly #published = new Map<number, readonly string[]>();
  readonly #sockets: readonly { readonly client: UdpClient; readonly used: Map<number, string> }[];

  constructor(way: Way, made: SocketFixture) {
    this.#way = way;
    this.#fixture = made;
    this.#sockets = [0, 1].map(() => ({ client: new UdpClient(way.udp), used: new Map() }));
  }

  async run(one: Step): Promise<void> {
    if (one.kind === "publish") this.#publish(one.vip, SERVER_SETS[one.set] ?? []);
    else if (one.kind === "remove") this.#remove(one.vip);
    else if (one.kind === "ask") await this.#ask(one.socket, one.vip);
    else await this.#direct(one.socket, one.server);
  }

  #publish(n: number, names: readonly string[]): void {
    this.#fixture.datapath.publish(this.#service(n, names));
    this.#published.set(n, names);
    this.#expectNothingOf(n, names);
  }

  #remove(n: number): void {
    this.#fixture.datapath.remove(this.#service(n, []).key);
    this.#published.delete(n);
    this.#expectNothingOf(n, []);
  }

  /** A backend that leaves a Service may come back as another. */
  #expectNothingOf(n: number, staying: readonly string[]): void {
    for (const { used } of this.#sockets) if (!staying.includes(used.get(n) ?? "")) used.delete(n);
  }

  async #ask(position: number, n: number): Promise<void> {
    const names = this.#published.get(n);
    const one = this.#sockets[position];
    if (names === undefined || one === undefined) return; // without a Service the VIP would leave the machine
    if (names.length === 0) {
      await expect(one.client.ask(this.#way.dial(n), 53)).rejects.toMatchObject({ code: "ECONNREFUSED" });
      return;
    }
    const before = one.used.get(n);
    const answer = await one.client.ask(this.#way.dial(n), 53);
    expect(answer.from).toBe(this.#way.shown(n, 53));
    expect(names).toContain(answer.server);
    if (before !== undefined && names.includes(before)) expect(answer.server).toBe(before);
    one.used.set(n, answer.server);
  }

  async #direct(position: number, name: "a" | "b"): Promise<void> {
    const one = this.#sockets[position];
    const server = this.#fixture.servers[this.#way.family].find((candidate) => candidate.name === name);
    if (one === undefined || server === undefined) return;
    const mapped = this.#way.udp === "udp6" && this.#way.family === 4 ? "::ffff:" : "";
    const answer = await one.client.ask(`${mapped}${server.address}`, server.udpPort);
    expect(answer.server).toBe(name);
    expect(answer.from).toContain(`${server.address}`);
    for (const [n, used] of one.used) if (used === name) one.used.delete(n);
  }

  #service(n: number, names: readonly string[]) {
    const servers = this.#fixture.servers[this.#way.family].filter(({ name }) => names.includes(name));
    const cluster: readonly Member[] = servers.map((server) => memberOf(server, "UDP"));
    return service({ name: `random${n}`, at: this.#way.vip(n), port: 53, protocol: "UDP", cluster });
  }

  [Symbol.dispose](): void {
    for (const { client } of this.#sockets) client[Symbol.dispose]();
    for (const n of [...this.#published.keys()]) this.#remove(n);
  }
}

test.each(WAYS)(
  "a $name socket gets answers of the VIP it asked, and keeps its backend while that serves",
  async (way) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        using world = new World(way, fixture());
        for (const one of steps) await world.run(one);
      }),
      { numRuns: 60 },
    );
  },
);
