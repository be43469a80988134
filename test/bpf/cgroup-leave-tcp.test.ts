// SPDX-License-Identifier: Apache-2.0
// Established TCP sockets of Services that want their connections ended with their endpoint (row 61, by option), and of
// all others.

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { LoadedBpfObject } from "../../src/libbpf/index.ts";
import { member, service } from "../support/compiled.ts";
import { TcpClient } from "../support/loopback.ts";
import { memberOf, useSocketDatapath, WAYS } from "../support/socket-fixture.ts";

const fixture = useSocketDatapath("leave-tcp");

/** Who destroys: the program, as from kernel 6.5 on, or who reads what it says, by sock_diag. */
const BY = ["program", "sock_diag"] as const;

describe.each(BY.flatMap((by) => WAYS.map((way) => ({ ...way, by }))))("by $by: a connected $name socket", (way) => {
  let leave: LoadedBpfObject;
  beforeAll(() => {
    leave = fixture().datapath.loadBeside("leave", { has_sock_destroy: way.by === "program" ? 1 : 0 });
  });
  afterAll(() => leave[Symbol.dispose]());

  /** How many sockets one look through this process's network namespace took away. */
  async function taken(): Promise<number> {
    return (await leave.program("pt_leave_tcp").iterate(undefined, way.by === "sock_diag")).length / 52;
  }

  const { family, dial, vip } = way;
  const web = (n: number, more: object) => service({ name: `web${n}`, at: vip(n), port: 80, ...more });
  const ends = { endsConnections: true };
  const endpoints = () => {
    const [a, b] = fixture().servers[family];
    return { a: memberOf(a, "TCP"), b: memberOf(b, "TCP") };
  };

  test("row 61: by option, is told at once when its endpoint serves no more, and the endpoint too", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints();
    datapath.publish(web(1, { cluster: [a], ...ends }));
    using client = await TcpClient.open(dial(1), 80);
    using other = await TcpClient.open(dial(1), 80);
    expect(client.server).toBe("a");
    expect(await taken()).toBe(0);
    const told = [once(client.socket, "error"), once(other.socket, "error")];
    datapath.publish(web(1, { cluster: [b], ...ends }));
    expect(await taken()).toBe(2);
    for (const error of await Promise.all(told)) expect(error).toMatchObject([{ code: "ECONNABORTED" }]);
    using again = await TcpClient.open(dial(1), 80);
    expect(again.server).toBe("b");
    expect(await taken()).toBe(0);
  });

  test("row 61: stays with its endpoint without the option, or once it is off", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints();
    datapath.publish(web(2, { cluster: [a] }));
    using client = await TcpClient.open(dial(2), 80);
    datapath.publish(web(2, { cluster: [b] }));
    expect(await taken()).toBe(0);
    datapath.publish(web(2, { cluster: [a], ...ends }));
    datapath.publish(web(2, { cluster: [b] }));
    expect(await taken()).toBe(0);
    expect(await client.echo("there?")).toBe("there?");
    datapath.publish(web(2, { cluster: [b], ...ends }));
    expect(await taken()).toBe(0);
    expect(await client.echo("still?")).toBe("still?");
  });

  test("row 61: has it from its beginning, and stays although the option is set while its endpoint serves", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints();
    datapath.publish(web(5, { cluster: [a] }));
    using before = await TcpClient.open(dial(5), 80);
    datapath.publish(web(5, { cluster: [a], ...ends }));
    expect(await taken()).toBe(0);
    using after = await TcpClient.open(dial(5), 80);
    const told = once(after.socket, "error");
    datapath.publish(web(5, { cluster: [b], ...ends }));
    expect(await taken()).toBe(1);
    await told;
    expect(await before.echo("there?")).toBe("there?");
  });

  test("row 50: stays when its Service is made anew, or another one has its VIP", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints();
    const [again, plain, taker] = [{ ...ends }, { name: "plain" }, { name: "taker", ...ends }];
    datapath.publish(web(6, { cluster: [a], ...again }));
    datapath.publish(web(7, { cluster: [a], ...plain }));
    using orphan = await TcpClient.open(dial(6), 80);
    using robbed = await TcpClient.open(dial(7), 80);
    datapath.remove(web(6, again).key);
    datapath.remove(web(7, plain).key);
    for (const cluster of [[], [a], [b]]) {
      datapath.publish(web(6, { cluster, ...again }));
      datapath.publish(web(7, { cluster, ...taker }));
      expect(await taken()).toBe(0);
    }
    expect(await orphan.echo("there?")).toBe("there?");
    expect(await robbed.echo("there?")).toBe("there?");
  });

  test("row 61: is told although it has said its last, as long as somebody listens", async () => {
    const { datapath } = fixture();
    const { b } = endpoints();
    const server = createServer({ allowHalfOpen: true }, (socket) => socket.on("error", () => {}).write("listening\n"));
    onTestFinished(() => void server.close());
    await once(server.listen(0, family === 4 ? "127.77.0.3" : "::1"), "listening");
    const { address, port } = server.address() as AddressInfo;
    datapath.publish(web(8, { cluster: [member(address, port)], ...ends }));
    using client = await TcpClient.open(dial(8), 80);
    const told = once(client.socket, "error");
    await new Promise<void>((resolve) => client.socket.end(resolve));
    datapath.publish(web(8, { cluster: [b], ...ends }));
    expect(await taken()).toBe(1);
    expect(await told).toMatchObject([{ code: "ECONNABORTED" }]);
  });

  test("row 50: stays with an endpoint that serves on beside the sets, and when its Service is gone", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints();
    datapath.publish(web(3, { cluster: [a], ...ends }));
    using client = await TcpClient.open(dial(3), 80);
    datapath.publish(web(3, { cluster: [b], serving: [{ ...a, terminating: true }], ...ends }));
    expect(await taken()).toBe(0);
    datapath.remove(web(3, {}).key);
    expect(await taken()).toBe(0);
    expect(await client.echo("there?")).toBe("there?");
  });

  test("that talks to an endpoint itself is left alone", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints();
    datapath.publish(web(4, { cluster: [a], ...ends }));
    const mapped = way.name.startsWith("IPv4-mapped") ? "::ffff:" : "";
    using direct = await TcpClient.open(`${mapped}${a.address}`, a.port);
    using client = await TcpClient.open(dial(4), 80);
    const told = once(client.socket, "error");
    datapath.publish(web(4, { cluster: [b], ...ends }));
    expect(await taken()).toBe(1);
    await told;
    expect(await direct.echo("there?")).toBe("there?");
  });
});
