// SPDX-License-Identifier: Apache-2.0
// The listings: `services`, `backends`, `frontends`, `sources`, `flows`, `affinity`, `drops`. They read the pinned maps and write
// nothing.

import { Command } from "commander";
import type { DatapathState } from "../datapath/ebpf/state-types.ts";
import { type Filterable, filterRows, type RowFilter } from "../inspect/filter.ts";
import type { AffinityRow, BackendRow, DropRow, FlowRow, FrontendRow, ServiceRow, SourceRow } from "../inspect/rows.ts";
import type { ServedState } from "../inspect/state-rows.ts";
import { type Listing, renderListing } from "./format/listing.ts";
import { diffCommand } from "./inspect-diff.ts";
import { dnsCommand } from "./inspect-dns.ts";
import { doctorCommand } from "./inspect-doctor.ts";
import { envCommand } from "./inspect-env.ts";
import { explainCommand } from "./inspect-explain.ts";
import {
  AFFINITY_LISTING,
  BACKEND_LISTING,
  DROP_LISTING,
  FLOW_LISTING,
  FRONTEND_LISTING,
  SERVICE_LISTING,
  SOURCE_LISTING,
} from "./inspect-listings.ts";
import { addListingOptions, type ListingOptions, printOrWatch } from "./inspect-options.ts";
import { statusCommand } from "./inspect-status.ts";

/** Every command that reads what is there. */
export function inspectCommands(): readonly Command[] {
  return [
    statusCommand(),
    doctorCommand(),
    listingCommand("services", "Service ports: frontends, endpoints, counters.", SERVICES),
    backendsCommand(),
    listingCommand("frontends", "Every address:port that is served.", FRONTENDS),
    listingCommand("sources", "From where Services with source ranges may be used.", SOURCES),
    listingCommand("flows", "Connections on the wire path.", FLOWS),
    listingCommand("affinity", "Clients that keep to an endpoint by session affinity.", AFFINITY),
    listingCommand("drops", "What was not served, by reason.", DROPS),
    envCommand(),
    dnsCommand(),
    explainCommand(),
    diffCommand(),
  ];
}

/** Which listing a command prints; the rooms it needs are imported when it runs. */
interface RowSource<Row> {
  readonly listing: Listing<Row>;
  readonly rows: (rows: StateRows) => (state: DatapathState) => readonly Row[];
  /** Where rules serve, which know Services alone; absent: they have no such thing. */
  readonly byRules?: (rows: StateRows) => (state: ServedState) => readonly Row[];
  readonly filter: (rows: readonly Row[], filter: RowFilter) => readonly Row[];
}

type StateRows = typeof import("../inspect/state-rows.ts");

/** For rows of Services; addresses gives every address:port text of a row. */
function filterBy<Row extends Filterable>(addresses: (row: Row) => readonly string[]): RowSource<Row>["filter"] {
  return (rows, filter) => filterRows(rows, filter, addresses);
}

const SERVICES: RowSource<ServiceRow> = {
  listing: SERVICE_LISTING,
  rows: ({ servicesOf }) => servicesOf,
  byRules: ({ servicesOf }) => servicesOf,
  filter: filterBy((row) => row.frontends),
};

const BACKENDS: RowSource<BackendRow> = {
  listing: BACKEND_LISTING,
  rows: ({ backendsOf }) => backendsOf,
  byRules: ({ backendsOf }) => backendsOf,
  filter: filterBy((row) => [row.endpoint]),
};

const FRONTENDS: RowSource<FrontendRow> = {
  listing: FRONTEND_LISTING,
  rows: ({ frontendsOf }) => frontendsOf,
  byRules: ({ frontendsOf }) => frontendsOf,
  filter: filterBy((row) => [row.frontend]),
};

const SOURCES: RowSource<SourceRow> = {
  listing: SOURCE_LISTING,
  rows: ({ sourcesOf }) => sourcesOf,
  byRules: ({ sourcesOf }) => sourcesOf,
  filter: filterBy(({ range }) => [range ?? ""]),
};

const FLOWS: RowSource<FlowRow> = {
  listing: FLOW_LISTING,
  rows:
    ({ flowsOf }) =>
    (state) =>
      flowsOf(state),
  filter: filterBy(({ client, vip, backend, snat }) => [client, vip, backend, snat ?? ""]),
};

const AFFINITY: RowSource<AffinityRow> = {
  listing: AFFINITY_LISTING,
  rows: ({ affinityOf }) => affinityOf,
  filter: filterBy(({ client, endpoint }) => [...client.split(",").map((address) => `[${address}]:0`), endpoint]),
};

const DROPS: RowSource<DropRow> = {
  listing: DROP_LISTING,
  rows: ({ dropsOf }) => dropsOf,
  /** Counted over all Services: no filter says anything about them. */
  filter: (rows) => rows,
};

function listingCommand<Row>(name: string, description: string, source: RowSource<Row>): Command {
  return addListingOptions(new Command(name).description(description)).action((options: ListingOptions) =>
    runListing(source, options),
  );
}

function backendsCommand(): Command {
  const command = new Command("backends")
    .description("Endpoints of every Service port: state, connections, share.")
    .argument("[service]", "only this Service: [NAMESPACE/]NAME[:PORT]");
  return addListingOptions(command).action((service: string | undefined, options: ListingOptions) =>
    runListing(BACKENDS, service === undefined ? options : { ...options, service }),
  );
}

async function runListing<Row>(source: RowSource<Row>, options: ListingOptions): Promise<void> {
  const [{ openInspection }, { openRules }, stateRows] = await Promise.all([
    import("./inspect-state.ts"),
    import("./inspect-rules.ts"),
    import("../inspect/state-rows.ts"),
  ]);
  const render = (rows: readonly Row[]) => renderListing(source.listing, source.filter(rows, options), options.output);
  const rules = await openRules(options, source.byRules !== undefined);
  if (rules) {
    const rowsOf = source.byRules?.(stateRows) ?? (() => []);
    await printOrWatch(async () => render(rowsOf((await rules()).state)), options.watch ?? false);
    return;
  }
  const rowsOf = source.rows(stateRows);
  using opened = openInspection(options);
  await printOrWatch(() => render(rowsOf(opened.state)), options.watch ?? false);
}
