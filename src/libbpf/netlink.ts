// SPDX-License-Identifier: Apache-2.0
// Netlink over the addon: devices, addresses and routes of this network namespace, now and as they change.

import { addon, type NativeNetlink } from "./native.ts";
import type { AddressInfo, LinkInfo, Netlink, NetlinkEvent, RouteInfo } from "./types.ts";

/** Bytes: a few thousand changes may wait while JavaScript is busy. */
const RECEIVE_BUFFER = 4 << 20;

class KernelNetlink implements Netlink {
  readonly #handle: NativeNetlink = new (addon().Netlink)();
  readonly #receiveBuffer: number;

  constructor(receiveBuffer: number) {
    this.#receiveBuffer = receiveBuffer;
  }

  links(): readonly LinkInfo[] {
    return this.#handle.dump("link");
  }

  addresses(): readonly AddressInfo[] {
    return this.#handle.dump("address");
  }

  routes(): readonly RouteInfo[] {
    return this.#handle.dump("route");
  }

  watch(onEvent: (event: NetlinkEvent) => void): void {
    this.#handle.watch(onEvent, this.#receiveBuffer);
  }

  [Symbol.dispose](): void {
    this.#handle.close();
  }
}

/**
 * Watch before listing, or a change in between is lost. A watch keeps the process alive until disposed. Throws BpfError
 * (EBUSY: watched already).
 */
export function openNetlink(options: { receiveBuffer?: number } = {}): Netlink {
  return new KernelNetlink(options.receiveBuffer ?? RECEIVE_BUFFER);
}
