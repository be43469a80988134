// SPDX-License-Identifier: Apache-2.0
// To be imported before tables of packets: they meet the earlier layout.
import { meetEarlierLayout } from "./earlier-layout.ts";

meetEarlierLayout();
