// SPDX-License-Identifier: Apache-2.0
// TCP to a frontend that belongs to no flow, with sockets of the host beside it.

import { describe, expect, test } from "vitest";
import { bytes, dump } from "./support/hex.ts";
import { useDatapath } from "./support/scenario.ts";
import { services4 } from "./support/services.ts";
import { faultOf } from "./support/valid-packet.ts";

const ack = bytes(`
  020000000021 02000000ff10 0800
  45000028 00014000 40062665 0a00000a 0a600001
  c350 0050 00001111 00002222 5010ffff a496 0000`);

describe("TCP of no flow", () => {
  const datapath = useDatapath(services4);

  test("is answered by RST although a host socket listens on that port on any address: the VIP is not the host's", async () => {
    await datapath().machine.ask({ do: "listen", proto: "tcp", address: "0.0.0.0", port: 80 });
    try {
      const { verdict, data } = await datapath().run("ingress", "client", ack);
      expect([faultOf(ack), faultOf(data)]).toEqual([undefined, undefined]);
      expect(verdict).toBe("redirect");
      expect(dump(data.slice(34))).toBe("0050c350000022220000000050040000\nb5b30000");
    } finally {
      await datapath().machine.ask({ do: "closeSockets" });
    }
  });
});
