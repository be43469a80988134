// SPDX-License-Identifier: Apache-2.0
// Pinned links: an attachment outlives the agent by its pin, and the next agent puts its own program into the same link,
// so that at no time is nothing attached.

import { existsSync, readFileSync, renameSync, unlinkSync } from "node:fs";
import { type BpfLink, type BpfProgram, openPinnedLink } from "../../libbpf/index.ts";

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
  using pinned = existsSync(pin) ? openPinnedLink(pin) : undefined;
  if (pinned && isWanted(linkTarget(pinned))) {
    pinned.update(program);
    return;
  }
  using link = attach();
  const beside = `${pin}-new`; // a bpffs takes no dots
  if (existsSync(beside)) unlinkSync(beside);
  link.pin(beside);
  pinned?.detach();
  renameSync(beside, pin);
}

/** Detaches what is pinned there, and the pin goes. */
export function dropLink(pin: string): void {
  using link = openPinnedLink(pin);
  link.detach();
  unlinkSync(pin);
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
