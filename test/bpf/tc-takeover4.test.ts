// SPDX-License-Identifier: Apache-2.0
// Tables of packets again, over IPv4, with every record in tables of an earlier layout when a packet comes.

import "./support/meet-earlier-layout.ts";
import "./tc-claims4.test.ts";
import "./tc-direct4.test.ts";
import "./tc-exhausted4.test.ts";
import "./tc-hairpin4.test.ts";
import "./tc-icmp4.test.ts";
import "./tc-life4.test.ts";
import "./tc-node-port4.test.ts";
import "./tc-reopen4.test.ts";
import "./tc-transit4.test.ts";
