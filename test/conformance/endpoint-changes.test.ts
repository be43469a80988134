// SPDX-License-Identifier: Apache-2.0
// What changes at runtime around a Service's endpoints, with real sockets: labels that take a Service or a slice away,
// hints and the node's zone, endpoints that move between slices (behaviour rows 1, 2, 11, 20, 21 and 23).
import { beforeAll, describe, expect, test } from "vitest";
import type { DualAddress } from "../../src/demo/lab/plan.ts";
import type { RunningTraffic, TcpRequests, TrafficAgent } from "../../src/demo/lab/traffic.ts";
import { patience } from "../support/guest.ts";
import {
  type Endpoint,
  type ServiceSpec,
  serviceAddresses,
  writeNode,
  writeService,
  writeSlices,
} from "../support/manifests.ts";
import { until } from "../support/until.ts";
import { useDriver } from "./driver.ts";

const ZONE = "topology.kubernetes.io/zone";
const families = ["v4", "v6"] as const;

type Requests = Pick<TcpRequests, "concurrency" | "timeoutMs"> & { readonly count: number };

describe("endpoints at runtime", () => {
  const cluster = useDriver({ nodes: [{ name: "n1", routedPods: ["p1a", "p1b", "p1c"] }] });
  let askers: readonly TrafficAgent[];
  beforeAll(async () => {
    const { lab } = cluster();
    await Promise.all([lab.serve(lab.pod("p1b")), lab.serve(lab.pod("p1c"))]);
    askers = await Promise.all([cluster().wire(lab.pod("p1a")), cluster().socket(lab.pod("p1a"))]);
  });

  test("row 1: the label service-proxy-name put on takes the Service away, and taken off brings it back", async () => {
    const web = spec("proxied", 1, [at("p1b")]);
    write(web);
    await answered(web, ["p1b"]);
    write({ ...web, labels: { "service.kubernetes.io/service-proxy-name": "another" } });
    await fails(web, "TIMEOUT");
    write(web);
    await answered(web, ["p1b"]);
  });

  test("row 2: the label headless put on a slice makes its Service go dark, and taken off brings it back", async () => {
    const web = spec("headless", 2, [at("p1b")]);
    write(web);
    await answered(web, ["p1b"]);
    write({ ...web, sliceLabels: { "service.kubernetes.io/headless": "" } });
    await fails(web, "ECONNREFUSED");
    write(web);
    await answered(web, ["p1b"]);
  });

  test("row 20: traffic goes to the endpoints whose hints name this node, and to all once one has no hint", async () => {
    const [b, c] = [at("p1b", { forNodes: [{ name: "n1" }] }), at("p1c", { forNodes: [{ name: "n9" }] })];
    const web = spec("for-nodes", 3, [b, c]);
    write(web);
    await answered(web, ["p1b"]);
    write({ ...web, endpoints: [b, at("p1c")] });
    await answered(web, ["p1b", "p1c"]);
  });

  test("row 23: traffic follows the zone of the node's own Node object as it changes", async () => {
    const zones = (...names: readonly string[]) => ({ forZones: names.map((name) => ({ name })) });
    const web = spec("for-zones", 4, [at("p1b", zones("z1")), at("p1c", zones("z2", "z3"))]);
    write(web);
    await answered(web, ["p1b", "p1c"]);
    const { manifests } = cluster();
    writeNode(manifests, "n1", { [ZONE]: "z1" });
    await answered(web, ["p1b"]);
    writeNode(manifests, "n1", { [ZONE]: "z3" });
    await answered(web, ["p1c"]);
    writeNode(manifests, "n1", { [ZONE]: "z9" });
    await answered(web, ["p1b", "p1c"]);
    writeNode(manifests, "n1", { [ZONE]: "z1" });
    await answered(web, ["p1b"]);
    writeNode(manifests, "n1", {});
    await answered(web, ["p1b", "p1c"]);
  });

  test("row 21: hints leave the Local set whole", async () => {
    const elsewhere = { forNodes: [{ name: "n9" }] };
    const web = spec("local-hinted", 5, [at("p1b", elsewhere), at("p1c", { forNodes: [{ name: "n1" }] })]);
    write({ ...web, internalTrafficPolicy: "Local" });
    await answered(web, ["p1b", "p1c"]);
    write(web);
    await answered(web, ["p1c"]);
  });

  test("row 11: endpoints that move between slices, standing in two for a while, fail no request", async () => {
    const web = spec("moving", 6, [at("p1b"), at("p1c")]);
    const { manifests } = cluster();
    write(web);
    await answered(web, ["p1b", "p1c"]);
    const running: readonly RunningTraffic[] = askers.flatMap((asker) =>
      families.map((family) => asker.startTcp({ ...frontend(web, family), concurrency: 2, gapMs: 2 })),
    );
    const second = (...endpoints: readonly Endpoint[]) =>
      writeSlices(manifests, { ...web, endpoints }, "moving-second");
    const steps = [
      () => second(at("p1c")),
      () => write({ ...web, endpoints: [at("p1b")] }),
      () => second(at("p1b"), at("p1c")),
      () => write({ ...web, endpoints: [] }),
      () => write(web),
      () => second(),
    ];
    for (const [i, step] of steps.entries()) {
      step();
      // What is written later and is seen to be served tells that the step was.
      await cluster().write(spec("after-step", 7, i % 2 === 0 ? [at("p1b")] : []));
      for (const asker of askers) {
        for (const family of families) {
          expect((await asker.tcp({ ...frontend(web, family), count: 2 })).answered).toBe(2);
        }
      }
    }
    for (const traffic of running) {
      const { asked, failures, pods } = await traffic.stop();
      expect({ failures, pods: Object.keys(pods).sort() }).toEqual({ failures: {}, pods: ["p1b", "p1c"] });
      expect(asked).toBeGreaterThan(0);
    }
  });

  function spec(name: string, number: number, endpoints: readonly Endpoint[]): ServiceSpec {
    return { name, number, endpoints };
  }

  function at(name: string, hints?: Endpoint["hints"]): Endpoint {
    const { address, nodeName } = cluster().lab.pod(name);
    return { address, nodeName, ...(hints === undefined ? {} : { hints }) };
  }

  function write(web: ServiceSpec): void {
    writeService(cluster().manifests, web);
  }

  function frontend(web: ServiceSpec, family: keyof DualAddress) {
    return { address: serviceAddresses(web.number).clusterIP[family], port: 80 };
  }

  /** Waits until every way is answered by exactly these pods. */
  function answered(web: ServiceSpec, pods: readonly string[]): Promise<void> {
    return becomes(web, pods.join(), { count: 40, concurrency: 20 });
  }

  /** Waits until every way fails so. */
  function fails(web: ServiceSpec, how: "ECONNREFUSED" | "TIMEOUT"): Promise<void> {
    return becomes(web, how, { count: 1, timeoutMs: patience(how === "TIMEOUT" ? 400 : 4000) });
  }

  /** The ways: on the wire and by socket, in both families. Each says who answers all requests, or how they fail. */
  async function becomes(web: ServiceSpec, expected: string, requests: Requests): Promise<void> {
    const expectation = askers.flatMap(() => families.map(() => expected));
    let met: readonly string[] = [];
    const asExpected = async () => {
      const results = askers.flatMap((asker) =>
        families.map((family) => asker.tcp({ ...frontend(web, family), ...requests })),
      );
      met = (await Promise.all(results)).map(({ pods, failures }) =>
        [...Object.keys(pods).sort(), ...Object.keys(failures)].join(),
      );
      return met.join(" ") === expectation.join(" ");
    };
    await until(`${web.name} meets ${expected}`, asExpected).catch((error: unknown) => {
      throw new Error(`at last it met ${met.join(" ")}`, { cause: error });
    });
  }
});
