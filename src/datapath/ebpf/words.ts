// SPDX-License-Identifier: Apache-2.0
// The one 64-bit word per service that publishes: row of the block in force and epoch, in one store.

import * as abi from "./abi.gen.ts";
import { HOST_LITTLE_ENDIAN } from "./codec.ts";
import type { MappedArray } from "./mapped-array.ts";

export function readWord(services: MappedArray, id: number): abi.ServiceWord {
  return abi.serviceWord.read(services.view, services.offset(id));
}

/** Of the word that is stored next; it grows over all services that come to use the id. */
export function nextEpoch(services: MappedArray, id: number): number {
  return (readWord(services, id).epoch + 1) >>> 0;
}

/** Names another block (0: none); the epoch grows by one. */
export function publishRow(services: MappedArray, id: number, row: number): void {
  const epoch = nextEpoch(services, id);
  const [low, high] = HOST_LITTLE_ENDIAN ? [row, epoch] : [epoch, row];
  services.store(id, (BigInt(high) << 32n) | BigInt(low));
}
