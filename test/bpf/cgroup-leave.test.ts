// SPDX-License-Identifier: Apache-2.0
// Connected UDP sockets whose endpoint serves no more: taken off it at once, and no others.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LoadedBpfObject } from "../../src/libbpf/index.ts";
import { compileProgram } from "../support/compile.ts";
import { service } from "../support/compiled.ts";
import { UdpClient } from "../support/loopback.ts";
import { memberOf, useSocketDatapath, WAYS } from "../support/socket-fixture.ts";
import { until } from "../support/until.ts";

const fixture = useSocketDatapath("leave");

let directory: string;
let twoWays: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "pt-leave-"));
  twoWays = compileProgram("two-ways", directory);
});
afterAll(() => rmSync(directory, { recursive: true }));

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
    return (await leave.program("pt_leave_udp").iterate(undefined, way.by === "sock_diag")).length / 52;
  }

  const { family, dial, shown, udp, vip } = way;
  const dns = (n: number, more: object) => service({ name: `dns${n}`, at: vip(n), port: 53, protocol: "UDP", ...more });
  const endpoints = () => {
    const [a, b] = fixture().servers[family];
    return { a: memberOf(a, "UDP"), b: memberOf(b, "UDP") };
  };

  test("row 58: is told at once when its endpoint serves no more, and then reaches another", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints();
    datapath.publish(dns(1, { cluster: [a] }));
    using client = new UdpClient(udp);
    await client.connect(dial(1), 53);
    expect(await client.askPeer()).toEqual({ server: "a", from: shown(1, 53) });
    const told = once(client.socket, "error");
    datapath.publish(dns(1, { cluster: [b] }));
    expect(await taken()).toBe(1);
    expect(await told).toMatchObject([{ code: "ECONNABORTED" }]);
    using again = new UdpClient(udp);
    await again.connect(dial(1), 53);
    expect(await again.askPeer()).toEqual({ server: "b", from: shown(1, 53) });
    expect(await taken()).toBe(0);
  });

  test("row 59: is told when the last endpoint goes", async () => {
    const { datapath } = fixture();
    const { a } = endpoints();
    datapath.publish(dns(2, { cluster: [a] }));
    using client = new UdpClient(udp);
    await client.connect(dial(2), 53);
    const told = once(client.socket, "error");
    datapath.publish(dns(2, { cluster: [] }));
    expect(await taken()).toBe(1);
    expect(await told).toMatchObject([{ code: "ECONNABORTED" }]);
  });

  test("row 58: stays with an endpoint that serves on beside the sets, or in a Service made anew", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints();
    datapath.publish(dns(3, { cluster: [a] }));
    using client = new UdpClient(udp);
    await client.connect(dial(3), 53);
    const answers = async () => {
      expect(await taken()).toBe(0);
      expect(await client.askPeer()).toEqual({ server: "a", from: shown(3, 53) });
    };
    datapath.publish(dns(3, { cluster: [b], serving: [{ ...a, terminating: true }] }));
    await answers();
    datapath.remove(dns(3, {}).key);
    await datapath.writer.drained();
    await answers();
    datapath.publish(dns(4, { cluster: [b] })); // takes the id that is free
    await answers();
    datapath.publish(dns(3, { cluster: [a, b] }));
    await answers();
    datapath.publish(dns(3, { cluster: [b] }));
    expect(await taken()).toBe(1);
  });

  test("that talks to an endpoint itself, or is not connected, is left alone", async () => {
    const { datapath, servers } = fixture();
    const { a, b } = endpoints();
    datapath.publish(dns(5, { cluster: [a] }));
    using direct = new UdpClient(udp);
    const mapped = way.name.startsWith("IPv4-mapped") ? "::ffff:" : "";
    await direct.connect(dial(5), 53);
    direct.disconnect();
    await direct.connect(`${mapped}${servers[family][0].address}`, a.port);
    using unconnected = new UdpClient(udp);
    expect((await unconnected.ask(dial(5), 53)).server).toBe("a");
    datapath.publish(dns(5, { cluster: [b] }));
    expect(await taken()).toBe(0);
    expect((await direct.askPeer()).server).toBe("a");
    expect((await unconnected.ask(dial(5), 53)).server).toBe("b");
  });

  test("that is connected to an endpoint itself and also sends to its Service is left alone", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints();
    datapath.publish(dns(6, { cluster: [a] }));
    const mapped = way.name.startsWith("IPv4-mapped") ? "::ffff:" : "";
    const own = [`${mapped}${a.address}`, String(a.port)];
    const process = spawn(twoWays, [...own, dial(6), "53"]);
    try {
      let output = "";
      process.stdout.on("data", (data: Buffer) => {
        output += data;
      });
      const said = (lines: string) => until(`it says ${lines}`, () => output === lines);
      await said(`answered a\nanswered a\npeer ${own.join(" ")}\n`);
      datapath.publish(dns(6, { cluster: [b] }));
      expect(await taken()).toBe(0);
      process.stdin.write("again\n");
      await said(`answered a\nanswered a\npeer ${own.join(" ")}\nanswered a\n`);
    } finally {
      process.kill();
      await once(process, "exit");
    }
  });

  test("that also sends to its own Service's address is told all the same", async () => {
    const { datapath } = fixture();
    const { a, b } = endpoints();
    datapath.publish(dns(7, { cluster: [a] }));
    const process = spawn(twoWays, [dial(7), "53", dial(7), "53"]);
    try {
      let output = "";
      process.stdout.on("data", (data: Buffer) => {
        output += data;
      });
      const said = (lines: string) => until(`it says ${lines}`, () => output === lines);
      await said(`answered a\nanswered a\npeer ${dial(7)} 53\n`);
      datapath.publish(dns(7, { cluster: [b] }));
      expect(await taken()).toBe(1); // and so connected to nobody any more
      process.stdin.write("again\n");
      await said(`answered a\nanswered a\npeer ${dial(7)} 53\nerror EDESTADDRREQ\n`);
    } finally {
      process.kill();
      await once(process, "exit");
    }
  });
});
