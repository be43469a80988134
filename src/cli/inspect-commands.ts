// SPDX-License-Identifier: Apache-2.0
// The listings: `services`, `backends`, `frontends`, `sources`, `flows`, `affinity`, `drops`. They read the pinned maps and write
// nothing.

import { Command } from "commander";
import type { DatapathState } from "../datapath/ebpf/state-types.ts";
import { type Filterable, filterRows, type RowFilter } from "../inspect/filter.ts";
import type { AffinityRow, BackendRow, DropRow, FlowRow, FrontendRow, ServiceRow, SourceRow } from "../inspect/rows.ts";
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

/** How one command gets its rows; the rooms it needs are imported when it runs. */
interface RowSource<Row> {
  readonly listing: Listing<Row>;
  readonly load: () => Promise<(state: DatapathState) => readonly Row[]>;
  readonly filter: (rows: readonly Row[], filter: RowFilter) => readonly Row[];
}

/** For rows of Services; addresses gives every address:port text of a row. */
function filterBy<Row extends Filterable>(addresses: (row: Row) => readonly string[]): RowSource<Row>["filter"] {
  return (rows, filter) => filterRows(rows, filter, addresses);
}

const SERVICES: RowSource<ServiceRow> = {
  listing: SERVICE_LISTING,
  load: async () => {
    const { serviceRows } = await import("../inspect/service-rows.ts");
    return (state) => serviceRows(state.services());
  },
  filter: filterBy((row) => row.frontends),
};

const BACKENDS: RowSource<BackendRow> = {
  listing: BACKEND_LISTING,
  load: async () => {
    const { backendRows } = await import("../inspect/service-rows.ts");
    return (state) => backendRows(state.services());
  },
  filter: filterBy((row) => [row.endpoint]),
};

const FRONTENDS: RowSource<FrontendRow> = {
  listing: FRONTEND_LISTING,
  load: async () => {
    const { frontendRows } = await import("../inspect/service-rows.ts");
    return (state) => frontendRows(state.frontends());
  },
  filter: filterBy((row) => [row.frontend]),
};

const SOURCES: RowSource<SourceRow> = {
  listing: SOURCE_LISTING,
  load: async () => {
    const { sourceRows } = await import("../inspect/source-rows.ts");
    return (state) => sourceRows(state.services());
  },
  filter: filterBy(({ range }) => [range ?? ""]),
};

const FLOWS: RowSource<FlowRow> = {
  listing: FLOW_LISTING,
  load: async () => {
    const { flowRows } = await import("../inspect/flow-rows.ts");
    return (state) => flowRows(state.flows(), bootSeconds());
  },
  filter: filterBy(({ client, vip, backend, snat }) => [client, vip, backend, snat ?? ""]),
};

const AFFINITY: RowSource<AffinityRow> = {
  listing: AFFINITY_LISTING,
  load: async () => {
    const { affinityRows } = await import("../inspect/affinity-rows.ts");
    return (state) =>
      affinityRows(state.affinity(), {
        services: state.services(),
        clients: state.clientNetns(),
        hostNetns: state.agent()?.netnsCookie ?? 0n,
        now: bootSeconds(),
      });
  },
  filter: filterBy(({ client, endpoint }) => [...client.split(",").map((address) => `[${address}]:0`), endpoint]),
};

const DROPS: RowSource<DropRow> = {
  listing: DROP_LISTING,
  load: async () => {
    const { dropRows } = await import("../inspect/flow-rows.ts");
    return (state) => dropRows(state.drops());
  },
  /** Counted over all Services: no filter says anything about them. */
  filter: (rows) => rows,
};

/** Of the monotonic clock, as the kernel's records have it. */
function bootSeconds(): number {
  return Number(process.hrtime.bigint() / 1_000_000_000n);
}

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
  const [{ openInspection }, rowsOf] = await Promise.all([import("./inspect-state.ts"), source.load()]);
  using opened = openInspection(options);
  const read = (): string => {
    const rows = source.filter(rowsOf(opened.state), options);
    return renderListing(source.listing, rows, options.output);
  };
  await printOrWatch(read, options.watch ?? false);
}
