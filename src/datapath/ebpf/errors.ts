// SPDX-License-Identifier: Apache-2.0
// What the map writer cannot do, and what to do about it.

/** The agent's flag that a map's size follows; maps that are not named have one size. */
export const SIZE_FLAGS: Readonly<Record<string, string>> = {
  services: "--max-services",
  frontends: "--max-services",
  addresses: "--max-services",
  members: "--max-services",
  tables: "--max-backends",
  backends: "--max-backends",
  names: "--max-backends",
  source_ranges: "--max-services",
  flows: "--max-flows",
};

/** A map has no room for a change; what runs stays, and the change is kept until there is room. */
export class MapFullError extends Error {
  override readonly name = "MapFullError";
  readonly code = "PORTOLAN_MAP_FULL";
  readonly map: string;
  readonly #size: number;
  readonly #needed: string;

  /** size is max_entries. */
  constructor(map: string, size: number, needed: string) {
    super(
      `map ${map} is full (${size} entries), no room for ${needed}: raise it with ${SIZE_FLAGS[map]}, ` +
        "after `portolan cleanup`, for a map that is there keeps its size",
    );
    this.map = map;
    this.#size = size;
    this.#needed = needed;
  }

  /** The same with the name of the service that needed the room. */
  neededBy(service: string): MapFullError {
    if (this.#needed.includes(service)) return this;
    return new MapFullError(this.map, this.#size, `${this.#needed} of ${service}`);
  }
}

/** More ranges of ClusterIPs than the programs look at. */
export class TooManyRangesError extends Error {
  override readonly name = "TooManyRangesError";
  readonly code = "PORTOLAN_TOO_MANY_RANGES";

  constructor(left: number) {
    super(`${left} ranges of ClusterIPs more than there is room for: join them to larger ones`);
  }
}

/** A service that does not fit the ABI, whatever the size of the maps. */
export class ServiceTooLargeError extends Error {
  override readonly name = "ServiceTooLargeError";
  readonly code = "PORTOLAN_SERVICE_TOO_LARGE";
}

/** The built BPF programs are not where they are looked for. */
export class BpfObjectMissingError extends Error {
  override readonly name = "BpfObjectMissingError";
  readonly code = "PORTOLAN_BPF_OBJECT_MISSING";
}

/** Notes what action throws instead of ending there. */
export function attempt(failures: unknown[], action: () => void): void {
  try {
    action();
  } catch (error) {
    failures.push(error);
  }
}

/** What could not be published is single services' trouble, such as want of room; everything else is in force. */
export function concernsOneService(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(concernsOneService);
  return error instanceof MapFullError || error instanceof ServiceTooLargeError;
}

/** An agent of another layout was here, and what it left cannot be taken over. */
export class LayoutError extends Error {
  override readonly name = "LayoutError";
  readonly code = "PORTOLAN_LAYOUT";
}
