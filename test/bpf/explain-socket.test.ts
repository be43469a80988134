// SPDX-License-Identifier: Apache-2.0
// explain's answer for sockets, beside what real sockets meet on the same maps.

import { describe, expect, test } from "vitest";
import type { CompiledService } from "../../src/compile/state.ts";
import * as abi from "../../src/datapath/ebpf/abi.gen.ts";
import { decode, encode } from "../../src/datapath/ebpf/codec.ts";
import { netnsCookie } from "../../src/libbpf/system.ts";
import { ipFromBytes, ipToBytes } from "../../src/model/ip.ts";
import { ip, service } from "../support/compiled.ts";
import { TcpClient } from "../support/loopback.ts";
import { memberOf, useSocketDatapath } from "../support/socket-fixture.ts";

const { CLIENT_HOST, CLIENT_POD } = abi.ClientKind;
const { VERDICT_PASS, VERDICT_DNAT, VERDICT_REJECT, VERDICT_DROP } = abi.Verdict;
const NOTHING: abi.Explanation = {
  verdict: 0,
  reason: 0,
  service: 0,
  backend: 0,
  kind: 0,
  localSet: 0,
  masquerade: 0,
  existing: 0,
  backendAddr: new Uint8Array(16),
  backendPort: 0,
  affinity: 0,
  client: 0,
  onWire: 0,
};

const fixture = useSocketDatapath("explain", { hostNetnsCookie: netnsCookie() });

function explain(dst: string, port: number, who: number = CLIENT_HOST, proto = 6): abi.Explanation {
  const client = ipToBytes(ip("10.244.9.9"));
  using object = fixture().datapath.loadBeside("explain");
  const question = { dst: ipToBytes(ip(dst)), port, proto, who, client, answer: NOTHING };
  const { dataOut } = object.program("pt_explain_socket").testRun({ data: encode(abi.socketQuestion, question) });
  return decode(abi.socketQuestion, dataOut).answer;
}

/** The errno of a real connect(), or the name of the server it reached. */
async function connect(address: string, port: number): Promise<string> {
  try {
    using client = await TcpClient.open(address, port);
    return client.server;
  } catch (error) {
    if (error instanceof Error && "code" in error) return String(error.code);
    throw error;
  }
}

describe("the socket program of explain", () => {
  const cases: readonly {
    readonly name: string;
    readonly dst: string;
    readonly make: () => CompiledService;
    readonly expected: Partial<abi.Explanation>;
    readonly socket: string;
  }[] = [
    {
      name: "a Service with an endpoint",
      dst: "10.96.8.1",
      make: () =>
        service({ name: "web", at: "10.96.8.1", port: 80, cluster: [memberOf(fixture().servers[4][0], "TCP")] }),
      expected: { verdict: VERDICT_DNAT, kind: abi.FrontendKind.FRONTEND_CLUSTER_IP, masquerade: 0, localSet: 0 },
      socket: "a",
    },
    {
      name: "an IPv6 LoadBalancer address",
      dst: "fd00:10:96::8:1",
      make: () =>
        service({
          name: "web",
          at: "fd00:10:96::8:1",
          port: 80,
          kind: "LoadBalancer",
          cluster: [memberOf(fixture().servers[6][1], "TCP")],
        }),
      expected: { verdict: VERDICT_DNAT, kind: abi.FrontendKind.FRONTEND_LOAD_BALANCER, masquerade: 0 },
      socket: "b",
    },
    {
      name: "a Service without endpoints",
      dst: "10.96.8.2",
      make: () => service({ name: "empty", at: "10.96.8.2", port: 80 }),
      expected: { verdict: VERDICT_REJECT, reason: abi.DropReason.DROP_NO_ENDPOINTS },
      socket: "ECONNREFUSED",
    },
    {
      name: "a Local policy without a local endpoint",
      dst: "10.96.8.3",
      make: () => service({ name: "local", at: "10.96.8.3", port: 80, internalLocal: true, hasAnyEndpoints: true }),
      expected: { verdict: VERDICT_DROP, reason: abi.DropReason.DROP_NO_LOCAL_ENDPOINTS, localSet: 1 },
      socket: "EHOSTUNREACH",
    },
  ];

  test.each(cases)("says of $name what a real socket meets", async ({ dst, make, expected, socket }) => {
    const { datapath } = fixture();
    const published = make();
    datapath.publish(published);
    const before = datapath.stats(published.key);
    const answer = explain(dst, 80);
    expect(datapath.stats(published.key)).toEqual(before);
    expect(answer).toMatchObject({ ...expected, service: datapath.serviceId(published.key) });
    const [member] = published.cluster;
    if (member) {
      expect([ipFromBytes(answer.backendAddr), answer.backendPort]).toEqual([member.address, member.port]);
    }
    expect(await connect(dst, 80)).toBe(socket);
  });

  test("passes an address that is no Service", () => {
    expect(explain("127.77.0.1", 81)).toEqual({ ...NOTHING, verdict: VERDICT_PASS });
  });

  test("tells the host from a pod where a NodePort is asked for on loopback", () => {
    const { datapath, servers } = fixture();
    datapath.setNodeAddresses([{ address: ip("127.0.0.1"), loopback: true, nodePort: true }]);
    datapath.publish(service({ name: "np", at: undefined, port: 30_081, cluster: [memberOf(servers[4][0], "TCP")] }));
    expect(explain("127.0.0.1", 30_081, CLIENT_HOST)).toMatchObject({
      verdict: VERDICT_DNAT,
      kind: abi.FrontendKind.FRONTEND_NODE_PORT,
    });
    expect(explain("127.0.0.1", 30_081, CLIENT_POD).verdict).toBe(VERDICT_PASS);
  });

  test("chooses every endpoint of a Service, as sockets do", async () => {
    const { datapath, servers } = fixture();
    const [a, b] = servers[4];
    const cluster = [memberOf(a, "TCP"), memberOf(b, "TCP")];
    datapath.publish(service({ name: "both", at: "10.96.8.4", port: 80, cluster }));
    const explained = new Set(Array.from({ length: 20 }, () => explain("10.96.8.4", 80).backendPort));
    const met = new Set<string>();
    for (let i = 0; i < 40; i++) met.add(await connect("10.96.8.4", 80));
    expect(explained).toEqual(new Set([a.tcpPort, b.tcpPort]));
    expect(met).toEqual(new Set(["a", "b"]));
  });
});
