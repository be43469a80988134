// SPDX-License-Identifier: Apache-2.0
// Takes the datapath away: the links, filters and maps that are pinned under our directory, nothing else.

import { existsSync, rmdirSync, unlinkSync } from "node:fs";
import { openPinnedMap } from "../../libbpf/index.ts";
import { detachFilters } from "./attach.ts";
import { knownDevices } from "./devices-map.ts";
import { dropLink } from "./links.ts";
import { layoutsUnder, linkPin, mapPin, type Pins } from "./pins.ts";
import { namesIn, removeLayout } from "./takeover.ts";

export interface CleanupReport {
  readonly links: number;
  readonly maps: number;
}

/** Idempotent; no agent may serve by them. Hooks go before the maps they read; of all layouts. The root stays: locks are held on it. */
export function cleanupPins(pins: Pins): CleanupReport {
  const layouts = layoutsUnder(pins.root);
  for (const layout of layouts) {
    const devices = mapPin(layout, "devices");
    if (!existsSync(devices)) continue;
    using map = openPinnedMap(devices);
    // Their links are counted below; here go the filters of kernels without TCX.
    for (const ifindex of knownDevices(map)) detachFilters(ifindex);
  }
  const links = namesIn(pins.links);
  for (const link of links) dropLink(linkPin(pins, link));
  if (existsSync(pins.serving)) unlinkSync(pins.serving);
  const maps = layouts.reduce((sum, layout) => sum + removeLayout(layout), 0);
  if (isEmpty(pins.links)) rmdirSync(pins.links);
  return { links: links.length, maps };
}

function isEmpty(directory: string): boolean {
  return existsSync(directory) && namesIn(directory).length === 0;
}
