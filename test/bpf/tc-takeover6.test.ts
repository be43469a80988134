// SPDX-License-Identifier: Apache-2.0
// Tables of packets again, over IPv6, with every record in tables of an earlier layout when a packet comes.

import "./support/meet-earlier-layout.ts";
import "./tc-claims6.test.ts";
import "./tc-direct6.test.ts";
import "./tc-exhausted6.test.ts";
import "./tc-hairpin6.test.ts";
import "./tc-icmp6.test.ts";
import "./tc-life6.test.ts";
import "./tc-node-port6.test.ts";
import "./tc-reopen6.test.ts";
import "./tc-transit6.test.ts";
