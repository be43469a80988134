// SPDX-License-Identifier: Apache-2.0
// Where the datapath's maps and links are pinned. The directory names the layout version, so that an agent of another
// layout never mistakes them for its own.

import { join } from "node:path";
import { PortolanAbi } from "./abi.gen.ts";

export interface Pins {
  /** BPFFS/portolan: everything that is ours */
  readonly root: string;
  /** BPFFS/portolan/v1 */
  readonly version: string;
  readonly maps: string;
  readonly links: string;
}

export function pinsUnder(bpffs: string): Pins {
  const root = join(bpffs, "portolan");
  const version = join(root, `v${PortolanAbi.ABI_VERSION}`);
  return { root, version, maps: join(version, "maps"), links: join(version, "links") };
}

export function mapPin(pins: Pins, map: string): string {
  return join(pins.maps, map);
}

export function linkPin(pins: Pins, link: string): string {
  return join(pins.links, link);
}
