// SPDX-License-Identifier: Apache-2.0
// Pinned links: an attachment outlives the agent by its pin, and the next agent puts its own program into the same link,
// so that at no time is nothing attached.

import { existsSync, readdirSync, readFileSync, renameSync, unlinkSync } from "node:fs";
import { BpfError, type BpfLink, type BpfProgram, openPinnedLink } from "../../libbpf/index.ts";
import { linkPin, type Pins } from "./pins.ts";

/** What a link hangs on, as the kernel says in fdinfo. All undefined once that is gone. */
export interface LinkTarget {
  readonly cgroupId: bigint | undefined;
  readonly ifindex: number | undefined;
}

/**
 * Makes a link at this pin run the program: the pinned one if it hangs on the wanted target, else a new one that is
 * attached before the old one is detached.
 */
export function ensureLink(
  pin: string,
  program: BpfProgram,
  isWanted: (target: LinkTarget) => boolean,
  attach: () => BpfLink,
): void {
  const beside = besideOf(pin);
  using pinned = existsSync(pin) ? openPinnedLink(pin) : undefined;
  if (pinned && isWanted(linkTarget(pinned))) {
    pinned.update(program);
    if (existsSync(beside)) unlinkSync(beside); // a kill came before it took the place; without a pin it is detached
    return;
  }
  using link = attach();
  if (existsSync(beside)) unlinkSync(beside);
  link.pin(beside);
  pinned?.detach();
  renameSync(beside, pin);
}

/** Detaches what is pinned there, if anything is, and the pin goes; and what a killed agent left beside it. */
export function dropLink(pin: string): void {
  for (const path of [pin, besideOf(pin)]) {
    if (!existsSync(path)) continue;
    using link = openPinnedLink(path);
    link.detach();
    unlinkSync(path);
  }
}

/** Names of the pinned links that hang on something: a link whose cgroup or device has gone, or that was detached, does not. */
export function attachedLinks(pins: Pins): ReadonlySet<string> {
  return new Set(readdirSync(pins.links).filter((name) => isAttached(linkPin(pins, name))));
}

/** False where nothing is pinned, too. */
export function isAttached(pin: string): boolean {
  try {
    using link = openPinnedLink(pin);
    const { cgroupId, ifindex } = linkTarget(link);
    return cgroupId !== undefined || ifindex !== undefined;
  } catch (error) {
    if (error instanceof BpfError && error.code === "ENOENT") return false; // an agent has just taken it away
    throw error;
  }
}

/** Where a link waits until it takes the place of the one at the pin. A bpffs takes no dots. */
function besideOf(pin: string): string {
  return `${pin}-new`;
}

export function linkTarget(link: BpfLink): LinkTarget {
  return parseFdinfo(readFileSync(`/proc/self/fdinfo/${link.fd}`, "utf8"));
}

/** Both ids are 0 in fdinfo when the cgroup or the device has gone. */
export function parseFdinfo(fdinfo: string): LinkTarget {
  const cgroupId = BigInt(/^cgroup_id:\s*(\d+)$/m.exec(fdinfo)?.[1] ?? 0);
  const ifindex = Number(/^ifindex:\s*(\d+)$/m.exec(fdinfo)?.[1] ?? 0);
  return { cgroupId: cgroupId === 0n ? undefined : cgroupId, ifindex: ifindex === 0 ? undefined : ifindex };
}
