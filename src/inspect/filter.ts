// SPDX-License-Identifier: Apache-2.0
// The filters that every listing takes: namespace, service, address, protocol. Pure, over the rows as they are printed.

/** What a row must say of itself to be filtered. */
export interface Filterable {
  /** `namespace/name:port` or `namespace/name`; null where no Service is behind it. */
  readonly service: string | null;
  /** TCP or UDP; null where the row is of no protocol. */
  readonly protocol: string | null;
}

export interface RowFilter {
  readonly namespace?: string;
  /** `name`, `name:port`, `namespace/name` or `namespace/name:port`. */
  readonly service?: string;
  /** An address, or address:port (`[v6]:port`). */
  readonly address?: string;
  readonly protocol?: string;
}

/** Rows that meet every filter given; addresses are all address:port texts of a row. */
export function filterRows<Row extends Filterable>(
  rows: readonly Row[],
  filter: RowFilter,
  addresses: (row: Row) => readonly string[],
): readonly Row[] {
  const { namespace, service, address, protocol } = filter;
  return rows.filter((row) => {
    if (namespace !== undefined && !row.service?.startsWith(`${namespace}/`)) return false;
    if (service !== undefined && !matchesService(row.service, service)) return false;
    if (protocol !== undefined && row.protocol !== protocol.toUpperCase()) return false;
    return address === undefined || addresses(row).some((text) => matchesAddress(text, address));
  });
}

function matchesService(name: string | null, wanted: string): boolean {
  if (name === null) return false;
  const text = wanted.includes("/") ? name : name.slice(name.indexOf("/") + 1);
  return text === wanted || (!wanted.includes(":") && text.startsWith(`${wanted}:`));
}

function matchesAddress(text: string, wanted: string): boolean {
  const host = text.slice(0, text.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  return text === wanted || host === wanted;
}
