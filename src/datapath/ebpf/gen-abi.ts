// SPDX-License-Identifier: Apache-2.0
// tsx src/datapath/ebpf/gen-abi.ts OBJECT [OUT]: writes the codec of abi.h (default: abi.gen.ts beside this file) from
// the BTF of the built bpf/abi.bpf.o. OUT "-" prints it.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { abiSource } from "./abi-source.ts";
import { parseBtfJson } from "./btf-json.ts";

const [object, out = fileURLToPath(new URL("abi.gen.ts", import.meta.url))] = process.argv.slice(2);
if (object === undefined) {
  console.error("usage: gen-abi.ts OBJECT [OUT]");
  process.exit(2);
}
const dump = execFileSync("bpftool", ["-j", "btf", "dump", "file", object], { encoding: "utf8" });
const text = abiSource(parseBtfJson(dump));
if (out === "-") process.stdout.write(text);
else writeFileSync(out, text);
