// SPDX-License-Identifier: Apache-2.0
// Where the datapath's maps, programs and links are pinned. What depends on how structs lie in memory is in a directory
// that names the layout version, so that an agent of another layout never mistakes it for its own. Links are the places
// where programs hang, whatever they are: all versions share them.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { PortolanAbi } from "./abi.gen.ts";

/** What one layout version has for itself. */
export interface LayoutPins {
  /** ABI_VERSION */
  readonly number: number;
  /** BPFFS/portolan/v1 */
  readonly version: string;
  readonly maps: string;
  /** Map of one cell: how the structs in these maps lie (layout-record.ts). */
  readonly layout: string;
  /** The tc programs, for who takes over. */
  readonly programs: string;
}

export interface Pins extends LayoutPins {
  /** BPFFS/portolan: everything that is ours */
  readonly root: string;
  readonly links: string;
  /** Map of one cell, struct serving: which layout is in force. */
  readonly serving: string;
}

export function pinsUnder(bpffs: string): Pins {
  const root = join(bpffs, "portolan");
  return {
    root,
    links: join(root, "links"),
    serving: join(root, "serving"),
    ...layoutPins(root, PortolanAbi.ABI_VERSION),
  };
}

export function layoutPins(root: string, number: number): LayoutPins {
  const version = join(root, `v${number}`);
  return {
    number,
    version,
    maps: join(version, "maps"),
    layout: join(version, "layout"),
    programs: join(version, "programs"),
  };
}

/** All layouts that have something pinned there, the current one included. */
export function layoutsUnder(root: string): readonly LayoutPins[] {
  if (!existsSync(root)) return [];
  const numbers = readdirSync(root).map((name) => /^v(\d+)$/.exec(name)?.[1]);
  return numbers.filter((number) => number !== undefined).map((number) => layoutPins(root, Number(number)));
}

export function mapPin(pins: Pick<LayoutPins, "maps">, map: string): string {
  return join(pins.maps, map);
}

/** Programs of ours hang somewhere: what an earlier agent attached. */
export function serves(pins: Pins): boolean {
  return existsSync(pins.links) && readdirSync(pins.links).length > 0;
}

export function linkPin(pins: Pins, link: string): string {
  return join(pins.links, link);
}

export function programPin(pins: Pick<LayoutPins, "programs">, program: string): string {
  return join(pins.programs, program);
}
