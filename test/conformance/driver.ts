// SPDX-License-Identifier: Apache-2.0
// The driver that the rows are asked of: PORTOLAN_DRIVER names it, ebpf if nothing does. Each has a file in drivers/: what is its
// own stands there as data, and in docs/behaviour.md with its reason.

import { type Cluster, type ClusterOptions, useCluster } from "../support/cluster.ts";
import type { Question } from "./ask.ts";
import type { Difference, Driver } from "./drivers/driver.ts";
import { ebpf, ebpfXdp } from "./drivers/ebpf.ts";
import { iptablesDrivers } from "./drivers/iptables.ts";
import { ipvs } from "./drivers/ipvs.ts";
import { nftables } from "./drivers/nftables.ts";

const DRIVERS: readonly Driver[] = [ebpf, ebpfXdp, nftables, ...iptablesDrivers, ipvs];

/** Throws for a driver that there is not. */
export function driverUnderTest(): Driver {
  const name = process.env.PORTOLAN_DRIVER ?? "ebpf";
  const driver = DRIVERS.find((known) => known.name === name);
  if (driver) return driver;
  throw new Error(`PORTOLAN_DRIVER=${name}: there are ${DRIVERS.map((known) => known.name).join(", ")}`);
}

/** A cluster whose agents run the driver under test. */
export function useDriver(options: ClusterOptions = {}): () => Cluster {
  const driver = driverUnderTest();
  return useCluster({
    ...driver.lab,
    ...options,
    rows: driver.services,
    agentFlags: [...driver.agentFlags, ...(options.agentFlags ?? [])],
    prepare: async (lab) => {
      await driver.prepare?.(lab);
      await options.prepare?.(lab);
    },
  });
}

/** The question with what this driver answers: of differences that apply the first counts. */
export function askedOf({ differences }: Driver, asked: Question): Question {
  const askers = /^n\d+$/.test(asked.from) ? "nodes" : "pods";
  const applies = (difference: Difference) =>
    difference.rows.includes(asked.row) &&
    (difference.by ?? asked.by) === asked.by &&
    (difference.services ?? [asked.service]).includes(asked.service) &&
    (difference.askers ?? askers) === askers &&
    (difference.frontends ?? [asked.frontend]).includes(asked.frontend) &&
    (difference.expected.answers ?? asked.answers) === asked.answers &&
    (difference.expected.source ?? asked.source) === asked.source;
  return { ...asked, ...differences.find(applies)?.instead };
}
