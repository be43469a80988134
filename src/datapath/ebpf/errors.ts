// SPDX-License-Identifier: Apache-2.0
// What the map writer cannot do, and what to do about it.

/** A map has no room for a change; what runs stays, and the change is kept until there is room. */
export class MapFullError extends Error {
  override readonly name = "MapFullError";
  readonly code = "PORTOLAN_MAP_FULL";
  readonly map: string;

  /** flag is what raises the size, e.g. "--max-backends"; size is max_entries. */
  constructor(map: string, size: number, needed: string, flag: string) {
    super(`map ${map} is full (${size} entries), no room for ${needed}: raise it with ${flag} and restart the agent`);
    this.map = map;
  }
}

/** A service that does not fit the ABI, whatever the size of the maps. */
export class ServiceTooLargeError extends Error {
  override readonly name = "ServiceTooLargeError";
  readonly code = "PORTOLAN_SERVICE_TOO_LARGE";
}
