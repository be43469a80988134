// SPDX-License-Identifier: Apache-2.0
// Takes over the maps pinned in a bpffs and changes services at random until it is killed; a line on stdout for each
// change. Arguments: the bpffs, a seed.

import { writeSync } from "node:fs";
import fc from "fast-check";
import { MapWriter } from "../../../src/datapath/ebpf/writer.ts";
import { rcuSync } from "../../../src/libbpf/index.ts";
import { wantedAtRandom } from "../wanted.ts";
import { openWriterMaps } from "../writer-maps.ts";

const [bpffs = "", seed = "0"] = process.argv.slice(2);
const onError = (error: unknown) => {
  throw error;
};
using writer = new MapWriter(openWriterMaps(bpffs), { rcuSync, onError });
let current = new Set(writer.adopt());
if (writer.warnings.length > 0) throw new Error(writer.warnings.join("; "));
let synced = false;
for (const [at, wanted] of fc.sample(wantedAtRandom, { numRuns: 500, seed: Number(seed) }).entries()) {
  const remove = [...current].filter((key) => !wanted.some((service) => service.key === key));
  if (synced) writer.apply({ upsert: wanted, remove });
  else writer.sync({ upsert: wanted, remove: [] });
  synced = true;
  current = new Set(wanted.map((service) => service.key));
  writeSync(1, `${at}\n`);
  if (at % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
}
