// SPDX-License-Identifier: Apache-2.0
// A client that sends all its datagrams from one port while the pods behind its Service cycle (rows 57-60 of the behaviour
// contract): it stays with an endpoint that still serves, and leaves one that does not with the next datagram.
import { beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import { patience } from "../support/guest.ts";
import {
  type Endpoint,
  removeService,
  type ServiceSpec,
  serviceAddresses,
  writeService,
} from "../support/manifests.ts";
import { hostOf } from "../support/paths.ts";
import { until } from "../support/until.ts";
import { driverUnderTest, useDriver } from "./driver.ts";

const DRAINING = { ready: false, serving: true, terminating: true };
const GONE = { ready: false, serving: false, terminating: true };
const UNREADY = { ready: false, serving: false, terminating: false };
const PORT = 8080;
const OTHER_PORT = 8081;

interface Way {
  readonly frontend: "clusterIP" | "nodePort";
  readonly from: string;
  /** "socket": every request has a socket of its own, so none of them has a backend to keep where sockets are balanced. */
  readonly by: "wire" | "socket";
  readonly number: number;
  readonly spec?: Partial<ServiceSpec>;
  /** On one node for policy Local. */
  readonly pods: readonly [first: string, second: string];
}

const WAYS: readonly Way[] = [
  { frontend: "nodePort", from: "client", by: "wire", number: 41, pods: ["p2a", "p1b"] },
  { frontend: "clusterIP", from: "p1a", by: "wire", number: 42, pods: ["p2a", "p1b"] },
  {
    frontend: "clusterIP",
    from: "p1a",
    by: "wire",
    number: 43,
    spec: { internalTrafficPolicy: "Local" },
    pods: ["b1b", "p1b"],
  },
  { frontend: "clusterIP", from: "n1", by: "socket", number: 44, pods: ["p2a", "p1b"] },
  { frontend: "nodePort", from: "p1a", by: "socket", number: 45, pods: ["p2a", "p1b"] },
];

const driver = driverUnderTest();
const cluster = useDriver({ firewall: "realistic" });

beforeAll(async () => {
  const { lab } = cluster();
  for (const name of ["p1b", "p2a", "b1b"]) await lab.serve(lab.pod(name), { tcp: [], udp: [PORT, OTHER_PORT] });
});

function specOf(lab: Lab, way: Way, pods: Readonly<Record<string, Endpoint["conditions"]>>, port: number): ServiceSpec {
  const endpoints = Object.entries(pods).map(([name, conditions]) => {
    const { address, nodeName } = lab.pod(name);
    return { address, nodeName, port, ...(conditions === undefined ? {} : { conditions }) };
  });
  const nodePort = way.frontend === "nodePort" ? { nodePort: 30_000 + way.number } : {};
  return { name: `udp${way.number}`, number: way.number, ...nodePort, ...way.spec, endpoints };
}

describe.each(WAYS.filter(({ by, spec }) => by === "wire" && !spec))("$from to a $frontend on the wire", (way) => {
  const [first, second] = way.pods;

  test.each(["v4", "v6"] as const)(
    "row 50: flows keep their endpoint while the Service is gone, and when it is made anew, %s",
    async (family) => {
      const { lab, manifests } = cluster();
      const client = await cluster().wire(hostOf(lab, way.from));
      const number = way.number + (family === "v4" ? 10 : 20);
      const anew = { ...way, number };
      const target =
        way.frontend === "nodePort"
          ? { address: lab.node("n1").address[family], port: 30_000 + number }
          : { address: serviceAddresses(number).clusterIP[family], port: 80 };
      const ask = async (localPort?: number): Promise<string> => {
        const own = localPort === undefined ? {} : { localPort };
        const { answers } = await client.udp({ ...target, ...own, count: 1, timeoutMs: patience(500) });
        return answers[0]?.pod ?? "nobody";
      };
      const ports = Array.from({ length: 12 }, (_, n) => 46_000 + 100 * number + n);
      const askAll = () => Promise.all(ports.map(ask));
      const all = ports.map(() => first);

      writeService(manifests, specOf(lab, anew, { [first]: undefined }, PORT));
      await until(`new datagrams meet ${first}`, async () => (await ask()) === first);
      expect(await askAll()).toEqual(all);
      removeService(manifests, `udp${number}`);
      await until("new datagrams meet nobody", async () => (await ask()) === "nobody");
      expect(await askAll()).toEqual(all);
      writeService(manifests, specOf(lab, anew, { [first]: undefined, [second]: undefined }, PORT));
      await until(`new datagrams meet ${second}`, async () => (await ask()) === second);
      expect(await askAll()).toEqual(all);
      removeService(manifests, `udp${number}`);
    },
  );
});

describe.each(WAYS)("$from to a $frontend by $by, Service $number", (way) => {
  const [first, second] = way.pods;
  const keeps = way.by === "wire" || !driver.balancesSockets;

  test.each(["v4", "v6"] as const)(
    "row 58: keeps an endpoint while it serves, row 57: not longer, row 59: be it the last, %s",
    async (family) => {
      const { lab, manifests } = cluster();
      const host = hostOf(lab, way.from);
      const client = await (way.by === "wire" ? cluster().wire(host) : cluster().socket(host));
      const target =
        way.frontend === "nodePort"
          ? { address: lab.node("n1").address[family], port: 30_000 + way.number }
          : { address: serviceAddresses(way.number).clusterIP[family], port: 80 };
      /** Who answers: "pod:port of the server", or "nobody". */
      const ask = async (localPort?: number): Promise<string> => {
        const own = localPort === undefined ? {} : { localPort };
        const { answers } = await client.udp({ ...target, ...own, count: 1, timeoutMs: patience(500) });
        const [answer] = answers;
        return answer ? `${answer.pod}:${answer.localPort}` : "nobody";
      };
      const old = () => ask(45_000 + way.number);
      const oldFollows = async (to: string) => {
        if (driver.datagramsLeave === "soon") await until(`the old flow meets ${to}`, async () => (await old()) === to);
        else expect(await old()).toBe(to);
      };
      const become = async (pods: Readonly<Record<string, Endpoint["conditions"]>>, serves: string, port = PORT) => {
        writeService(manifests, specOf(lab, way, pods, port));
        await until(`new datagrams meet ${serves}`, async () => (await ask()) === serves);
      };

      await become({ [first]: undefined }, `${first}:${PORT}`);
      expect(await old()).toBe(`${first}:${PORT}`);
      await become({ [first]: DRAINING, [second]: undefined }, `${second}:${PORT}`);
      for (let n = 0; n < 3; n++) expect(await old()).toBe(`${keeps ? first : second}:${PORT}`);
      writeService(manifests, specOf(lab, way, { [first]: GONE, [second]: undefined }, PORT));
      await until("the old flow has left", async () => (await old()) === `${second}:${PORT}`);

      await become({ [second]: GONE }, "nobody");
      await oldFollows("nobody");
      await become({ [first]: UNREADY }, "nobody");
      await oldFollows("nobody");
      await become({ [first]: undefined }, `${first}:${PORT}`);
      await oldFollows(`${first}:${PORT}`);

      await become({ [first]: undefined }, `${first}:${OTHER_PORT}`, OTHER_PORT);
      await oldFollows(`${first}:${OTHER_PORT}`);
    },
  );
});
