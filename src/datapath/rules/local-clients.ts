// SPDX-License-Identifier: Apache-2.0
// Who is a local pod where rules look at packets (rows 35 and 38). Pure.

import { type Cidr, familyOf } from "../../model/ip.ts";
import type { DetectLocalMode } from "../contract.ts";
import type { LocalClients } from "./writer.ts";

/** As the agent's detector has it; interface: the name, or how it begins. */
export type LocalSettings =
  | { readonly mode: Exclude<DetectLocalMode, "BridgeInterface" | "InterfaceNamePrefix"> }
  | { readonly mode: "BridgeInterface" | "InterfaceNamePrefix"; readonly interface: string };

/** ranges: of the modes by address. uplinks: names of the devices that lead out of the node, for mode Device. */
export function localClients(
  settings: LocalSettings,
  ranges: readonly Cidr[],
  uplinks: readonly string[],
): LocalClients {
  switch (settings.mode) {
    case "Device":
      return { by: "otherDevice", names: [...uplinks].sort() };
    case "BridgeInterface":
      return { by: "device", names: [settings.interface] };
    case "InterfaceNamePrefix":
      return { by: "device", names: [`${settings.interface}*`] };
    default:
      return { by: "source", ranges: firstOfEachFamily(ranges) };
  }
}

function firstOfEachFamily(ranges: readonly Cidr[]): readonly Cidr[] {
  const first = new Map(ranges.toReversed().map((range) => [familyOf(range.address), range]));
  return [...first.values()];
}
