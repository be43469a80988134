// SPDX-License-Identifier: Apache-2.0
// What the kernel lists of IPVS: virtual servers, and the connections that each carries.
import { expect, test } from "vitest";
import { countCarried, parseVirtualServers, serverName } from "../../../src/datapath/netfilter/virtual-servers.ts";

test("virtual servers of both families, whatever their scheduler; none that is a firewall's mark", () => {
  const text = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A600001:01BB rr
  -> C0A83201:192B      Masq    1      0          0
UDP  [fd00:0010:0096:0000:0000:0000:0000:000a]:0035 rr persistent 10800
FWM  0000000A rr
`;
  expect(parseVirtualServers(text).map(serverName)).toEqual(["10.96.0.1 443/TCP", "fd00:10:96::a 53/UDP"]);
});

test("connections are counted by virtual server, ended ones too; what remembers a client's endpoint is none", () => {
  const text = `Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP 0A09010A 8F3C 0A600001 01BB C0A83201 192B ESTABLISHED     899
TCP 0A09010A 8F3D 0A600001 01BB C0A83201 192B TIME_WAIT        81
TCP 0A09010A 0000 0A600001 01BB C0A83201 192B NONE          10799
UDP fd00:0009:0001:0000:0000:0000:0000:000a 8F3E fd00:0010:0096:0000:0000:0000:0000:000a 0035 fd00:0009:0001:0000:0000:0000:0000:000b 1F90 UDP             299
`;
  expect(countCarried(text)).toEqual(
    new Map([
      ["10.96.0.1 443/TCP", 2],
      ["fd00:10:96::a 53/UDP", 1],
    ]),
  );
});
