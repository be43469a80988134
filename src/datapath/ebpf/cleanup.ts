// SPDX-License-Identifier: Apache-2.0
// Takes the datapath away: the links, filters and maps that are pinned under our directory, nothing else.

import { existsSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { openPinnedMap } from "../../libbpf/index.ts";
import { detachFilters } from "./attach.ts";
import { knownDevices } from "./devices-map.ts";
import { dropLink } from "./links.ts";
import { linkPin, mapPin, type Pins } from "./pins.ts";

export interface CleanupReport {
  readonly links: number;
  readonly maps: number;
}

/** Idempotent; the agent must have stopped. Hooks go before the maps they read. */
export function cleanupPins(pins: Pins): CleanupReport {
  const devices = mapPin(pins, "devices");
  if (existsSync(devices)) {
    using map = openPinnedMap(devices);
    // Their links are counted below; here go the filters of kernels without TCX.
    for (const ifindex of knownDevices(map)) detachFilters(ifindex);
  }
  const links = namesIn(pins.links);
  for (const link of links) dropLink(linkPin(pins, link));
  const maps = namesIn(pins.maps);
  for (const map of maps) unlinkSync(mapPin(pins, map));
  for (const directory of [pins.links, pins.maps, pins.version, pins.root]) removeIfEmpty(directory);
  return { links: links.length, maps: maps.length };
}

function namesIn(directory: string): readonly string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

/** Another layout version may live beside this one. */
function removeIfEmpty(directory: string): void {
  if (existsSync(directory) && readdirSync(directory).length === 0) rmdirSync(directory);
}
